r"""Makes the request from flags that have curl's names: `-X METHOD -d DATA -H FIELD`.

    -X PUT                         the method
    -d '{"a":1}' -d @FILE          the body: POST; line ends of a file are dropped; @- is stdin
    -H 'X-Fault: fin@3'            one more field
    -H 'Accept-Encoding:'          without this field
    -H 'X-Empty;'                  a field with an empty value
    -H @FILE                       one field a line
    --json-body '{"a":1}'          the body: POST, Content-Type: application/json; @FILE too

Two things differ from curl. Without `-H 'Accept-Encoding: …'`, x-ray asks for gzip, as browsers and
SDKs do, because some hops hold only compressed streams, and curl alone would not see this. For the
URL paths of an OpenAI-like API, x-ray adds a body, so that a URL alone is enough to get a stream.
"""

import re
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from clients.chat import LOOPBACK, is_private
from clients.http.client import URLParts
from clients.http.exchange import Headers
from clients.streams.tcp import ByteStream, Connect, connect
from protocol.errors import DecodeError
from protocol.secret import Secret
from protocol.target import read_host

from ... import __version__
from .ask import Asking

__all__ = ["CurlFlags", "UsageError", "asking_of", "through"]

DEFAULTS: Headers = (
    ("User-Agent", f"workshop-xray/{__version__}"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip"),
)
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

# The client writes these fields itself.
OWN = {"connection", "content-length", "transfer-encoding", "expect"}

# Fields whose values are keys. Each key becomes a Secret, so it is also redacted from every
# message.
KEYS = re.compile(r"authorization|proxy-authorization|cookie|.*(?:api-?key|token|secret).*")

NUMERALS = "一二三四五六七八九十"
PROMPT = "Repeat this, and say nothing else: " + ", ".join(
    f"{number} {NUMERALS[number % 10 - 1]}" for number in range(1, 21)
)
"""The model is asked to repeat this text, which takes a few seconds and costs some hundred tokens.
The text has characters of three bytes, so it shows whether a hop cuts inside a character."""


class UsageError(ValueError):
    """The flags contradict each other, or one of them cannot be used. The message tells the user
    what to do."""


class CurlFlags(msgspec.Struct, frozen=True):
    """The flags as the user typed them.

    Args:
        method: `-X`, or "" for GET, or POST if there is a body.
        data: `-d`, in order.
        fields: `-H`, in order.
        json_body: `--json-body`, or None.
        model: The model for the body that x-ray adds, or "" for the default model.
        key: The key for the Authorization header, or None.
        ca_file: A file of certificates (PEM) to trust in place of the system's.
    """

    method: str = ""
    data: Sequence[str] = ()
    fields: Sequence[str] = ()
    json_body: str | None = None
    model: str = ""
    key: Secret | None = None
    ca_file: str | None = None


def asking_of(url: str, flags: CurlFlags, connect: Connect = connect) -> Asking:
    """Build the request.

    Args:
        url: The URL, possibly with a name and password.
        flags: The flags.
        connect: The function that opens the connection, by default over TCP.

    Raises:
        UsageError: A flag cannot be used, or the key would be sent in plain text.
        OSError: A file cannot be read.
    """
    url, userinfo = _without_userinfo(url)
    parts = _parse(url)
    body, kind = _body(flags, parts)
    method = flags.method or ("GET" if body is None else "POST")
    if not re.fullmatch(r"[A-Z]+", method):
        raise UsageError(f"not a method: {method!r}; write it in capitals, such as -X POST")
    headers = DEFAULTS
    if kind:
        headers += (("Content-Type", kind),)
    if userinfo:
        headers += (("Authorization", f"Basic {b64encode(userinfo.encode()).decode()}"),)
    if flags.key is not None:
        if not is_private(url):
            raise UsageError(f"a key over plain http:// can be read on the way to {parts.host}")
        headers += (("Authorization", f"Bearer {flags.key.reveal()}"),)
    headers, host = _edited(headers, list(_field_lines(flags.fields)))
    if host is not None:
        # The client takes the `Host` field from the URL, so this host is put into the URL.
        try:
            read_host(host)
        except DecodeError as error:
            raise UsageError(f"-H Host: {error.reason}") from None
        url = urlsplit(url)._replace(netloc=host).geturl()
        connect = through(parts.host, parts.port, _parse(url), connect)
    values = (value.rpartition(" ")[2] for name, value in headers if KEYS.fullmatch(name.lower()))
    secrets = [Secret(value).reveal() for value in values]
    return Asking(method, url, headers, body or b"", flags.ca_file, connect, tuple(secrets))


def through(host: str, port: int, parts: URLParts, connect: Connect = connect) -> Connect:
    """Return a function that connects to this address in place of the host of a URL
    (`--connect-to`).

    Args:
        host, port: The address.
        parts: The URL.
        connect: The function that opens the connection.
    """

    address = host, port

    async def reach(host: str, port: int, *, stall_seconds: float) -> ByteStream:
        if (host, port) != (parts.host, parts.port):
            # With a proxy, the proxy would open the connection.
            raise OSError(-1, f"HTTPS_PROXY is set: add NO_PROXY={parts.host}")
        return await connect(*address, stall_seconds=stall_seconds)

    return reach


def _parse(url: str) -> URLParts:
    try:
        return URLParts.parse(url)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _without_userinfo(url: str) -> tuple[str, str]:
    """Take "name:password" out of a URL, so that no later message can show it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url, ""
    userinfo, _, host = parts.netloc.rpartition("@")
    userinfo = unquote(userinfo)
    for secret in (userinfo.partition(":")[2] or userinfo, b64encode(userinfo.encode()).decode()):
        Secret(secret)
    return (parts._replace(netloc=host).geturl(), userinfo) if userinfo else (url, "")


def _body(flags: CurlFlags, parts: URLParts) -> tuple[bytes | None, str]:
    """Return the body and its Content-Type, or None for a request without a body."""
    if flags.json_body is not None:
        if flags.data:
            raise UsageError("give -d or --json-body, not both")
        body = _value(flags.json_body)
        try:
            msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"--json-body is not JSON: {error} (-d sends any bytes)") from None
        return body, JSON
    if flags.data:
        return b"&".join(_value(text, drop=b"\r\n\0") for text in flags.data), FORM
    path = parts.target.partition("?")[0]
    if flags.method in ("", "POST"):
        is_here = parts.host in LOOPBACK
        model = flags.model or ("echo" if is_here else "gpt-4o-mini")
        message = {"role": "user", "content": PROMPT}
        if path.endswith("/v1/chat/completions"):
            asked = {"model": model, "stream": True, "messages": [message]}
            return msgspec.json.encode(asked), JSON
        if path.endswith("/v1/responses"):
            return msgspec.json.encode({"model": model, "stream": True, "input": PROMPT}), JSON
    return None, ""


def _value(text: str, drop: bytes = b"") -> bytes:
    """Return the value of a flag: the text itself, or for `@FILE`, the content of the file."""
    if not text.startswith("@"):
        return text.encode("utf-8", "surrogateescape")
    data = sys.stdin.buffer.read() if text == "@-" else Path(text[1:]).read_bytes()
    return data.translate(None, drop)


def _field_lines(fields: Iterable[str]) -> Iterator[str]:
    for field in fields:
        if field.startswith("@"):
            yield from filter(None, Path(field[1:]).read_text("utf-8").splitlines())
        else:
            yield field


def _edited(headers: Headers, lines: Sequence[str]) -> tuple[Headers, str | None]:
    """Return the headers of all `-H` flags, and the value of `Host` if there is one."""
    kept = list(headers)
    added: list[tuple[str, str]] = []
    host = None
    for line in lines:
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if not colon and name.endswith(";"):
            name, colon = name[:-1], ";"
        if not colon or not name:
            # The message does not quote the line, because it may be a key.
            raise UsageError("-H wants a field: -H 'Name: value'")
        lower = name.lower()
        if lower in OWN:
            raise UsageError(f"x-ray writes {name} itself; drop -H '{name}: …'")
        kept = [field for field in kept if field[0].lower() != lower]
        if lower == "host":
            host = value
        elif value or colon == ";":
            added.append((name, value))
    return (*kept, *added), host


# What this file does not do: support -F, -u, -L, cookies, or -k (with -k, x-ray might measure an
# unknown server).
