"""Lessons 9, 10 and 12 as programs: their lines to paste, how they stop, what they need.

Their READMEs show their output, and test_transcripts.py replays it.
"""

import re
import signal
import subprocess
import sys
from argparse import ArgumentTypeError

import pytest
import trio

from workshop.runner.exercises import load

from ..conftest import ROOT, Start, line_of, outputs
from ..interop.peers import SAFETY, need, shell
from ..terminal import terminal

HOPS, TLS, STREAMS = (
    f"workshop/{name}" for name in ("09_proxies_and_buffering", "10_tls", "12_ten_thousand_streams")
)
SERVES = ("--fast", "--port", "0")
FLAGS = {HOPS: SERVES, TLS: SERVES, STREAMS: ("--fast",)}


@pytest.mark.parametrize("lesson", FLAGS)
def test_a_reader_may_close_the_pipe_early(lesson: str) -> None:
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
def test_client_flag_belongs_to_lesson_3_only(lesson: str, start: Start) -> None:
    """With another server, lesson 9 would name a faulty hop although no hop held an event."""
    code, _, error = outputs(start(lesson, "--client", "--once", "--port", "0"))
    assert code == 2
    assert "--client" in error.splitlines()[-1]


# ---- Lesson 9


def test_without_nginx_it_skips_the_third_part(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lesson = load(ROOT / HOPS / "__main__.py")
    monkeypatch.setattr(lesson, "which", lambda name: None)
    trio.run(lesson.real_ones, 0)
    assert capsys.readouterr().out == "\nnginx is not installed here: the third part is skipped\n"


def test_on_a_terminal_it_asks_first() -> None:
    with terminal(sys.executable, HOPS, "--once", *SERVES) as (screen, process):
        for hop, answer in (("2", b"2\n"), ("1", b"\n"), ("3", b"\x04")):  # Ctrl-D answers too
            assert "It is hop" not in screen.until("Which hop is it, 1, 2 or 3? ")
            screen.press(answer)
            screen.until(f"It is hop {hop}: --mode ")
        screen.until("6 events, complete")
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
    # The header of the first word's record ("Events"): a chunk of 0x2b bytes, and 17 bytes more.
    assert b"\n    17 03 03 00 %02x\n" % (len(b"2b\r\n\r\n") + 0x2B + 17) in shell(
        f"{records} 2>/dev/null"
    )
    process.send_signal(signal.SIGINT)
    assert outputs(process)[::2] == (0, "")


# ---- Lesson 12


def test_measured_differences_have_the_right_sign(start: Start) -> None:
    """It measures its own CPU time, which other processes do not change."""
    code, out, error = outputs(start(STREAMS, "--fast", "--streams", "500"))
    assert (code, error) == (0, "")
    (times,) = re.findall(r"([\d.]+) times as much for a task each", out)
    assert float(times) > 1
    never, yields = map(float, re.findall(r"yields.* ([\d.]+) ms", out))
    assert never > yields


def test_the_split_of_a_token_is_what_the_lesson_says(start: Start) -> None:
    """Each part is measured again, and is within a range: machines differ, and so does their load.
    What matters is the order of magnitude, and that the parts are the whole."""
    code, out, error = outputs(start(STREAMS, "--split", "--fast", "--streams", "400"))
    assert (code, error) == (0, "")
    lines = re.findall(r"^ +(\w+) +(-?[\d.]+) µs", out, re.MULTILINE)
    parts = {name: float(value) for name, value in lines}
    together = parts.pop("together")
    assert sum(parts.values()) == pytest.approx(together, abs=0.05)
    text = (ROOT / STREAMS / "README.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"we measured ([^:]+): ([\d.]+) to ([\d.]+) µs together", text)
    named = re.findall(r"([\d.]+)\sto\s([\d.]+)(?: µs)? for (?:the )?(\w+)", said[0])
    shown = {name: (float(low), float(high)) for low, high, name in named}
    assert shown.keys() == parts.keys()
    lows, highs = (sum(ends) for ends in zip(*shown.values(), strict=True))
    assert lows <= float(said[1]) <= float(said[2]) <= highs
    for name in ("kernel", "call", "JSON", "framing"):  # the others depend on the load most
        low, high = shown[name]
        assert low / 4 < parts[name] < high * 6, (name, parts)


def test_more_streams_than_files(start: Start) -> None:
    """A failure that the check at the start cannot foresee: most files are already taken."""
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
    """It says so before it shows anything, with a command that is enough to mend it."""
    lesson = f"{sys.executable} {STREAMS} --fast --streams"

    def run(shell: str, streams: int) -> tuple[int, str]:
        line = f"{shell} && {lesson} {streams}"
        done = subprocess.run(["sh", "-c", line], capture_output=True, cwd=ROOT, check=False)
        return done.returncode, done.stdout.decode() + done.stderr.decode()

    code, said = run("ulimit -n 100", 100)
    match = re.fullmatch(r"100 streams need (\d+) open files, .* allows (\d+)\. (.+)\n", said)
    assert match, said
    needed, here, todo = match.groups()
    assert (code, here) == (1, "100")
    assert todo == f"Raise the limit (perhaps as root): ulimit -n {needed}; or use --streams 40"
    assert run(f"ulimit -n {needed}", 100)[0] == 0
    assert run("ulimit -n 100", 40)[0] == 0
    assert run("ulimit -S -n 100", 100)[0] == 0  # it raises the soft limit itself
