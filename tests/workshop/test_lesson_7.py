"""Lesson 7's program: its README's transcript is exact but for times, which are looked at here."""

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT


def test_when_a_silent_model_stops() -> None:
    if sys.platform != "linux":
        pytest.skip("the watch asks epoll, which is Linux's")
    command = [sys.executable, "workshop/07_leaving", "--fast"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    silent, beating, reset = done.stdout.splitlines()[-3:]
    assert silent.endswith("after 2 s it is still thinking")
    for line in (beating, reset):
        assert re.search(r"stopped after \d+ ms$", line), line
