"""Reads traces of curl, a recorder that is installed on nearly every machine.

    curl -N --trace-time --trace trace.txt -o /dev/null http://localhost:8000/chat/hello

    19:05:11.331047 == Info: Connected to localhost (127.0.0.1) port 8000 (#0)
    19:05:11.331204 => Send header, 89 bytes (0x59)
    0000: 47 45 54 20 2f 63 68 61 74 2f 68 65 6c 6c 6f 20 GET /chat/hello
    …
    19:05:11.412811 <= Recv data, 46 bytes (0x2e)
    0000: 32 38 0d 0a 64 61 74 61 3a 20 7b 22 74 65 78 74 28..data: {"text

curl writes each of its reads with the time. `--trace-ascii` writes the same without the hex, with
64 characters on a line and a new line after each CRLF. It writes a dot for every byte that is not
printable ASCII, so this form loses bytes.

The rules this file keeps:

1. Each record of received data is one read. curl writes the lines of a head one by one, even if one
   read brought them all. So lines within a millisecond are joined to one read here.
2. TLS records (`SSL data`) are left out: curl notes the plain text, too. The head of a CONNECT
   request and its answer are left out as well.
3. The sizes in the trace are checked. If the file ends inside a record, the part before the end is
   used, and a note says so.
4. For a trace in ASCII, a note tells what is lost. Every CRLF is restored, because the offsets skip
   it. In an event stream, dots at the ends of lines are taken for LF.
5. The body may be mixed with the trace, as in `curl --trace - URL`. Text between the records is
   ignored.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from msgspec.structs import replace

from protocol.recording import End, RecordedRead, RecordingError

__all__ = ["LOST", "is_trace", "read_trace"]

Sender = Literal["client", "server"]

# "19:05:11.331047 [0-0] <= Recv data, 46 bytes (0x2e)", perhaps after a part of the body.
RECORD = re.compile(
    rb"(?:(?P<time>\d\d:\d\d:\d\d\.\d{6}) )?(?:\[[\dx]+-(?P<id>[\dx]+)\] )?"
    rb"(?:(?P<way><=|=>) (?P<kind>Recv|Send) (?P<what>header|data|SSL data), "
    rb"(?P<size>\d{1,10}) bytes \(0x[0-9a-f]+\)|== Info: ?(?P<info>.*))\r?$"
)
LINE = re.compile(rb"([0-9a-f]{4,8}): ?(.*)", re.DOTALL)
HEX = re.compile(rb"((?:[0-9a-f]{2} ){1,16}) *(.*)")
HEX_COLUMN = 48  # three characters for each of the 16 bytes of a line
WIDTH = {True: 16, False: 64}  # bytes a line, in hex and in ASCII

HEAD_MS = 1.0  # lines of a head that one read brought are noted within this time
SILENT_MS = 5_000.0
DAY_MS = 86_400_000.0

ENDS: list[tuple[re.Pattern[bytes], End]] = [
    (re.compile(rb"Connection reset by peer|Recv failure|connection was reset"), "reset"),
    (re.compile(rb"unexpected eof|SSL_read: .*(?:EOF|syscall)|missing close_notify"), "truncated"),
    (re.compile(rb"[Oo]peration timed out|[Oo]peration too slow"), "silent"),
    (
        re.compile(
            rb"transfer closed with|end of response with|Empty reply from server"
            rb"|[Cc]losing connection|shutting down connection"
        ),
        "fin",
    ),
]
# curl itself has stopped, so its messages about closing do not show how the server ended.
STOPPED = re.compile(rb"[Ff]ail(?:ed|ure) writing|[Cc]allback aborted|returned error: ")
CONNECTED = re.compile(rb"(?:Connected|Established connection) to .*? port \d+(?:.*?\(#(\d+)\))?")
REUSED = re.compile(rb"Re-using existing .*?#(\d+)")
SECURE = re.compile(rb"SSL connection using")
CLOSED = re.compile(rb"(?:[Cc]losing|shutting down) connection #?(\d+)")
# Places where a dot was an LF: before the next field, before the CRLF of a chunk, and at the end of
# a read.
LOST_LINE_ENDS = re.compile(rb"\.{1,2}(?=(?:data|event|id|retry):|\r\n|\Z)")
LOST = (
    "a trace in ASCII has lost every byte that is not printable ASCII (each is a dot here): "
    "use --trace instead of --trace-ascii"
)


class TraceError(RecordingError):
    """The file is not a trace of curl, or it is a trace that cannot be read."""


class Record(NamedTuple):
    """One record of a trace: bytes, or an Info line."""

    at: float
    connection: str
    sender: str
    what: str
    data: bytes
    info: bytes


def is_trace(data: bytes) -> bool:
    """Whether a file looks like a trace of curl."""
    return any(RECORD.search(line) for line in _lines(data[:100_000])[:200])


def read_trace(data: bytes) -> tuple[list[RecordedRead], list[str]]:
    """Read a trace of curl.

    Args:
        data: A file written by `curl --trace FILE --trace-time` or
            `curl --trace-ascii FILE --trace-time`.

    Returns:
        The reads, and notes for the user: what the trace has lost.

    Raises:
        TraceError: The trace has no times, is of HTTP/2, holds no bytes, or has sizes that do not
            fit its bytes.
    """
    trace = Trace(_lines(data))
    connections = Connections()
    said = ""
    for record in trace.records():
        connections.receive(record)
        said = record.info.decode("utf-8", "replace").strip() or said
    if not connections.reads:
        raise TraceError(f"curl has not exchanged any bytes: {said}")
    return connections.reads, trace.notes


def _lines(data: bytes) -> list[bytes]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # PowerShell's > writes UTF-16
        data = data.decode("utf-16", "replace").encode()
    return data.split(b"\n")


class Trace:
    """Turns the lines of a trace into records.

    Attributes:
        notes: Sentences about what the trace has lost.
    """

    def __init__(self, lines: list[bytes]) -> None:
        self.notes: list[str] = []
        self._lines = lines
        self._next = 0
        self._days = 0
        self._latest = 0.0
        self._is_hex: bool | None = None
        self._is_events: dict[str, bool] = {}  # by connection: whether its body is an event stream

    def records(self) -> Iterator[Record]:
        while self._next < len(self._lines):
            number, line = self._next + 1, self._lines[self._next]
            self._next += 1
            found = RECORD.search(line)
            if found is None:
                continue  # a part of the body
            if found["time"] is None:
                raise TraceError("the trace has no times: use --trace-time as well")
            at = self._time(found["time"])
            connection = (found["id"] or b"").decode()
            if found["info"] is not None:
                yield Record(at, connection, "", "", b"", found["info"])
                continue
            what = found["what"].decode()
            sender = "server" if found["way"] == b"<=" else "client"
            data = self._bytes(int(found["size"]), number)
            if what != "SSL data":
                if self._is_hex is False:
                    data = self._with_line_ends(data, connection, sender, what)
                yield Record(at, connection, sender, what, data, b"")

    def _time(self, text: bytes) -> float:
        """Return the milliseconds since the midnight before the first record."""
        hours, minutes, seconds = text.split(b":")
        at = (int(hours) * 60 + int(minutes)) * 60_000 + round(float(seconds) * 1000, 3)
        at += self._days * DAY_MS
        if at < self._latest - DAY_MS / 2:  # midnight has passed
            self._days += 1
            at += DAY_MS
        self._latest = max(at, self._latest)
        return self._latest

    def _bytes(self, size: int, number: int) -> bytes:
        """Return the bytes of a record, whose first line is the next one."""
        data = bytearray()
        while len(data) < size and self._next < len(self._lines):
            line = LINE.match(self._lines[self._next].rstrip(b"\r"))
            if line is None:
                break
            offset = int(line[1], 16)
            if self._is_hex is None:
                self._is_hex = self._looks_hex(line[2], size)
            if not self._is_hex and offset == len(data) + 2:
                data += b"\r\n"  # the end of the line before
            if offset != len(data):
                break
            self._next += 1
            data += self._line_bytes(line[2], min(WIDTH[bool(self._is_hex)], size - len(data)))
        if not self._is_hex and size - len(data) == 2:
            data += b"\r\n"
        if len(data) != size:
            if self._next < len(self._lines) - 1:
                raise TraceError(f"line {number} announces {size} bytes, and {len(data)} follow it")
            self.notes.append("the trace ends in the middle of a read")
        return bytes(data)

    def _looks_hex(self, text: bytes, size: int) -> bool:
        found = HEX.match(text)
        is_hex = found is not None and len(found[1]) == 3 * min(16, size)
        if not is_hex:
            self.notes.append(LOST)
        return is_hex

    def _line_bytes(self, text: bytes, size: int) -> bytes:
        if self._is_hex:
            found = HEX.match(text[:HEX_COLUMN])
            return bytes.fromhex(found[1].decode()) if found else b""
        return text[:size]

    def _with_line_ends(self, data: bytes, connection: str, sender: str, what: str) -> bytes:
        """Restore the LF of an event stream, which --trace-ascii writes as dots."""
        if sender == "client":
            return data
        if what == "header":
            line = data.lower()
            if line.startswith(b"http/"):
                self._is_events[connection] = False
            if line.startswith(b"content-type:") and b"text/event-stream" in line:
                self._is_events[connection] = True
        elif self._is_events.get(connection):
            return LOST_LINE_ENDS.sub(lambda dots: b"\n" * len(dots[0]), data)
        return data


class Connections:
    """The connections of a trace.

    Attributes:
        reads: The reads of all connections.
    """

    def __init__(self) -> None:
        self.reads: list[RecordedRead] = []
        self._began = 0.0  # time of the first bytes
        self._connections: dict[str, Connection] = {}  # by the number that curl gives them
        self._current = ""  # the connection of records that do not name one
        self._unnamed = 0

    def receive(self, record: Record) -> None:
        name = record.connection.strip("x") or self._current
        if record.sender:
            self._receive_bytes(name, record)
        else:
            self._receive_info(name, record.at, record.info)

    def _receive_bytes(self, name: str, record: Record) -> None:
        connection = self._connections.setdefault(name, Connection(len(self._connections)))
        if not record.data or connection.is_of_tunnel(record):
            return
        connection.check(record)
        sender: Sender = "client" if record.sender == "client" else "server"
        if not self.reads:
            self._began = record.at
        at = round(record.at - self._began, 3)
        last = self.reads[-1] if self.reads else None
        if (
            record.what == "header"
            and last is not None
            and (last.sender, last.connection) == (sender, connection.number)
            and record.at - connection.head_at <= HEAD_MS
        ):
            # The next line of the same head.
            self.reads[-1] = replace(last, at=at, bytes=last.bytes + record.data)
        else:
            url = connection.url(record.data) if sender == "client" else ""
            number = connection.number
            self.reads.append(RecordedRead(at, sender, record.data, connection=number, url=url))
        connection.head_at = record.at if record.what == "header" else -DAY_MS
        connection.last_at = record.at

    def _receive_info(self, name: str, at: float, info: bytes) -> None:
        if connected := CONNECTED.match(info):
            self._unnamed += 1
            self._current = (connected[1] or b"%d" % (self._unnamed - 1)).decode()
        elif reused := REUSED.match(info):
            self._current = reused[1].decode()
        elif SECURE.match(info):
            number = len(self._connections)
            self._connections.setdefault(name, Connection(number)).scheme = "https"
        elif closed := CLOSED.search(info):
            name = closed[1].decode() if closed[1].decode() in self._connections else name
        connection = self._connections.get(name)
        if connection is None or connection.has_ended or not self.reads:
            return
        connection.has_ended = STOPPED.search(info) is not None
        for pattern, end in ENDS:
            if not connection.has_ended and pattern.search(info):
                connection.has_ended = True
                # If curl's own time limit expires while bytes arrive, the end says nothing about
                # the server.
                if end != "silent" or at - connection.last_at >= SILENT_MS:
                    at = round(at - self._began, 3)
                    number = connection.number
                    self.reads.append(RecordedRead(at, "server", end=end, connection=number))


@dataclass
class Connection:
    """The state of one connection.

    Attributes:
        head_at: Time of the last record, if it was a line of a head.
        last_at: Time of the last record.
        in_tunnel: Whether a CONNECT was sent, and the head of its answer has not ended.
        is_chunked: Whether the last head says that the body is chunked, and the body has not begun.
    """

    number: int
    scheme: str = "http"
    head_at: float = -DAY_MS
    last_at: float = 0.0
    in_tunnel: bool = False
    is_chunked: bool = False
    has_url: bool = False
    has_ended: bool = False

    def is_of_tunnel(self, record: Record) -> bool:
        """Whether a line belongs to a CONNECT request or its answer (RFC 9110 §9.3.6)."""
        if record.sender == "client":
            self.in_tunnel = record.data.startswith(b"CONNECT ")
            return self.in_tunnel
        if self.in_tunnel:
            self.in_tunnel = record.data != b"\r\n"
            return True
        return False

    def check(self, record: Record) -> None:
        """Raise TraceError if x-ray cannot read what follows."""
        if record.what == "header":
            if re.match(rb"HTTP/[23]|[A-Z]+ \S+ HTTP/[23]", record.data):
                raise TraceError(
                    "it is a trace of HTTP/2 or 3, which x-ray does not read: use --http1.1"
                )
            line = record.data.lower()
            if record.sender == "server":
                self.is_chunked |= re.match(rb"transfer-encoding:.*chunked", line) is not None
        elif self.is_chunked and record.sender == "server":
            self.is_chunked = False
            if not re.match(rb"[0-9a-fA-F]{1,16}[ \t]*(?:;|\r|\Z)", record.data):
                raise TraceError("it shows a chunked body without its chunks: use another curl")

    def url(self, request: bytes) -> str:
        """Return the URL of the first request, or ""."""
        if self.has_url:
            return ""
        self.has_url = True
        target = re.match(rb"[A-Z]+ (\S+) HTTP/", request)
        host = re.search(rb"\r\nhost:[ \t]*([^\r\n]*)", request, re.IGNORECASE)
        if target is None or host is None:
            return ""
        if not target[1].startswith(b"/"):  # absolute-form, sent to a proxy (RFC 9112 §3.2.2)
            return target[1].decode("latin-1")
        return f"{self.scheme}://{(host[1] + target[1]).decode('latin-1')}"


# What this file does not do: divide the reads into requests and responses (exchange.py), or mask
# keys (files.py does so when it loads a trace).
