"""Captures with every link type that tcpdump writes, and the connections that are left out of a
capture."""

import builtins
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from protocol.recording import RecordedRead
from workshop.xray.recordings.pcap import write_pcap

pytest.importorskip("scapy")

from scapy.layers.inet import ICMP, IP, TCP, UDP, TCPerror
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1Q, Ether, Loopback
from scapy.packet import Packet, Padding, Raw
from scapy.utils import PcapNgWriter, PcapWriter

from workshop.xray.recordings import capture
from workshop.xray.recordings.capture import CaptureError, read_capture

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n\r\nhello"
EXPECTED = [
    RecordedRead(0.0, "client", GET, url="http://h/a"),
    RecordedRead(250.0, "server", OK),
    RecordedRead(500.0, "server", end="fin"),
]
# With both addresses: scapy would ask the network for one that it does not know.
ETHERNET = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
IPV4 = IP(src="10.0.0.1", dst="10.0.0.2"), IP(src="10.0.0.2", dst="10.0.0.1")
IPV6 = IPv6(src="fd00::1", dst="fd00::2"), IPv6(src="fd00::2", dst="fd00::1")


def conversation(ips: tuple[Packet, Packet] = IPV4, request: bytes = GET) -> list[Packet]:
    """Handshake, request, response, FIN."""
    there, back = ips
    ports: dict[str, Any] = {"sport": 50_000, "dport": 8000}
    reverse: dict[str, Any] = {"sport": 8000, "dport": 50_000}
    packets = [
        there / TCP(**ports, seq=100, flags="S"),
        back / TCP(**reverse, seq=900, ack=101, flags="SA"),
        there / TCP(**ports, seq=101, ack=901, flags="PA") / Raw(request),
        back / TCP(**reverse, seq=901, ack=101 + len(request), flags="PA") / Raw(OK),
        back / TCP(**reverse, seq=901 + len(OK), ack=101 + len(request), flags="FA"),
    ]
    for packet, time in zip(packets, (99.999, 99.9995, 100, 100.25, 100.5), strict=True):
        packet.time = time
    return packets


def wrapped(outer: Packet, packets: list[Packet]) -> list[Packet]:
    found = []
    for packet in packets:
        found.append(outer / packet)
        found[-1].time = packet.time
    return found


def captured(packets: Sequence[Packet], link: int) -> bytes:
    file = io.BytesIO()
    file.close = lambda: None  # type: ignore[method-assign]
    with PcapWriter(file, linktype=link) as pcap:
        for packet in packets:
            pcap.write(packet)
    return file.getvalue()


@pytest.mark.parametrize("ips", [IPV4, IPV6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(
    ("outer", "link"),
    [
        (ETHERNET, 1),
        (ETHERNET / Dot1Q(vlan=7), 1),
        (Loopback(), 0),
        (CookedLinux(), 113),
        (CookedLinuxV2(), 276),
        (None, 101),
    ],
    ids=["Ethernet", "VLAN", "loopback", "cooked", "cooked, version 2", "raw"],
)
def test_a_link_type(outer: Packet | None, link: int, ips: tuple[Packet, Packet]) -> None:
    packets = conversation(ips)
    packets = packets if outer is None else wrapped(outer, packets)
    assert read_capture(captured(packets, link)) == (EXPECTED, [])


def test_pcapng(tmp_path: Path) -> None:
    file = tmp_path / "capture"
    with PcapNgWriter(str(file)) as pcap:
        for packet in wrapped(ETHERNET, conversation()):
            pcap.write(packet)
    data = file.read_bytes()
    assert data.startswith(bytes.fromhex("0a0d0d0a"))
    assert read_capture(data) == (EXPECTED, [])


def test_a_header_between_ipv6_and_tcp() -> None:
    ips = (IPV6[0] / IPv6ExtHdrDestOpt(), IPV6[1] / IPv6ExtHdrDestOpt())
    assert read_capture(captured(conversation(ips), 101)) == (EXPECTED, [])


def test_the_padding_of_a_short_frame_is_not_data() -> None:
    packets = [ETHERNET / packet / Padding(b"\0" * 9) for packet in conversation()]
    for packet, other in zip(packets, conversation(), strict=True):
        packet.time = other.time
    assert read_capture(captured(packets, 1)) == (EXPECTED, [])


def test_a_length_that_the_card_fills_in() -> None:
    """A large packet that is captured before it is divided has the length 0."""
    packets = conversation()
    packets[3].len = 0
    assert read_capture(captured(packets, 101)) == (EXPECTED, [])


def test_a_clock_that_is_set_back() -> None:
    """The bytes keep their order."""
    packets = conversation()
    packets[3].time = 50
    reads, _ = read_capture(captured(packets, 101))
    assert [(read.at, read.bytes) for read in reads] == [(0.0, GET), (0.0, OK), (500.0, b"")]


def test_other_packets_are_passed_over() -> None:
    packets = conversation()
    quoted = IPV4[1] / ICMP(type=3) / IP(src="10.0.0.1", dst="10.0.0.2") / TCPerror(dport=8000)
    udp = IPV4[0] / UDP(dport=53) / Raw(b"x")
    quoted.time = udp.time = 100
    assert read_capture(captured([*packets[:2], udp, quoted, *packets[2:]], 101)) == (EXPECTED, [])


def test_a_request_with_an_absolute_target() -> None:
    request = b"GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n"
    reads, _ = read_capture(captured(conversation(request=request), 101))
    assert reads[0].url == "http://h/a"


def test_a_request_without_a_host() -> None:
    reads, _ = read_capture(captured(conversation(request=b"GET /a HTTP/1.0\r\n\r\n"), 101))
    assert reads[0].url == ""


@pytest.mark.parametrize(
    ("request_bytes", "reason"),
    [
        (
            b"\x16\x03\x01\x02\x00",
            "TLS, whose plain text is not in a capture (curl --trace has it)",
        ),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2, which x-ray does not read"),
    ],
)
def test_a_connection_that_is_left_out(request_bytes: bytes, reason: str) -> None:
    """A skipped connection gives a note if there are others, and an error if it is the only one."""
    packets = conversation(request=request_bytes)
    with pytest.raises(CaptureError) as raised:
        read_capture(captured(packets, 101))
    assert str(raised.value) == reason
    others = conversation((IP(src="10.0.0.3", dst="10.0.0.2"), IP(src="10.0.0.2", dst="10.0.0.3")))
    assert read_capture(captured([*packets, *others], 101)) == (
        EXPECTED,
        [f"1 connection left out: {reason}"],
    )


LOST = "are missing in the capture: packets were dropped (use tcpdump -B 16384, and a filter)"


def answer_only(data: bytes) -> list[Packet]:
    """A capture that begins in the middle of a connection."""
    packet = IPV4[1] / TCP(sport=8000, dport=50_000, seq=5, flags="PA") / Raw(data)
    packet.time = 1
    return [packet]


@pytest.mark.parametrize(
    ("packets", "reason"),
    [
        ([], "there is no TCP connection in it"),
        (conversation()[:2], "no bytes"),
        (
            answer_only(b"in the middle"),
            "the connection began before the capture, and holds no further request",
        ),
        (
            [*conversation()[:2], *conversation()[4:]],
            f"10.0.0.1 port 50000 to 10.0.0.2 port 8000: bytes 0 to 27 of the client {LOST}",
        ),
        (
            [*conversation()[:3], *conversation()[4:]],
            f"10.0.0.1 port 50000 to 10.0.0.2 port 8000: bytes 0 to 23 of the server {LOST}",
        ),
    ],
)
def test_nothing_to_read(packets: list[Packet], reason: str) -> None:
    with pytest.raises(CaptureError) as raised:
        read_capture(captured(packets, 101))
    assert str(raised.value) == reason


def test_what_is_not_http() -> None:
    reads = [RecordedRead(0.0, "client", b"\x00\x01"), RecordedRead(1.0, "server", b"\x02")]
    with pytest.raises(CaptureError) as raised:
        read_capture(b"".join(write_pcap(reads)))
    assert str(raised.value) == "not HTTP"


def test_a_capture_of_the_first_bytes_of_packets() -> None:
    """tcpdump -s 60"""
    packets = captured(conversation(), 101)
    cut = bytearray(packets[:24])
    place = 24
    while place < len(packets):
        size = int.from_bytes(packets[place + 8 : place + 12], "little")
        kept = min(size, 60)
        cut += packets[place : place + 8] + kept.to_bytes(4, "little")
        cut += packets[place + 12 : place + 16 + kept]
        place += 16 + size
    with pytest.raises(CaptureError) as raised:
        read_capture(bytes(cut))
    assert str(raised.value) == (
        "10.0.0.1 port 50000 to 10.0.0.2 port 8000: "
        "packets of the client were cut when they were captured: use tcpdump -s 0"
    )


def test_without_scapy(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def fail(name: str, *arguments: Any) -> Any:
        if name.startswith("scapy"):
            raise ModuleNotFoundError(name)
        return load(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(CaptureError) as raised:
        read_capture(b"")
    root = capture.ROOT
    pip = f"reading a capture needs scapy: {sys.executable} -m pip install"
    assert str(raised.value) == f"{pip} -c {root}/.ci/locked.txt -e '{root}[pcap]'"
    monkeypatch.setattr(capture, "ROOT", Path("/nowhere"))
    assert capture.install_words() == f"{pip} scapy"


def test_a_capture_that_begins_in_mid_connection() -> None:
    """The rest of the first answer is skipped, and the next two requests have their URLs."""
    there, back = IPV4
    ports: dict[str, Any] = {"sport": 50_000, "dport": 8000}
    reverse: dict[str, Any] = {"sport": 8000, "dport": 50_000}
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    rest, other = b"5\r\nhello\r\n0\r\n\r\n", GET.replace(b"/a", b"/b")
    sent, came = 100, 900
    packets = []
    for data in (rest, GET, reply, other, reply):
        if data in (GET, other):
            packets.append(there / TCP(**ports, seq=sent, ack=came, flags="PA") / Raw(data))
            sent += len(data)
        else:
            packets.append(back / TCP(**reverse, seq=came, ack=sent, flags="PA") / Raw(data))
            came += len(data)
        packets[-1].time = len(packets)
    reads, notes = read_capture(captured(packets, 101))
    assert [(read.bytes, read.url) for read in reads] == [
        (GET, "http://h/a"),
        (reply, ""),
        (other, "http://h/b"),
        (reply, ""),
    ]
    (note,) = notes
    assert note == (
        "port 50000: the connection began before the capture, so the first "
        f"{len(rest)} bytes, up to the next request, are skipped"
    )
