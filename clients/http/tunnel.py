"""Connecting through a forward proxy: CONNECT makes a tunnel through it (RFC 9110 §9.3.6).

    CONNECT api.openai.com:443 HTTP/1.1\\r\\n    >
    Host: api.openai.com:443\\r\\n\\r\\n           >
    HTTP/1.1 200 Connection established\\r\\n    <
    \\r\\n                                      <
    16 03 01 …                                TLS with api.openai.com: the proxy sees only records

As for curl, two environment variables name the proxy (`HTTPS_PROXY=http://user:password@host:port`)
and the hosts that are reached without it (`NO_PROXY=localhost,.example.com`). If a name is set in
lower case too, the lower-case variable counts.
"""

import base64
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import unquote, urlsplit

from protocol.secret import Secret, quoted

from ..streams.tcp import ByteStream, connect
from .errors import ProxyError, RequestError
from .exchange import exchange

__all__ = ["Dial", "Proxy", "open_tunnel", "proxy_for"]

PROXY_AUTHENTICATION_REQUIRED = 407

Dial = Callable[[str, int], Awaitable[ByteStream]]
"""A function that opens a connection to a host and a port."""


@dataclass(frozen=True)
class Proxy:
    """A proxy that supports CONNECT.

    Args:
        host, port: The address where it listens.
        authorization: The value of Proxy-Authorization, or None.
    """

    host: str
    port: int
    authorization: Secret | None = None


def proxy_for(host: str, port: int, environment: Mapping[str, str] = os.environ) -> Proxy | None:
    """Return the proxy to use for an https:// host, or None.

    Args:
        host, port: The host to connect to.
        environment: Names and values of the environment variables.

    Raises:
        ProxyError: HTTPS_PROXY is not an http:// URL.
    """
    url = environment.get("https_proxy") or environment.get("HTTPS_PROXY") or ""
    exceptions = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    rules = exceptions.replace(",", " ").split()
    if not url or any(_matches(rule, host, port) for rule in rules):
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        name, number = parts.hostname if parts.scheme == "http" else None, parts.port
    except ValueError:  # a port that is not a number; half an IPv6 address
        name = None
    if not name:
        # The message does not show the URL, because it may contain a password.
        raise ProxyError("HTTPS_PROXY must look like http://host:port, or user:password@host:port")
    authorization = None
    if parts.username is not None:
        name_of_user, password = unquote(parts.username), unquote(parts.password or "")
        userinfo = f"{name_of_user}:{password}".encode("utf-8", "surrogateescape")
        token = base64.b64encode(userinfo).decode()
        # The proxy's messages may quote any of these secrets. Userinfo without a colon is a token,
        # and so a secret too.
        for secret in (password or name_of_user, token):
            Secret(secret)
        authorization = Secret(f"Basic {token}")
    return Proxy(name, number or 80, authorization)


def _matches(rule: str, host: str, port: int) -> bool:
    """Return whether a rule of NO_PROXY names this host.

    `*` names every host. `example.com`, `.example.com` and `*.example.com` name that domain and its
    subdomains. An IP address may be written in any form. With `:port` a rule names only that port.
    """
    if rule == "*":
        return True
    name, colon, number = rule.rpartition(":")
    if colon and number.isdecimal() and (name.endswith("]") or ":" not in name):
        if int(number) != port:
            return False
        rule = name
    rule = rule.removeprefix("*.").strip("[]").strip(".").lower()
    host = host.rstrip(".").lower()
    if (address := _address(host)) is not None:  # 10.0.0.1 is not a subdomain of 0.0.1
        return address == _address(rule)
    return bool(rule) and (host == rule or host.endswith("." + rule))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


async def open_tunnel(proxy: Proxy, host: str, port: int, dial: Dial = connect) -> ByteStream:
    """Connect to the proxy, and through it to a host.

    Args:
        proxy: The proxy to connect to.
        host, port: The host to reach through it.
        dial: The function that opens the connection to the proxy.

    Returns:
        The connection. Bytes sent on it from now on reach the host.

    Raises:
        OSError: The proxy cannot be reached.
        ProxyError: The proxy refuses to open a tunnel, or its answer is not HTTP.
    """
    stream = await dial(proxy.host, proxy.port)
    try:
        await _request_tunnel(stream, proxy, host, port)
    except BaseException:
        stream.close()
        raise
    return stream


async def _request_tunnel(stream: ByteStream, proxy: Proxy, host: str, port: int) -> None:
    # authority-form = uri-host ":" port: the request-target of CONNECT only (RFC 9112 §3.2.3)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers: tuple[tuple[str, str], ...] = (("Host", target),)
    if proxy.authorization:
        headers += (("Proxy-Authorization", proxy.authorization.reveal()),)
    name = f"the proxy {proxy.host}:{proxy.port}"
    try:
        response = await exchange(stream, "CONNECT", target, headers)
    except RequestError as error:
        raise ProxyError(f"{name} gave no answer to CONNECT {target}: {error}") from error
    if response.status == PROXY_AUTHENTICATION_REQUIRED:
        advice = "a name and password in HTTPS_PROXY (http://user:pw@host:port)"
        advice = "another name or password" if proxy.authorization else advice
        raise ProxyError(f"{name} wants {advice} (407)")
    if not 200 <= response.status < 300:
        raise ProxyError(f"{name} opened no tunnel to {target}: status {response.status}")
    if response.unread:
        # In TLS the client sends first, so bytes that arrive now cannot be from the host.
        raise ProxyError(f"{name} sent {quoted(response.unread, 20)} after its answer to CONNECT")


# What this file does not do: TLS to the proxy itself, SOCKS, plain http:// through a proxy,
# ALL_PROXY, address ranges (10.0.0.0/8) in NO_PROXY, authentication other than Basic.
