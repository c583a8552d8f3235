"""Puts TCP segments together to the bytes that two programs exchanged.

    12:01:02.1234  127.0.0.1:50000 > 127.0.0.1:8000  seq 1:90      GET /chat/hello …
    12:01:02.1236  127.0.0.1:8000 > 127.0.0.1:50000  seq 1:155     HTTP/1.1 200 OK …
    12:01:02.4240  127.0.0.1:8000 > 127.0.0.1:50000  seq 201:246   out of order
    12:01:02.4250  127.0.0.1:8000 > 127.0.0.1:50000  seq 155:201   fills the gap: a read of 91 B

The rules this file keeps:

1. A program reads bytes in the order of their sequence numbers (RFC 9293 §3.4). So bytes after a
   gap count as read at the time of the segment that fills the gap.
2. Bytes that arrive twice count once. If two segments disagree about a byte, the first one wins.
3. Sequence numbers are modulo 2**32.
4. A SYN with another initial sequence number begins a new connection, even if the addresses and
   ports are the same.
5. Bytes are missing if they are not in the capture, although the peer acknowledged them or later
   bytes are there. A connection can tell which bytes are missing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from protocol.recording import RecordedRead

__all__ = ["FIN", "PSH", "RST", "SYN", "Flow", "Segment", "reassemble"]

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MODULUS = 1 << 32
METHODS = (b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"PATCH ", b"OPTIONS ", b"CONNECT ")

Endpoint = tuple[str, int]


class Segment(NamedTuple):
    """One TCP segment.

    Args:
        time: Time at which the segment was captured, in nanoseconds.
        source, target: Address and port of each end.
        seq, ack: Sequence number of the segment's first byte, and of the next byte that its sender
            expects.
        flags: FIN, SYN, RST, PSH and ACK.
        data: The captured bytes of the segment.
        size: Number of bytes that the segment had.
    """

    time: int
    source: Endpoint
    target: Endpoint
    seq: int
    ack: int
    flags: int
    data: bytes
    size: int


@dataclass
class Half:
    """The bytes of one sender.

    Attributes:
        first: Sequence number of the first byte.
        position: Number of bytes without a gap, which is the offset of the next byte.
        waiting: Segments after a gap, by the offset of their first byte.
        last: Offset of the sender's FIN.
        acknowledged: Offset up to which the peer has acknowledged all bytes.
        ended: Whether the end of this direction has been reported.
    """

    first: int | None = None
    position: int = 0
    waiting: list[tuple[int, bytes]] = field(default_factory=list)
    last: int | None = None
    acknowledged: int = 0
    ended: bool = False
    cut: bool = False
    head: bytes = b""

    def offset(self, seq: int) -> int:
        """Return the offset of a sequence number. Of all possible offsets, this is the one nearest
        to the next byte."""
        distance = (seq - (self.first or 0) - self.position) % MODULUS
        return self.position + (distance - MODULUS if distance >= MODULUS // 2 else distance)

    def receive(self, seq: int, data: bytes) -> bytes:
        """Take a segment. Returns the bytes that now have no gap before them."""
        if data:
            self.waiting.append((self.offset(seq), data))
            self.waiting.sort(key=lambda item: item[0])
        pieces = []
        while self.waiting and self.waiting[0][0] <= self.position:
            start, data = self.waiting.pop(0)
            pieces.append(data[self.position - start :])
            self.position += len(pieces[-1])
        return b"".join(pieces)

    def missing(self) -> tuple[int, int] | None:
        """Return the first and last offset of bytes that are not in the capture, if there are
        any."""
        if self.waiting:
            return self.position, self.waiting[0][0] - 1
        known = max(self.acknowledged, self.last or 0)
        if known == self.position + 1 and self.last is None:
            return None  # the peer may have acknowledged a FIN that was not captured
        return (self.position, known - 1) if known > self.position else None


class Flow:
    """One connection.

    Args:
        client, server: The endpoints of the connection.
        is_whole: Whether the capture holds the first segment of the connection.

    Attributes:
        reads: Pairs of the time in nanoseconds and the read, whose `at` and connection are not set
            yet.
    """

    def __init__(self, client: Endpoint, server: Endpoint, *, is_whole: bool) -> None:
        self.client = client
        self.server = server
        self.is_whole = is_whole
        self.reads: list[tuple[int, RecordedRead]] = []
        self._halves = {client: Half(), server: Half()}
        self._goes_on: tuple[int, Endpoint] | None = None

    def first_bytes(self, endpoint: Endpoint) -> bytes:
        """Return the first few bytes of one side."""
        return self._halves[endpoint].head

    def problem(self) -> str:
        """Return the reason why the bytes cannot be used, or ""."""
        for name, endpoint in (("client", self.client), ("server", self.server)):
            half = self._halves[endpoint]
            if half.cut:
                return f"packets of the {name} were cut when they were captured: use tcpdump -s 0"
            if missing := half.missing():
                first, last = missing
                return (
                    f"bytes {first} to {last} of the {name} are missing in the capture: "
                    "packets were dropped (use tcpdump -B 16384, and a filter)"
                )
        return ""

    def is_new(self, segment: Segment) -> bool:
        """Whether a segment begins another connection with the same addresses and ports."""
        if segment.flags & (SYN | ACK) != SYN:
            return False
        first = self._halves[segment.source].first
        return first is not None and first != (segment.seq + 1) % MODULUS

    def receive(self, segment: Segment) -> None:
        """Take the next segment of the capture."""
        half, peer = self._halves[segment.source], self._halves[segment.target]
        seq = segment.seq
        if segment.flags & SYN:
            seq += 1  # "the SYN is considered to occur before the first actual data octet"
        if half.first is None:
            half.first = seq % MODULUS
        if segment.flags & ACK:
            if peer.first is None:
                peer.first = segment.ack
            peer.acknowledged = max(peer.acknowledged, peer.offset(segment.ack))
            if peer.last is not None and peer.acknowledged > peer.last:
                peer.acknowledged = peer.last  # the peer's FIN has a sequence number, too
        half.cut |= segment.size > len(segment.data)
        if segment.flags & FIN:
            half.last = half.offset(seq + segment.size)
        if data := half.receive(seq, segment.data):
            half.head = (half.head + data)[:64] if len(half.head) < 64 else half.head
            self._add(segment, data)
        if segment.flags & RST:
            self._end(segment.time, segment.source, "reset")
        elif half.last is not None and half.position >= half.last:
            self._end(segment.time, segment.source, "fin")

    def _add(self, segment: Segment, data: bytes) -> None:
        # One write can be divided into segments, and only the last of them has PSH.
        if self._goes_on == (segment.time, segment.source):
            _, read = self.reads.pop()
            data = read.bytes + data
        self.reads.append((segment.time, RecordedRead(0.0, self._sender(segment.source), data)))
        self._goes_on = None if segment.flags & PSH else (segment.time, segment.source)

    def _end(self, time: int, source: Endpoint, end: Literal["fin", "reset"]) -> None:
        half = self._halves[source]
        if not half.ended:
            half.ended = True
            self._goes_on = None
            self.reads.append((time, RecordedRead(0.0, self._sender(source), end=end)))

    def _sender(self, source: Endpoint) -> Literal["client", "server"]:
        return "client" if source == self.client else "server"


def reassemble(segments: Iterable[Segment]) -> list[Flow]:
    """Put segments together.

    Args:
        segments: All segments, in the order of the capture.

    Returns:
        The connections in the order in which they began.
    """
    flows: list[Flow] = []
    current: dict[frozenset[Endpoint], Flow] = {}
    for segment in segments:
        key = frozenset([segment.source, segment.target])
        flow = current.get(key)
        if flow is None or flow.is_new(segment):
            flow = current[key] = _begin(segment)
            flows.append(flow)
        flow.receive(segment)
    return flows


def _begin(segment: Segment) -> Flow:
    """Begin a connection with this segment, and decide which side is the client."""
    if segment.flags & SYN:
        from_client = not segment.flags & ACK
    elif segment.data.startswith(b"HTTP/"):
        from_client = False
    else:  # The connection began before the capture. Usually the server has the lower port.
        from_client = segment.data.startswith(METHODS) or segment.source[1] > segment.target[1]
    ends = (segment.source, segment.target)
    client, server = ends if from_client else ends[::-1]
    return Flow(client, server, is_whole=bool(segment.flags & SYN))


# What this file does not do: parse packets (capture.py), check checksums (they are often wrong in a
# capture on the sending machine), or join IP fragments.
