"""The target of a request: its request-target and its Host field, read in one place (RFC 9112
§3.2).

    GET /chat/%E4%BD%A0?q=1 HTTP/1.1            origin-form: the path; the host is in Host
    GET http://localhost:8000/chat/hi HTTP/1.1  absolute-form: the host is in the target itself
    OPTIONS * HTTP/1.1                          asterisk-form: the server as a whole
    CONNECT localhost:443 HTTP/1.1              authority-form: a tunnel, which we do not open
    Host: localhost:8000

Routing takes the path from here and access control takes the host, so that both always see the same
request.

The rules this file keeps:

1. Host is checked in every request, even where the target names the host.
2. In absolute-form the host of the target is used, and Host is ignored.
3. A host is normalized here, and compared in that form: in lower case and without its port. An IPv6
   address is written in its shortest form.
"""

import re
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import unquote, unquote_to_bytes

import msgspec

from .errors import DecodeError
from .head import Head

__all__ = ["RequestTarget", "path_of", "read_host", "read_target"]

# reg-name = *( unreserved / pct-encoded / sub-delims ) (RFC 3986 §3.2.2): this includes an
# IPv4address.
REG_NAME = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*"
# IP-literal = "[" ( IPv6address / IPvFuture ) "]"; the module ipaddress checks the IPv6address.
IP_LITERAL = r"\[(?:[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+)\]"
# Host = uri-host [ ":" port ], port = *DIGIT (RFC 9110 §7.2, RFC 3986 §3.2.3): without userinfo.
PORT = r"0*([0-9]{1,5})"
AUTHORITY = re.compile(rf"({IP_LITERAL}|{REG_NAME})(?::(?:{PORT})?)?")

MAX_PORT = 65535

# absolute-form = absolute-URI (RFC 9112 §3.2.2), with the scheme http or https.
ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE)


class RequestTarget(msgspec.Struct, frozen=True):
    """The resource that a request asks for.

    Args:
        path: The path without the query, percent-decoded. "*" means the server as a whole.
        query: Everything after the first "?", not decoded.
        host: The host, normalized (rule 3), or "" if the client does not name one.
    """

    path: str
    query: str = ""
    host: str = ""


def read_target(head: Head) -> RequestTarget:
    """Read the target of a request (RFC 9112 §3.2).

    Args:
        head: The head of the request.

    Raises:
        DecodeError: The target or Host breaks its grammar, or Host is missing or repeated (400).
            The same error with 501 means that the client asks for a tunnel.
    """
    host = _host_of(head)
    method, target, _ = head.start_line.decode("ascii").split(" ")
    if method == "CONNECT":
        # §3.2.3: CONNECT uses the authority-form, and no other method does.
        if read_host(target) and target[-1] in "0123456789" and ":" in target:
            raise _bad("CONNECT: this server opens no tunnels", 501)
        raise _bad(f"CONNECT asks for host:port, not for {_shown(target)}")
    if absolute := ABSOLUTE.fullmatch(target):
        # "the origin server MUST ignore the received Host header field (if any) and instead use
        # the host information of the request-target" (§3.2.2)
        host = read_host(absolute[1])
        if not host:
            # "A recipient that processes such a URI reference MUST reject it as invalid."
            # (RFC 9110 §4.2.1)
            raise _bad(f"a URL without a host: {_shown(target)}")
        target = absolute[2] if absolute[2].startswith("/") else "/" + absolute[2]
    elif target == "*":
        # "The "asterisk-form" of request-target is only used for a server-wide OPTIONS request"
        # (§3.2.4)
        if method != "OPTIONS":
            raise _bad(f"{method} *: only OPTIONS is for the server as a whole")
        return RequestTarget("*", "", host)
    elif not target.startswith("/"):
        raise _bad(f"not a request-target for this server: {_shown(target)}")
    raw_path, _, query = target.partition("?")
    try:
        return RequestTarget(unquote_to_bytes(raw_path).decode(), query, host)
    except UnicodeDecodeError as error:
        raise _bad("the path is not UTF-8 once percent-decoded") from error


def read_host(authority: str) -> str:
    """Read the host of `host` or `host:port`, normalized: "LOCALHOST:8000" gives "localhost".

    Args:
        authority: A host, perhaps with a port (RFC 9110 §7.2), or "" for none.

    Raises:
        DecodeError: The host or the port breaks its grammar, the port is over 65535, or there is
            userinfo (RFC 9110 §4.2.4): 400.
    """
    found = AUTHORITY.fullmatch(authority)
    if found is None or int(found[2] or "0") > MAX_PORT:
        raise _bad(f"not a host: {_shown(authority)}")
    host = found[1].lower()
    if host.startswith("[") and not host.startswith("[v"):
        try:
            return f"[{IPv6Address(host[1:-1]).compressed}]"
        except AddressValueError as error:
            raise _bad(f"not an IPv6 address: {host[:80]!r}") from error
    return host


def path_of(start_line: bytes) -> str:
    """Find the path in a request-line that may be bad or incomplete. The error reply uses it.

    Args:
        start_line: The request-line without its CRLF, unchecked.

    Returns:
        The path, percent-decoded; "" if there is none.
    """
    target = b" ".join(start_line.split(b" ")[1:2]).decode("latin-1")
    if absolute := ABSOLUTE.fullmatch(target):
        target = absolute[2]
    return unquote(target.partition("?")[0])


def _shown(target: str) -> str:
    """Shorten a bad target for an error message. Messages are logged, and query and userinfo may
    hold a key, so both are left out. At most 80 characters of the rest are kept."""
    before, mark, _ = target.partition("?")
    _, at, rest = before.rpartition("@")
    return repr("…@" * bool(at) + rest[:80] + "?…" * bool(mark))


def _host_of(head: Head) -> str:
    """The host in the Host field, or "" for a target without an authority.

    "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that
    lacks a Host header field and to any request message that contains more than one Host header
    field line or a Host header field with an invalid field value." (§3.2)
    """
    values = head.values(b"host")
    if len(values) > 1:
        raise _bad("more than one Host")
    if not values:
        if head.is_http10:
            return ""
        raise _bad("no Host, which HTTP/1.1 requires: Host: localhost")
    return read_host(values[0].decode("latin-1"))


def _bad(message: str, status: int = 400) -> DecodeError:
    return DecodeError(message, 0, error_status_hint=status)


# What this file does not do: resolve the host's address, or decide which hosts are ours
# (servers/http/access.py).
