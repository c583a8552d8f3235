"""Writes a recording as a capture that Wireshark opens: TCP packets that carry the same bytes.

    4d 3c b2 a1 02 00 04 00 …         file header: pcap with nanoseconds, each packet begins with IP
    80 43 6d 38 00 5e d0 b2 …         record header: time, size
    45 00 00 83 …                     IPv4 header: 192.0.2.1 to 198.51.100.1
    c0 00 00 50 …                     TCP header: port 49152 to 80, PSH and ACK
    50 4f 53 54 20 2f …               one read

A recording has the data of a TCP connection but not its packets, so the packets here are synthetic:
a handshake at the time of the first read, an acknowledgement after each read, and FIN or RST for an
end.

The rules this file keeps:

1. One read becomes one segment. Only a read that is larger than an IPv4 packet is divided, and then
   only the last segment has PSH.
2. Checksums are correct, and sequence numbers have no gap, so Wireshark reports no problem.
3. The server's port is always 80, so that Wireshark reads the bytes as HTTP. The addresses are
   those reserved for documentation (RFC 5737).
4. In TCP, no bytes can follow the sender's FIN or RST. If they do in a recording, they begin a new
   connection.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from protocol.recording import RecordedRead

from .segments import ACK, FIN, PSH, RST, SYN

__all__ = ["write_pcap"]

NANOSECONDS = 0xA1B23C4D  # the magic number: times in nanoseconds
RAW_IP = 101  # the link type: a packet begins with its IP header
SNAPLEN = 1 << 18
BEGAN = 946_684_800.0  # 2000-01-01T00:00:00Z

MAX_DATA = 65_535 - 20 - 20  # an IPv4 packet without both headers
WINDOW = 65_535
# Maximum segment size, no-operation, window scale 7 (RFC 9293 §3.2, RFC 7323 §2)
SYN_OPTIONS = struct.pack("!BBHBBBB", 2, 4, MAX_DATA, 1, 3, 3, 7)

CLIENT, SERVER = 0xC0000201, 0xC6336401  # 192.0.2.1, 198.51.100.1
SERVER_PORT = 80
FIRST_PORT, PORTS = 49_152, 16_384  # the dynamic ports (RFC 6335 §6)


def write_pcap(reads: Iterable[RecordedRead], *, began: float = BEGAN) -> Iterator[bytes]:
    """Write a recording as a pcap file.

    Args:
        reads: A recording whose keys are masked (masking.py).
        began: The date at which the recording begins, in seconds since 1970, because a recording
            has no date.

    Yields: The header of the file, and then each packet after its record header.
    """
    yield struct.pack("<IHHiIII", NANOSECONDS, 2, 4, 0, 0, SNAPLEN, RAW_IP)
    origin = round(began * 1e9)
    connections: dict[int, Connection] = {}
    count = 0
    for read in reads:
        time = origin + round(read.at * 1e6)
        connection = connections.get(read.connection)
        packets = []
        if connection is None or connection.cannot_carry(read):
            connection = connections[read.connection] = Connection(count)
            count += 1
            packets += connection.handshake()
        packets += connection.carry(read)
        for packet in packets:
            seconds, nanoseconds = divmod(max(0, time), 1_000_000_000)
            size = len(packet)
            yield struct.pack("<IIII", seconds % (1 << 32), nanoseconds, size, size) + packet


@dataclass
class Side:
    """One end of a connection.

    Attributes:
        seq: Sequence number of the next byte.
        has_ended: Whether this end has sent FIN or RST.
    """

    address: int
    port: int
    seq: int
    has_ended: bool = False


@dataclass
class Connection:
    """A synthetic TCP connection.

    Args:
        number: Number of the connection in the file. It decides the client's address and port.
    """

    number: int
    was_reset: bool = False
    sides: dict[str, Side] = field(init=False)
    packets: int = 0

    def __post_init__(self) -> None:
        port = FIRST_PORT + self.number % PORTS
        address = CLIENT + self.number // PORTS
        self.sides = {
            "client": Side(address, port, 1_000_000),
            "server": Side(SERVER, SERVER_PORT, 2_000_000),
        }

    def cannot_carry(self, read: RecordedRead) -> bool:
        """Whether this sender has ended, so that TCP does not allow more bytes from it (rule 4)."""
        return bool(read.bytes) and (self.was_reset or self.sides[read.sender].has_ended)

    def handshake(self) -> list[bytes]:
        return [
            self._packet("client", SYN, options=SYN_OPTIONS),
            self._packet("server", SYN | ACK, options=SYN_OPTIONS),
            self._packet("client", ACK),
        ]

    def carry(self, read: RecordedRead) -> list[bytes]:
        """Return the packets of one read or end."""
        peer = "server" if read.sender == "client" else "client"
        packets = []
        for start in range(0, len(read.bytes), MAX_DATA):
            data = read.bytes[start : start + MAX_DATA]
            is_last = start + MAX_DATA >= len(read.bytes)
            packets.append(self._packet(read.sender, ACK | (PSH if is_last else 0), data))
        if read.bytes and not self.sides[peer].has_ended:
            packets.append(self._packet(peer, ACK))
        if read.end in ("fin", "truncated") and not self._has_ended(read.sender):
            packets.append(self._packet(read.sender, FIN | ACK))
            packets.append(self._packet(peer, ACK))
        elif read.end == "reset" and not self._has_ended(read.sender):
            packets.append(self._packet(read.sender, RST | ACK))
            self.was_reset = True
        return packets

    def _has_ended(self, sender: str) -> bool:
        ended = self.was_reset or self.sides[sender].has_ended
        self.sides[sender].has_ended = True
        return ended

    def _packet(self, sender: str, flags: int, data: bytes = b"", options: bytes = b"") -> bytes:
        source = self.sides[sender]
        target = self.sides["server" if sender == "client" else "client"]
        ack = target.seq if flags & ACK else 0
        header_size = 20 + len(options)
        addresses = struct.pack("!II", source.address, target.address)
        tcp = struct.pack(
            "!HHIIBBHHH", source.port, target.port, source.seq % (1 << 32), ack % (1 << 32),
            header_size // 4 << 4, flags, WINDOW, 0, 0,
        ) + options + data  # fmt: skip
        pseudo_header = addresses + struct.pack("!HH", 6, len(tcp))  # RFC 9293 §3.1
        tcp = tcp[:16] + struct.pack("!H", _checksum(pseudo_header + tcp)) + tcp[18:]
        ip = (
            struct.pack(
                "!BBHHHBBH", 0x45, 0, 20 + len(tcp), self.packets % (1 << 16), 0x4000, 64, 6, 0
            )
            + addresses
        )
        ip = ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:]
        self.packets += 1
        # SYN and FIN have a sequence number each.
        source.seq += len(data) + bool(flags & SYN) + bool(flags & FIN)
        return ip + tcp


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071): the complement of the sum of all 16-bit words, where each
    carry is added again. If all bytes are read as one large number, this sum is the number modulo
    2**16 - 1, which Python computes in one fast step."""
    number = int.from_bytes(data + bytes(len(data) % 2), "big")
    return 0xFFFF - number % 0xFFFF


# What this file does not do: write the real packets, which a recording does not have, or show that
# an end was a silence. In that case the capture just stops.
