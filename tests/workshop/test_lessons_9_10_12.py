"""Lessons 9, 10 and 12 as programs: the lines they print to paste, how they stop, what they need.

What they show is in their READMEs, which test_transcripts.py replays.
"""

import re
import signal
import ssl
import subprocess
import sys
from argparse import ArgumentTypeError
from pathlib import Path

import pytest
import trio

from clients.streams.tls import HandshakeError, TLSStream, client_context
from workshop.certificate import make
from workshop.runner.exercises import load

from ..conftest import ROOT, Start, line_of, outputs
from ..interop.peers import SAFETY, need, shell
from ..streams import memory_pair
from ..terminal import terminal

HOPS, TLS, STREAMS = (
    f"workshop/{name}" for name in ("09_proxies_and_buffering", "10_tls", "12_ten_thousand_streams")
)
SERVES = ("--fast", "--port", "0")
FLAGS = {HOPS: SERVES, TLS: SERVES, STREAMS: ("--fast",)}


@pytest.mark.parametrize("lesson", FLAGS)
def test_who_has_seen_enough_may_close_the_pipe(lesson: str) -> None:
    command = " ".join([sys.executable, lesson, *FLAGS[lesson]])
    done = subprocess.run(
        ["sh", "-c", f"{command} | head -n 1"], capture_output=True, cwd=ROOT, check=False
    )
    assert done.stderr.decode() == ""
    assert done.stdout.count(b"\n") == 1


@pytest.mark.parametrize("lesson", FLAGS)
def test_ctrl_c_in_the_middle_is_quiet(lesson: str, start: Start) -> None:
    flags = [flag for flag in FLAGS[lesson] if flag != "--fast"]
    process = start("-u", lesson, *flags)
    line_of(process.stdout)
    process.send_signal(signal.SIGINT)
    code, _, error = outputs(process)
    assert (code, error) == (130, "")


@pytest.mark.parametrize("lesson", [HOPS, TLS])
def test_only_in_lesson_3_you_are_the_server(lesson: str, start: Start) -> None:
    """Of a server that is somebody else's, lesson 9 would call a hop guilty that held nothing."""
    code, _, error = outputs(start(lesson, "--client", "--once", "--port", "0"))
    assert code == 2
    assert "--client" in error.splitlines()[-1]


# ---- Lesson 9


def test_without_nginx_the_rest_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lesson = load(ROOT / HOPS / "__main__.py")
    monkeypatch.setattr(lesson, "which", lambda name: None)
    trio.run(lesson.real_ones, 0)
    assert capsys.readouterr().out == "\nnginx is not installed here: the third part is skipped\n"


def test_on_a_terminal_it_asks_first() -> None:
    with terminal(sys.executable, HOPS, "--once", *SERVES) as (screen, process):
        for hop, answer in (("2", b"2\n"), ("1", b"\n"), ("3", b"\x04")):  # Ctrl-D is one too
            assert "It is hop" not in screen.until("Which hop is it, 1, 2 or 3? ")
            screen.press(answer)
            screen.until(f"It is hop {hop}: --mode ")
        screen.until("6 events, whole")
    assert process.returncode == 0


@pytest.mark.parametrize("flags", [("--once",), ()])
def test_ctrl_c_at_the_question(flags: tuple[str, ...]) -> None:
    with terminal(sys.executable, HOPS, *flags, *SERVES) as (screen, process):
        screen.until("Which hop is it, 1, 2 or 3? ")
        screen.press(b"\x03")
        assert process.wait(SAFETY) == 130


# ---- Lesson 10


def test_the_lines_to_paste(start: Start) -> None:
    need("curl", "curl")
    need("openssl", "openssl")
    process = start(TLS, *SERVES)
    lines = []
    while (line := line_of(process.stdout)) != "Ctrl-C stops.\n":
        lines.append(line.strip())
    curl, stranger, client, records = (
        line for line in lines if line.startswith(("curl ", "printf "))
    )
    events = shell(f"{curl} 2>/dev/null")
    assert events.startswith(b"retry: 2000\n\nevent: word\nid: 1\n")
    assert events.endswith(b'event: done\nid: end\ndata: {"words":21}\n\n')
    assert shell(f"{stranger} 2>/dev/null || echo $?") == b"60\n"
    answer = shell(f"{client} 2>/dev/null")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n0\r\n\r\n")
    # Of the record of the first word, "Events": 0x2b bytes in a chunk, and 17.
    assert b"\n    17 03 03 00 %02x\n" % (len(b"2b\r\n\r\n") + 0x2B + 17) in shell(
        f"{records} 2>/dev/null"
    )
    process.send_signal(signal.SIGINT)
    assert outputs(process)[::2] == (0, "")


async def shake_hands(certificate: Path, key: Path, host: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    ours, theirs = memory_pair()
    client = TLSStream(ours, client_context(str(certificate)), server_hostname=host)
    server = TLSStream(theirs, context, server_side=True)

    async def serve() -> None:
        try:
            await server.handshake()
        except HandshakeError:
            pass  # the client will say why

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        try:
            await client.handshake()
        finally:
            ours.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
async def test_a_client_trusts_the_certificate(host: str, tmp_path: Path) -> None:
    await shake_hands(*make(tmp_path), host)


async def test_for_this_host_alone(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup) as error:
        await shake_hands(*make(tmp_path), "example.com")
    assert "it is for another name" in str(error.value.exceptions[0])


def test_a_strict_verifier_has_nothing_to_say(tmp_path: Path) -> None:
    need("openssl", "openssl")
    certificate, key = make(tmp_path)
    verify = f"openssl verify -x509_strict -purpose sslserver -CAfile {certificate} {certificate}"
    assert shell(verify) == f"{certificate}: OK\n".encode()
    assert key.stat().st_mode & 0o777 == 0o600


def test_each_key_is_new(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    assert make(first)[1].read_bytes() != make(second)[1].read_bytes()


# ---- Lesson 12


def test_what_it_says_is_so(start: Start) -> None:
    """In processor time of its own, which others on this machine do not change."""
    code, out, error = outputs(start(STREAMS, "--fast", "--streams", "500"))
    assert (code, error) == (0, "")
    (times,) = re.findall(r"([\d.]+) times as much for a task each", out)
    assert float(times) > 1
    never, yields = map(float, re.findall(r"yields.* ([\d.]+) ms", out))
    assert never > yields


def test_more_streams_than_files(start: Start) -> None:
    """What could not be foreseen: here, that most of them are taken."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))"
    taken = "taken = [open('/dev/null') for _ in range(70)]"
    run = f"import runpy; runpy.run_path({STREAMS!r}, run_name='__main__')"
    code, out, error = outputs(start("-c", f"{limit}; {taken}; {run}", "--fast", "--streams", "40"))
    assert (code, error) == (1, "")
    last = out.splitlines()[-1]
    assert last.startswith("too much for this machine: ")
    assert last.endswith("; try fewer --streams")


@pytest.mark.parametrize("number", ["0", "-1", "many", "50001", "１"])
def test_not_a_number_of_streams(number: str) -> None:
    lesson = load(ROOT / STREAMS / "__main__.py")
    with pytest.raises(ArgumentTypeError) as error:
        lesson.number_of_streams(number)
    assert str(error.value) == f"not a number of streams (1 to 50000): {number}"


def test_too_few_open_files() -> None:
    """It is told before anything is shown, with a line to paste; and that is enough."""
    lesson = f"{sys.executable} {STREAMS} --fast --streams"

    def run(shell: str, streams: int) -> tuple[int, str]:
        line = f"{shell} && {lesson} {streams}"
        done = subprocess.run(["sh", "-c", line], capture_output=True, cwd=ROOT, check=False)
        return done.returncode, done.stdout.decode() + done.stderr.decode()

    code, said = run("ulimit -n 100", 100)
    match = re.fullmatch(r"100 streams need (\d+) open files; .* are (\d+)\. (.+)\n", said)
    assert match, said
    needed, here, todo = match.groups()
    assert (code, here) == (1, "100")
    assert todo == f"Raise it, as root if need be: ulimit -n {needed}; or take fewer: --streams 40"
    assert run(f"ulimit -n {needed}", 100)[0] == 0
    assert run("ulimit -n 100", 40)[0] == 0
    assert run("ulimit -S -n 100", 100)[0] == 0  # it raises the soft limit itself
