"""Recorded responses: the simulated LLM answers with the bytes of a recording, at the recorded
times.

    {"at":0,"sender":"client","bytes":"UE9TVCAv…"}         a request, sent at 0 ms
    {"at":120,"sender":"server","bytes":"SFRUUC8x…"}       the head, 120 ms after the request
    {"at":310,"sender":"server","bytes":"NmYNCmRh…"}       a chunk, 190 ms later
    {"at":900,"sender":"server","end":"reset"}             an RST in the middle of the body

The file `incident.jsonl` becomes the model `recording:incident`. If the file has several responses,
the second is `recording:incident:2`, and so on. (protocol/recording.py describes the format, and
servers/SCRIPTS.md how to use it.)

The rules this file keeps:

1. A client gets the recorded bytes. Each recorded read is one write, at the recorded time after the
   request. Nothing is added: no Date, no request id, no heartbeat.
2. The response ends as in the recording: with a FIN, with an RST, or with silence on an open
   connection. If the recording stops in the middle of a response, the end is silence.
3. If the response is complete, as its framing says (RFC 9112 §6.3), and has no `Connection: close`,
   the connection stays open for the next request.
4. A response begins with the first bytes that the server sent after a request. The decoders of
   `protocol` find its end.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import h11
import msgspec
import trio

from protocol.head import Head, HeadReader
from protocol.http1 import BodyDecoder, body_decoder, keeps_alive, response_framing
from protocol.recording import End, RecordedRead, RecordingError, read_recording

from ..http.body import BodyWriter
from ..http.forwarding import status_of
from ..http.reply import CutOff, StreamingReply

__all__ = ["MAX_FILE", "MAX_READS", "RecordedResponse", "is_recording", "load_recording"]

MAX_FILE = 64 << 20
"""Largest recording that is loaded, in bytes. In base64, it can have about 48 MB of the wire."""

MAX_READS = 200_000
"""Largest number of reads in a recording that is loaded, enough for an hour with 50 tokens per
second."""

HOLD_SECONDS = 3600.0
"""Longest time in seconds that a silent connection stays open if the client does not close it."""


class RecordedResponse(msgspec.Struct, frozen=True):
    """A response that a server once sent.

    Args:
        writes: The bytes of the response: each read with its time, in seconds after the request.
        end: How the connection ends after these bytes, or "" if it stays open for the next request.
        ends_at: Time at which the connection ends, in seconds after the request.
        status: Status of the response, for the log.
        complete: Whether the response is complete, as its framing says.
    """

    writes: tuple[tuple[float, bytes], ...]
    end: End
    ends_at: float
    status: int = 200
    complete: bool = False

    def reply(self) -> StreamingReply:
        """Return the reply that sends this response. Its times are counted from now on."""
        reply = StreamingReply(Replay(self, trio.current_time()), self.status)
        # no head is sent here, because the recorded bytes include the head
        reply.edit_head = lambda head: b""
        return reply


@dataclass(slots=True)
class Replay:
    """A `Source` that sends a recorded response.

    Args:
        recorded: The response.
        start: Time at which the request arrived, on trio's clock.
    """

    recorded: RecordedResponse
    start: float

    async def send_to(self, body: BodyWriter) -> None:
        """Send the recorded bytes, and then the recorded end."""
        *first, last = self.recorded.writes or [(0.0, b"")]
        for at, data in first:
            await trio.sleep_until(self.start + at)
            await body.send_raw(data)
        await trio.sleep_until(self.start + last[0])
        await body.send_raw(last[1], ends=self.recorded.complete)
        if not self.recorded.end:
            return
        seconds = HOLD_SECONDS if self.recorded.end == "silent" else 0
        await trio.sleep_until(self.start + self.recorded.ends_at + seconds)
        raise CutOff(reset=self.recorded.end == "reset")


# ---- From a file to its responses


def is_recording(path: Path) -> bool:
    """Whether the first line of a file is a read, as in a recording. In a file of scripts, it is
    not.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        for line in iter(lambda: file.readline(MAX_FILE), b""):
            if line.strip():
                try:
                    next(read_recording([line]))
                except RecordingError:
                    return False
                return True
    return False


def load_recording(
    path: Path, *, max_size: int = MAX_FILE, max_reads: int = MAX_READS
) -> Mapping[str, RecordedResponse]:
    """Read the responses of a recording.

    Args:
        path: A file in the format of protocol/recording.py.
        max_size: Largest file accepted, in bytes.
        max_reads: Largest number of reads accepted.

    Returns:
        The responses by the name of their model ("recording:NAME", "recording:NAME:2", …), in the
        order of their requests. NAME is the file's name up to the last dot.

    Raises:
        ValueError: The file cannot be read, is too large, is not a recording, or has no bytes of a
            server. The message has the file's name.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_size + 1)
        if len(data) > max_size:
            raise ValueError(f"a recording has at most {max_size:,} bytes")
        responses = list(_responses(_limited(read_recording(data.split(b"\n")), max_reads)))
        if not responses:
            raise ValueError("it holds no response: no line has bytes or an end of the server")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    name = f"recording:{path.stem}"
    names = chain([name], (f"{name}:{number}" for number in range(2, len(responses) + 1)))
    return dict(zip(names, responses, strict=True))


def _limited(reads: Iterable[RecordedRead], most: int) -> Iterator[RecordedRead]:
    for number, read in enumerate(reads, 1):
        if number > most:
            raise ValueError(f"a recording has at most {most:,} reads")
        yield read


def _responses(reads: Iterable[RecordedRead]) -> Iterator[RecordedResponse]:
    """Yield all responses of all connections, in the order in which they began."""
    current: dict[int, Response] = {}
    order: list[Response] = []
    for read in reads:
        response = current.get(read.connection)
        if response is None or (read.sender == "client" and response.complete and read.bytes):
            current[read.connection] = response = Response(read.at)
            order.append(response)
        if read.sender == "client":
            response.receive_request(read)
        else:
            response.receive(read)
    return (response.recorded() for response in order if response.writes or response.end)


class Response:
    """The response to one request, while its reads are collected.

    Args:
        began: Time at which the request was sent, in milliseconds since the recording began.

    Attributes:
        writes: The server's writes, as pairs of the time in milliseconds and the bytes.
        complete: Whether the response is complete, as its framing says.
        end: How the server's direction ended, or "".
    """

    def __init__(self, began: float) -> None:
        self.writes: list[tuple[float, bytes]] = []
        self.complete = False
        self.end: End = ""
        self._began = self._ended_at = began
        self._method = ""
        self._head: Head | None = None
        self._reader = HeadReader(is_request=False)
        self._body: BodyDecoder | None = None  # None until the final head has come
        self._is_readable = True

    def receive_request(self, read: RecordedRead) -> None:
        """Take a read of the client's bytes. The times of the response are counted from the last
        such read."""
        if not self.writes and read.bytes:
            self._began = self._ended_at = read.at
            self._method = self._method or read.bytes[:8].partition(b" ")[0].decode("latin-1")

    def receive(self, read: RecordedRead) -> None:
        """Take a read of the server's bytes, or its end."""
        if read.bytes:
            self.writes.append((read.at, read.bytes))
            self._ended_at = read.at
            if self._is_readable and not self.complete:
                try:
                    self._parse(read.bytes)
                except h11.RemoteProtocolError:
                    self._is_readable = False
        if read.end:
            self.end, self._ended_at = read.end, read.at

    def recorded(self) -> RecordedResponse:
        """Return the response, with times in seconds after its request."""
        end: End = self.end or ("fin" if self.complete else "silent")
        if self.complete and self._head and keeps_alive(self._head):
            end = ""
        return RecordedResponse(
            tuple((self._seconds(at), data) for at, data in self.writes),
            end,
            self._seconds(self._ended_at),
            status_of(self._head)[0] if self._head else 200,
            self.complete,
        )

    def _seconds(self, at: float) -> float:
        return max(0.0, at - self._began) / 1000

    def _parse(self, data: bytes) -> None:
        while self._body is None:
            head = self._reader.receive_data(data)
            if head is None:
                return
            data = self._reader.trailing_data
            # a 1xx response, which is followed by the final head (RFC 9110 §15.2)
            if head.start_line[9:10] == b"1":
                self._reader = HeadReader(is_request=False)
            else:
                self._head = head
                self._body = body_decoder(response_framing(head, self._method))
        self._body.receive_data(data)
        self.complete = self._body.complete


# What this file does not do: separate the responses to pipelined requests (they are sent as one
# response), or compare requests. Any request for the model gets the recorded response.
