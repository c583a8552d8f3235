"""Recordings of real programs: x-ray reads traces of curl and captures of tcpdump, and tshark reads
our captures."""

import os
import subprocess
from pathlib import Path

import pytest

from protocol.recording import RecordedRead
from workshop.xray.meter.exchange import exchanges
from workshop.xray.meter.measure import Meter
from workshop.xray.recordings.files import Recording, load
from workshop.xray.recordings.pcap import write_pcap

from .peers import RunningServer, end, need, shell, wait_until

LAST_CHUNK = b"0\r\n\r\n"


def server_bytes(reads: list[RecordedRead]) -> bytes:
    return b"".join(read.bytes for read in reads if read.sender == "server")


def curl(server: RunningServer, trace: Path, flag: str) -> bytes:
    """Send two requests on one connection. Returns all bytes of both responses, as curl read
    them."""
    need("curl", "curl")
    urls = f"{server.url}/chat/hello {server.url}/"
    return shell(f"curl -4sNi --raw {flag} {trace} --trace-time {urls}")


def second_answer_ended(capture: bytes) -> bool:
    """Whether the answer to "/" is there to its end: of the two only this one is plain text. The
    number of last chunks does not tell it, for TCP can send a packet again."""
    return LAST_CHUNK in capture.partition(b"text/plain")[2]


def test_a_trace_of_curl(chat_server: RunningServer, tmp_path: Path) -> None:
    """The recording has the bytes that curl read, in two exchanges on one connection."""
    trace = tmp_path / "trace"
    answer = curl(chat_server, trace, "--trace")
    reads = load(trace)
    assert reads.notes == []
    assert server_bytes(reads) == answer
    assert {read.connection for read in reads} == {0}
    first, second = exchanges(reads)
    for exchange, path in ((first, "/chat/hello"), (second, "/")):
        assert exchange.request.startswith(f"GET {path} HTTP/1.1\r\n".encode())
        meter = Meter(began=exchange.began)
        for read in exchange.reads:
            meter.receive_data(read.at, read.bytes)
        assert (meter.status, meter.complete) == (200, True)
    assert reads[0].url == f"{chat_server.url}/chat/hello"


def test_a_trace_of_curl_in_ascii(chat_server: RunningServer, tmp_path: Path) -> None:
    """The trace in ASCII has the same sizes, all ASCII bytes, and a note."""
    trace = tmp_path / "trace"
    answer = curl(chat_server, trace, "--trace-ascii")
    reads = load(trace)
    (note,) = reads.notes
    assert "use --trace instead" in note
    found = server_bytes(reads)
    assert len(found) == len(answer)
    differences = {(old, new) for old, new in zip(answer, found, strict=True) if old != new}
    assert {new for _, new in differences} <= {ord(".")}
    assert all(old == 0x0A or old >= 0x7F for old, _ in differences)
    assert [len(exchange.reads) > 1 for exchange in exchanges(reads)] == [True, True]


@pytest.mark.parametrize("interface", ["lo", "any"])
def test_a_capture_of_tcpdump(interface: str, chat_server: RunningServer, tmp_path: Path) -> None:
    """The capture has the same bytes as curl's trace. The interface "any" has a link type of its
    own."""
    need("tcpdump", "tcpdump")
    file, trace = tmp_path / "capture", tmp_path / "trace"
    # Capture without delay, and with a buffer that does not become full on a busy machine.
    command = ["tcpdump", "-i", interface, "-U", "--immediate-mode", "-B", "32768", "-w", str(file)]
    command += ["-Z", "root"] if os.geteuid() == 0 else []
    command += [f"tcp port {chat_server.port}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as tcpdump:
        assert tcpdump.stderr is not None
        line = b""
        while b"listening on" not in line:
            line = tcpdump.stderr.readline()
            if not line:
                pytest.skip("tcpdump may not capture here: it needs root, or CAP_NET_RAW")
        try:
            answer = curl(chat_server, trace, "--trace")
            wait_until(tcpdump, lambda: second_answer_ended(file.read_bytes()))
        finally:
            end(tcpdump)
    reads = load(file)
    assert reads.notes == []
    assert server_bytes(reads) == answer
    traced = load(trace)
    requests = [b"".join(r.bytes for r in each if r.sender == "client") for each in (reads, traced)]
    assert requests[0] == requests[1]
    assert reads[0].url == traced[0].url


@pytest.fixture
def recorded(chat_server: RunningServer, tmp_path: Path) -> Recording:
    curl(chat_server, tmp_path / "trace", "--trace")
    return load(tmp_path / "trace")


def test_tshark_finds_the_same_chunks(recorded: Recording, tmp_path: Path) -> None:
    """tshark reports no problem with checksums, sequence numbers and acknowledgements."""
    need("tshark", "tshark")
    file = tmp_path / "recording.pcap"
    file.write_bytes(b"".join(write_pcap(recorded)))
    checks = "-o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE"
    remarks = (
        "tcp.analysis.flags || tcp.checksum.status==0 || ip.checksum.status==0 || _ws.malformed"
    )
    assert shell(f"tshark -r {file} {checks} -Y '{remarks}' 2>&-") == b""
    found = shell(f"tshark -r {file} -Y http.response -T fields -e http.chunk_data 2>&-").decode()
    assert found.splitlines() == [
        ",".join(chunk.hex() for chunk in chunks(server_bytes(exchange.reads)))
        for exchange in exchanges(recorded)
    ]


def chunks(response: bytes) -> list[bytes]:
    """The chunks that our decoder finds."""
    meter = Meter()
    spans = meter.receive_data(0.0, response)
    found: dict[int, bytes] = {}
    for span in spans:
        if span.chunk and span.label not in ("chunk-size", "CRLF"):
            found[span.chunk] = found.get(span.chunk, b"") + response[span.start : span.end]
    return list(found.values())
