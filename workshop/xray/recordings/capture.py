"""Captures of tcpdump: from packets to the reads of each plain HTTP connection.

    tcpdump -i any -s 0 -w incident.pcap 'tcp port 8000'
    workshop xray incident.pcap

    d4 c3 b2 a1 02 00 04 00 …                 pcap: a header, then each packet with its time
    0a 0d 0d 0a 1c 00 00 00 4d 3c 2b 1a …     pcapng: blocks

scapy, which an extra of this project installs, parses the formats of the file, of the link layer
and of IP. segments.py puts the segments together.

The rules this file keeps:

1. A connection is kept if its client or its server speaks plain HTTP/1. Notes tell what was left
   out: TLS, HTTP/2, and of a connection that began before the capture the bytes before its next
   request.
2. A connection with missing bytes is left out. If no complete one is left, an error says which
   bytes are missing.
3. The data of one packet becomes one read. If packets arrived out of order, one read may have the
   data of several. The program may in fact have read several packets at once, but a capture shows
   only packets.
"""

import io
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import workshop
from protocol.recording import RecordedRead, RecordingError

from .segments import Flow, Segment, reassemble

__all__ = ["CaptureError", "read_capture", "read_flows", "to_reads"]

REQUEST = re.compile(rb"[A-Z]{3,20} [^\s]")
RESPONSE = re.compile(rb"HTTP/1\.[01] ")
TLS = re.compile(rb"\x16\x03")
HTTP2 = re.compile(rb"PRI \* HTTP/2")

ROOT = Path(workshop.__file__).parent.parent


def install_words() -> str:
    """How to install scapy for this Python: from the clone if this is one."""
    pip = f"{shlex.quote(sys.executable)} -m pip install"
    if not (ROOT / ".ci/locked.txt").exists():
        return f"reading a capture needs scapy: {pip} scapy"
    here = shlex.quote(str(ROOT))
    extra = shlex.quote(f"{ROOT}[pcap]")
    return f"reading a capture needs scapy: {pip} -c {here}/.ci/locked.txt -e {extra}"


class CaptureError(RecordingError):
    """The file is not a capture, or it has no connection that can be read."""


def read_capture(data: bytes) -> tuple[list[RecordedRead], list[str]]:
    """Read the plain HTTP connections of a capture.

    Args:
        data: A pcap or pcapng file.

    Returns:
        The reads of both directions in the order of their times, and notes for the user.

    Raises:
        CaptureError: scapy is not installed, the file is damaged, or no connection can be read.
    """
    flows = read_flows(data)
    chosen, left_out = [], Counter[str]()
    notes = []
    for flow in flows:
        if skipped := _skip_beginning(flow):
            notes.append(
                f"port {flow.client[1]}: the connection began before the capture, so the first "
                f"{skipped} bytes, up to the next request, are skipped"
            )
        reason = _reason(flow)
        if reason:
            left_out[reason] += 1
        else:
            chosen.append(flow)
    if not chosen:
        reasons = "; ".join(left_out) or "there is no TCP connection in it"
        raise CaptureError(reasons)
    notes += [
        f"{count} connection{'s' if count > 1 else ''} left out: {reason}"
        for reason, count in left_out.items()
    ]
    return to_reads(chosen), notes


def read_flows(data: bytes) -> list[Flow]:
    """Return all TCP connections of a capture, whatever they carry.

    Raises:
        CaptureError: scapy is not installed, or the file is damaged.
    """
    return reassemble(_segments(data))


def to_reads(flows: list[Flow]) -> list[RecordedRead]:
    """Give numbers to connections and times to reads, and sort the reads by their times."""
    timed = []
    for number, flow in enumerate(flows):
        url, latest = _url(flow), 0
        for time, read in flow.reads:
            # The clock may have been set back during the capture, but the bytes of a connection
            # keep their order.
            time = latest = max(time, latest)
            is_first = bool(read.bytes) and read.sender == "client" and bool(url)
            later = _url_of(read.bytes) if read.sender == "client" and not url else ""
            timed.append((time, number, read, url if is_first else later))
            url = "" if is_first else url
    timed.sort(key=lambda item: item[0])
    began = timed[0][0] if timed else 0
    return [
        RecordedRead(
            at=round((time - began) / 1e6, 6),
            sender=read.sender,
            bytes=read.bytes,
            end=read.end,
            connection=number,
            url=url,
        )
        for time, number, read, url in timed
    ]


def _reason(flow: Flow) -> str:
    """Return the reason why a connection is left out, or ""."""
    request, response = _first_bytes(flow, "client"), _first_bytes(flow, "server")
    if TLS.match(request) or TLS.match(response):
        return "TLS, whose plain text is not in a capture (curl --trace has it)"
    if HTTP2.match(request):
        return "HTTP/2, which x-ray does not read"
    if (request or response) and not (REQUEST.match(request) or RESPONSE.match(response)):
        if flow.is_whole:
            return "not HTTP"
        return "the connection began before the capture, and holds no further request"
    if problem := flow.problem():
        (client, client_port), (server, server_port) = flow.client, flow.server
        return f"{client} port {client_port} to {server} port {server_port}: {problem}"
    return "" if request or response else "no bytes"


def _first_bytes(flow: Flow, sender: str) -> bytes:
    return next((read.bytes for _, read in flow.reads if read.bytes and read.sender == sender), b"")


def _skip_beginning(flow: Flow) -> int:
    """Drop the rest of a message whose beginning was not captured. Returns the number of bytes.

    A client sends its next request when the response before it is complete. So everything before
    the next request belongs to what began earlier.
    """
    if flow.is_whole or not flow.reads:
        return 0
    first = next((read.bytes for _, read in flow.reads if read.bytes), b"")
    if REQUEST.match(first) or RESPONSE.match(first) or TLS.match(first) or HTTP2.match(first):
        return 0
    for number, (_, read) in enumerate(flow.reads):
        if read.sender == "client" and REQUEST.match(read.bytes):
            skipped = sum(len(other.bytes) for _, other in flow.reads[:number])
            del flow.reads[:number]
            return skipped
    return 0


def _url(flow: Flow) -> str:
    """Return the URL of the first request of a connection, or ""."""
    data = b""
    for _, read in flow.reads:
        data += read.bytes if read.sender == "client" else b""
        if b"\r\n\r\n" in data or len(data) > 1 << 16:
            break
    return _url_of(data)


def _url_of(data: bytes) -> str:
    """Return the URL of a request, or "" if these bytes are not the beginning of one."""
    target = re.match(rb"[A-Z]+ (\S+) HTTP/1", data)
    host = re.search(rb"\r\nhost:[ \t]*([^\r\n]*)", data, re.IGNORECASE)
    if target is None or host is None:
        return ""
    if not target[1].startswith(b"/"):  # absolute-form, sent to a proxy (RFC 9112 §3.2.2)
        return target[1].decode("latin-1")
    return f"http://{(host[1] + target[1]).decode('latin-1')}"


def _segments(data: bytes) -> Iterator[Segment]:
    """Parse the packets of a capture, and yield their TCP segments."""
    try:
        from scapy.error import Scapy_Exception
        from scapy.layers import l2  # noqa: F401 (Ethernet, loopback, Linux cooked: -i any)
        from scapy.layers.inet import IP, TCP, TCPerror
        from scapy.layers.inet6 import IPv6
        from scapy.utils import PcapReader
    except ModuleNotFoundError as error:
        raise CaptureError(install_words()) from error

    file: Any = io.BytesIO(data)  # scapy's types allow only file names
    try:
        with PcapReader(file) as packets:
            for packet in packets:
                tcp = packet.getlayer(TCP)
                if tcp is None or isinstance(tcp, TCPerror):
                    continue  # such as the packet that an ICMP error quotes
                ip: Any = tcp.underlayer
                while not isinstance(ip, IP | IPv6):
                    ip = ip.underlayer
                # The data of the packet, according to the length in the IP header. Bytes after it
                # are padding.
                if isinstance(ip, IP):
                    size = (ip.len or 0) - 4 * ip.ihl
                else:
                    size = (ip.plen or 0) - (len(ip.payload.original) - len(tcp.original))
                # A sending kernel may leave the length to its network card.
                size = size if size > 0 else len(tcp.original)
                header = 4 * tcp.dataofs
                yield Segment(
                    time=int(packet.time * 10**9),
                    source=(ip.src, tcp.sport),
                    target=(ip.dst, tcp.dport),
                    seq=tcp.seq,
                    ack=tcp.ack,
                    flags=int(tcp.flags),
                    data=tcp.original[header:size],
                    size=max(0, size - header),
                )
    except (Scapy_Exception, EOFError) as error:
        raise CaptureError(f"it is a damaged capture: {error}") from error


# What this file does not do: decrypt TLS, read HTTP/2, or join IP fragments.
