"""A recording becomes packets, and packets become the same recording."""

import struct

import pytest
from hypothesis import given, settings

from protocol.recording import RecordedRead
from workshop.xray.recordings.pcap import FIRST_PORT, MAX_DATA, write_pcap
from workshop.xray.recordings.segments import ACK, FIN, PSH, RST, SYN

from .recordings import recordings

pytest.importorskip("scapy")

from workshop.xray.recordings.capture import read_capture, read_flows, to_reads

GET = RecordedRead(0.0, "client", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", url="http://a/")
OK = RecordedRead(1.5, "server", b"HTTP/1.1 200 OK\r\n\r\n")


def packets(reads: list[RecordedRead]) -> list[bytes]:
    """Each packet, from its IP header on."""
    _, *records = write_pcap(reads)
    for record in records:
        assert struct.unpack("<II", record[8:16]) == (len(record) - 16,) * 2
    return [record[16:] for record in records]


def words(data: bytes) -> int:
    """The sum of 16-bit words with carries (RFC 1071), one by one."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + bytes(len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


def flags(packet: bytes) -> int:
    return packet[33]


def data_of(packet: bytes) -> bytes:
    return packet[20 + (packet[32] >> 4) * 4 :]


def test_the_bytes_of_a_file() -> None:
    """Header, handshake, one packet for each read with its acknowledgement, FIN."""
    header, *records = write_pcap([GET, OK, RecordedRead(2.0, "server", end="fin")])
    assert header.hex() == "4d3cb2a10200040000000000000000000000040065000000"
    shown = [(flags(record[16:]), data_of(record[16:])) for record in records]
    assert shown == [
        (SYN, b""),
        (SYN | ACK, b""),
        (ACK, b""),
        (ACK | PSH, GET.bytes),
        (ACK, b""),
        (ACK | PSH, OK.bytes),
        (ACK, b""),
        (FIN | ACK, b""),
        (ACK, b""),
    ]
    numbers = [struct.unpack("!II", record[16 + 24 : 16 + 32]) for record in records[1:]]
    client, server = 1_000_001 + len(GET.bytes), 2_000_001 + len(OK.bytes)
    assert numbers[-4:] == [
        (server - len(OK.bytes), client),
        (client, server),
        (server, client),
        (client, server + 1),
    ]
    times = [struct.unpack("<II", record[:8]) for record in records]
    assert times[0] == times[4] == (946_684_800, 0)
    assert times[5] == (946_684_800, 1_500_000)
    assert times[7] == (946_684_800, 2_000_000)


@given(recordings)
@settings(max_examples=30)
def test_checksums_are_right(reads: list[RecordedRead]) -> None:
    """The sum over all words, including the checksum, is -0."""
    for packet in packets(reads):
        assert words(packet[:20]) == 0xFFFF
        assert (
            words(packet[12:20] + struct.pack("!HH", 6, len(packet) - 20) + packet[20:]) == 0xFFFF
        )


@given(recordings)
@settings(max_examples=60, deadline=None)
def test_a_capture_of_a_recording_is_that_recording(reads: list[RecordedRead]) -> None:
    """Each read comes back with its time, direction and connection, even if its bytes are
    random."""
    found = to_reads(read_flows(b"".join(write_pcap(reads))))
    numbers = list(dict.fromkeys(read.connection for read in reads))
    ends = {"fin": "fin", "truncated": "fin", "reset": "reset"}
    expected = [
        (read.sender, numbers.index(read.connection), read.bytes, ends.get(read.end, ""))
        for read in reads
        if read.end != "silent"
    ]
    # Two reads at the same time on different connections may change their order.
    shown = [(read.sender, read.connection, read.bytes, read.end) for read in found]
    assert sorted(shown) == sorted(expected)
    for number in range(len(numbers)):
        mine = [read for read in shown if read[1] == number]
        assert mine == [read for read in expected if read[1] == number]
    if reads and found:
        began = found[0].at - next(read.at for read in reads if read.end != "silent")
        times = sorted(read.at for read in reads if read.end != "silent")
        for old, new in zip(times, found, strict=True):
            assert abs(new.at - began - old) <= 0.001


def test_a_large_read_is_divided() -> None:
    large = RecordedRead(1.0, "server", bytes(range(256)) * 700)
    parts = [packet for packet in packets([GET, large]) if data_of(packet)]
    assert [len(data_of(part)) for part in parts] == [
        len(GET.bytes),
        MAX_DATA,
        MAX_DATA,
        256 * 700 - 2 * MAX_DATA,
    ]
    assert [flags(part) & PSH for part in parts] == [PSH, 0, 0, PSH]
    assert read_capture(b"".join(write_pcap([GET, large])))[0] == [GET, large]


@pytest.mark.parametrize("end", ["fin", "reset"])
def test_bytes_after_an_end_are_another_connection(end: str) -> None:
    """An edited recording can have such times."""
    reads = [GET, RecordedRead(1.0, "server", end="fin" if end == "fin" else "reset"), OK]
    connections = [
        (read.connection, read.bytes, read.end)
        for read in to_reads(read_flows(b"".join(write_pcap(reads))))
    ]
    assert connections == [(0, GET.bytes, ""), (0, b"", end), (1, OK.bytes, "")]


def test_an_end_is_written_once() -> None:
    end = RecordedRead(2.0, "server", end="fin")
    assert packets([GET, end, end]) == packets([GET, end])
    client = RecordedRead(3.0, "client", end="reset")
    assert flags(packets([GET, end, client])[-1]) == RST | ACK


def test_many_connections_have_many_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """When no port is left, the next address is used, where all ports are free."""
    monkeypatch.setattr("workshop.xray.recordings.pcap.PORTS", 2)
    reads = [RecordedRead(0.0, "client", b"x", connection=number) for number in range(3)]
    found = [(packet[12:16], packet[20:22]) for packet in packets(reads) if data_of(packet)]
    one, two = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
    first, second = struct.pack("!H", FIRST_PORT), struct.pack("!H", FIRST_PORT + 1)
    assert found == [(one, first), (one, second), (two, first)]
