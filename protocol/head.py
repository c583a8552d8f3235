"""The head of a message: a start-line, field lines, an empty line (RFC 9112 §2-§5).

    GET /chat/hello HTTP/1.1\\r\\n
    Host: localhost:8000\\r\\n
    Accept: text/event-stream\\r\\n
    \\r\\n

h11 reads and writes heads in this project, but it is lenient where two readers of the same bytes
could disagree: it accepts a bare LF, joins folded lines and merges repeated lengths, and the events
that it returns do not show this. So this file checks the raw bytes of every head before h11 sees
them.

The rules this file keeps:

1. A line ends in CRLF. A bare CR or LF is refused as soon as it arrives, as is any control
   character. So a person who types a request with wrong line ends gets the error at once.
2. Folded lines, a space before the colon and a field without a name are refused.
3. One empty line before the request-line is skipped (RFC 9112 §2.2), not two.
4. The start-line, the head and the number of fields have limits: 414 and 431.
5. The result never depends on how the bytes were cut.
"""

import re
from urllib.parse import quote_from_bytes

import msgspec

from .errors import DecodeError
from .grammar import TOKEN
from .secret import quoted

__all__ = ["Head", "HeadReader"]

# "A recipient of such a bare CR MUST consider that element to be invalid" (RFC 9112 §2.2). It MAY
# accept a bare LF as a line end; then two hops can read the same head differently, so we refuse it.
# A CR that is the last byte so far is not checked yet. HTAB is the only CTL allowed in a field.
BAD_BYTE = re.compile(rb"\r[^\n]|(?<!\r)\n|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", re.DOTALL)

# request-line = method SP request-target SP HTTP-version (RFC 9112 §3)
REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+) HTTP/([0-9])\.([0-9])")

# status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4)
STATUS_LINE = re.compile(rb"HTTP/([0-9])\.([0-9]) ([1-9][0-9][0-9])(?: [^\r\n]*)?")

# A request-line typed by hand, with spaces or letters outside ASCII in the target.
TYPED_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S.*\S|\S) +(HTTP/1\.[01])")

PRINTF_FORM = r"printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' | nc …"


class Head(msgspec.Struct, frozen=True):
    """A head that has passed the checks of this file.

    Args:
        raw: All bytes of the head, from the start-line to the empty line.
        start_line: The start-line without its CRLF.
        fields: Pairs of a field-name in lower case and a field-value without the space around it,
            in the order received.
    """

    raw: bytes
    start_line: bytes
    fields: list[tuple[bytes, bytes]]

    def values(self, name: bytes) -> list[bytes]:
        """The values of all field lines with this name, in order.

        Args:
            name: A field-name in lower case.
        """
        return [value for key, value in self.fields if key == name]

    @property
    def is_http10(self) -> bool:
        """Whether the version of the message is HTTP/1.0, which has no chunked coding."""
        version = self.start_line if self.start_line.startswith(b"HTTP/") else self.start_line[-8:]
        return version.startswith(b"HTTP/1.0")


class HeadReader:
    """Takes bytes, and returns one checked head.

    Args:
        is_request: True to read the head of a request, False to read the head of a response.
        max_start_line_size: Longest start-line accepted, in bytes without its CRLF. The error for a
            longer one has status 414 (RFC 9110 §15.5.15).
        max_size: Largest head accepted, in bytes. The error for a larger one has status 431 (RFC
            6585 §5).
        max_fields: Largest number of field lines accepted. The error for more has status 431.

    Attributes:
        started: Whether a byte of the start-line has arrived. The skipped empty line does not
            count.
        trailing_data: The bytes after the head: the body, or the next message.
    """

    def __init__(
        self,
        *,
        is_request: bool = True,
        max_start_line_size: int = 16 << 10,
        max_size: int = 64 << 10,
        max_fields: int = 100,
    ) -> None:
        self.trailing_data = b""
        self._is_request = is_request
        self._max_start_line_size = max_start_line_size
        self._max_size = max_size
        self._max_fields = max_fields
        self._buffer = bytearray()
        self._skipped = 0  # size of the empty line before the start-line
        self._start_line = b""
        self._error: DecodeError | None = None

    @property
    def start_line(self) -> bytes:
        """The unchecked start-line, as far as it has arrived. The reply to a bad head uses it."""
        return self._start_line or bytes(self._buffer[: self._max_start_line_size]).split(b"\r")[0]

    @property
    def started(self) -> bool:
        return bool(self._buffer)

    def receive_data(self, data: bytes) -> Head | None:
        """Take bytes as they arrive, cut anywhere.

        Returns:
            The head once it is complete, otherwise None. Do not call this method again after a
            head.

        Raises:
            DecodeError: The head breaks the grammar or exceeds a limit. `error_status_hint` is the
                status with which to answer; every later call raises the same error.
        """
        if self._error is not None:
            raise self._error.again()
        try:
            return self._receive_data(data)
        except DecodeError as error:
            self._error = error
            raise

    def receive_eof(self) -> None:
        """Tell the reader that the peer will send no more.

        Raises:
            DecodeError: A head has begun and is not complete. Between two messages, no error is
                raised.
        """
        if self._error is not None:
            raise self._error.again()
        if self.started:
            raise self._error_at(
                len(self._buffer), "the head ended before its empty line (CR LF CR LF)"
            )

    def _receive_data(self, data: bytes) -> Head | None:
        checked = len(self._buffer)
        self._buffer += data
        if not self._skipped and self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
            self._skipped = 2
        if self._skipped and self._buffer.startswith(b"\r"):
            raise self._error_at(0, "an empty line in place of the start-line")
        # Only the new bytes are searched, and the last three old ones, where a line end may begin.
        end = self._buffer.find(b"\r\n\r\n", max(0, checked - 3)) + 4
        stop = end if end > 3 else len(self._buffer)
        self._check_bytes(max(0, checked - 1), stop)
        if end <= 3:
            return None
        head = self._check(bytes(self._buffer[:end]))
        self.trailing_data = bytes(self._buffer[end:])
        self._start_line = head.start_line
        self._buffer.clear()
        return head

    def _check_bytes(self, start: int, stop: int) -> None:
        """Raise for the first byte that exceeds a limit or that no head may contain."""
        errors = []
        limit = self._max_start_line_size
        if stop > limit and self._buffer.find(b"\r", 0, limit + 1) < 0:
            errors.append(self._error_at(limit, f"a start-line over {limit} bytes", 414))
        size = self._max_size
        if stop > size:
            errors.append(self._error_at(size, f"a head over {size} bytes", 431))
        if bad := BAD_BYTE.search(self._buffer, start, stop):
            errors.append(self._bad_byte(bad.start(), bad[0]))
        if errors:
            raise min(errors, key=lambda error: error.offset)

    def _bad_byte(self, index: int, found: bytes) -> DecodeError:
        if index == 0 and found == b"\x16" and self._is_request:
            return self._error_at(0, "a TLS handshake: this port speaks plain HTTP, use http://")
        if index == 0 and found in (b"\x15", b"\x16") and not self._is_request:
            return self._error_at(0, "a TLS record: that port speaks TLS, use https://")
        if found == b"\n":
            message = "a line that ends in LF alone: HTTP lines end in CR LF"
            if self._is_request:  # perhaps typed by a person
                message += f". Use `nc -C` (or `workshop nc -C`), or {PRINTF_FORM}"
            return self._error_at(index, message)
        if found[:1] == b"\r":
            return self._error_at(index, f"a CR without LF after it, but {found[1:]!r}")
        return self._error_at(index, f"a control character in the head: {found!r}")

    def _check(self, raw: bytes) -> Head:
        start_line, *lines = raw[:-4].split(b"\r\n")
        if self._is_request:
            self._check_request_line(start_line)
        elif not (status := STATUS_LINE.fullmatch(start_line)) or status[1] != b"1":
            raise self._error_at(0, f"not an HTTP/1 status-line: {quoted(start_line)}")
        if len(lines) > self._max_fields:
            raise self._error_at(0, f"a head of over {self._max_fields} field lines", 431)
        fields = []
        offset = len(start_line) + 2
        for line in lines:
            fields.append(self._check_field_line(line, offset))
            offset += len(line) + 2
        return Head(raw, start_line, fields)

    def _check_request_line(self, line: bytes) -> None:
        match = REQUEST_LINE.fullmatch(line)
        if match and match[2].isascii():
            if match[3] != b"1":
                raise self._error_at(len(line) - 3, "only HTTP/1.1 and HTTP/1.0 here", 505)
            return
        message = f"not a request-line: {quoted(line)}. One looks like this: GET / HTTP/1.1"
        if typed := TYPED_LINE.fullmatch(line):
            # b"GET /chat/\xe4\xbd\xa0 HTTP/1.1": a request-target is ASCII (RFC 9112 §3.2).
            target = quote_from_bytes(typed[2], safe="/?&=:;,@!$'()*+%~[]")
            message = "a request-target with spaces or bytes that are not ASCII"
            message += f". Percent-encoded, the line is:\n\n{typed[1].decode()} {target} "
            message += typed[3].decode() + "\n\n"
        raise self._error_at(0, message)

    def _check_field_line(self, line: bytes, offset: int) -> tuple[bytes, bytes]:
        """field-line = field-name ":" OWS field-value OWS (RFC 9112 §5)"""
        if line[:1] in (b" ", b"\t"):
            # "A server that receives an obs-fold … MUST either reject the message …" (§5.2)
            raise self._error_at(offset, "a folded field line, or space before the first one")
        name, colon, value = line.partition(b":")
        if not colon:
            raise self._error_at(offset, f"a field line without a colon: {quoted(line)}")
        if not TOKEN.fullmatch(name):
            # "No whitespace is allowed between the field name and colon." (§5.1)
            raise self._error_at(offset, f"not a field-name: {quoted(name)}")
        return name.lower(), value.strip(b" \t")

    def _error_at(self, index: int, message: str, status: int = 400) -> DecodeError:
        return DecodeError(message, self._skipped + index, error_status_hint=status)


# What this file does not do: decide where the body ends (http1.py), interpret fields, or repair a
# bad head. The client gets a clear 400 instead, so that its author can repair the client.
