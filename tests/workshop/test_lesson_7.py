"""Lesson 7's program: its README shows its output, and this file looks at the times in it."""

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT


def test_a_heartbeat_or_an_rst_stops_a_silent_model() -> None:
    if sys.platform != "linux":
        pytest.skip("the server asks epoll, which only Linux has")
    command = [sys.executable, "workshop/07_leaving", "--fast"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    silent, heartbeat, reset = done.stdout.splitlines()[-3:]
    assert silent.endswith("after 2 s it is still thinking")
    for line in (heartbeat, reset):
        assert re.search(r"stopped after \d+ ms$", line), line
