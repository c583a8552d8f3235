"""`workshop verdict -- COMMAND`: what it prints, and its exit codes."""

import errno
import json
import os
import sys
import time
from pathlib import Path

import pytest

from servers.llm.verdict.rules import RULES
from workshop.verdict import PLAN, main

# A client in a few lines: it retries once, and says at the end whether all was well.
CLIENT = """
import http.client, os, sys, time
from urllib.parse import urlsplit

url = urlsplit(os.environ["OPENAI_BASE_URL"])
key = os.environ["OPENAI_API_KEY"]
body = '{"model":"gpt","stream":true,"messages":[{"role":"user","content":"Hi"}]}'
for attempt in range(2):
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    fields = {"Authorization": "Bearer " + key}
    connection.request("POST", url.path + "/chat/completions", body, fields)
    response = connection.getresponse()
    text = response.read()
    if response.status != 503:
        break
    time.sleep(WAIT)
sys.exit(0 if response.status == 200 else 1)
"""


def command(tmp_path: Path, wait: float = 0) -> list[str]:
    program = tmp_path / "client.py"
    program.write_text(CLIENT.replace("WAIT", str(wait)))
    return [sys.executable, "-S", str(program)]


def test_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--faults", "503*1,401", "--", *command(tmp_path)]) == 1
    runs, healthy, unavailable, refused, *rest = capsys.readouterr().out.splitlines()
    assert runs.startswith("3 runs of  ")
    assert healthy == "✓  healthy answer       1 request; 1 of 1 streams read to the end"
    assert unavailable.startswith("✗  503*1                asked again after 0.0")
    assert unavailable.endswith(" s (Retry-After: 1)")
    assert refused == "✓  401                  did not ask again"
    assert rest[:2] == ["", "fail: retry-after-ignored  (503*1)"]
    assert rest[2].startswith("  seen: It asked again 0.0")
    assert rest[3:] == [
        f"  rule: {RULES['retry-after-ignored'].rule}",
        f"  cure: {RULES['retry-after-ignored'].cure}",
    ]


def test_a_healthy_client_in_one_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--faults", "503*1,401,comments", "--", *command(tmp_path, 1.05)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) + len(PLAN) - 3 <= 24
    assert lines[4] == "✓  comments             read to the end"
    assert lines[6] == "healthy: it met 3 faults in 5 requests, and broke no rule."
    assert "--exit-code-tells" in lines[8]


def test_the_exit_code_of_the_command_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with 0 although half of the answer is missing."""
    flags = ("--json", "--exit-code-tells", "--faults", "clean-cut@5,404", "--")
    assert main([*flags, *command(tmp_path)]) == 1
    out, shown = capsys.readouterr()
    assert "✗  clean-cut@5" in shown
    verdict = json.loads(out)
    assert verdict["verdict"] == "fail"
    assert [each["code"] for each in verdict["findings"]] == ["took-half-for-whole"]
    assert [each["exit_code"] for each in verdict["rounds"]] == [0, 0, 1]
    assert verdict["findings"][0]["facts"] == {"events": 4}


def test_a_warning_does_not_count_if_only_failures_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--faults", "502*1", "--")
    assert main([*flags, *command(tmp_path)]) == 1
    assert main(["--min-grade", "fail", *flags, *command(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "warn: gave-up-on-retryable  (502*1)" in out
    assert "healthy: it met 1 faults in 2 requests, and broke no rule of grade fail." in out


def test_a_command_that_asks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--", "sh", "-c", "echo I do nothing"]) == 2
    assert capsys.readouterr().out.splitlines()[1:] == [
        "?  healthy answer       no request came",
        "It asked nothing. Does it use OPENAI_BASE_URL?",
        "I do nothing",
    ]


def test_a_command_that_does_not_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is killed, and what it has started, too."""
    began = time.monotonic()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as pipe:
        # The child holds the pipe open for as long as it lives.
        assert main(["--timeout", "0.2", "--", "sh", "-c", f"sleep 50 >{fifo} & sleep 50"]) == 2
        assert "no request came; stopped after 0.2 s" in capsys.readouterr().out
        # A kill is answered at once and done a little later: the end of the pipe tells when.
        os.set_blocking(pipe.fileno(), True)
        assert pipe.read(1) == b""
    assert time.monotonic() - began < 40


def test_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--", "no-such-program"]) == 2
    missing = os.strerror(errno.ENOENT)
    assert capsys.readouterr().err == f"cannot run no-such-program: {missing}\n"
    for arguments, message in (
        (["pytest"], ": pytest\n"),
        ([], "what to run? For example: workshop verdict -- python app.py"),
        (["--faults", "rts", "--", "x"], "no such fault: 'rts'. Did you mean 'rst'?"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert message in capsys.readouterr().err
