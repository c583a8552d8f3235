"""Lesson 8's program: the numbers that it prints for buffers, queues and readers."""

import re
import subprocess
import sys

from tests.conftest import ROOT


def shown() -> str:
    command = [sys.executable, "workshop/08_back_pressure", "--fast"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_only_the_queue_without_a_limit_grows() -> None:
    output = shown()
    taken = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) bytes", output)]
    by_default, with_small_buffers = taken
    assert by_default > 100_000
    assert 1000 < with_small_buffers < by_default / 4

    rows = re.findall(r"\+\d s  made +(\d+)  read +(\d+)  waiting +(\d+)", output)
    made, read, waiting = zip(*(map(int, row) for row in rows), strict=True)
    unlimited, limited = slice(0, 3), slice(3, 6)
    assert max(waiting[limited]) == 5
    assert min(waiting[limited]) >= 4
    first, second, third = waiting[unlimited]
    assert first < second < third
    assert third > 200
    assert max(made[limited]) < 50 < max(made[unlimited])
    assert read[unlimited][-1] in range(28, 32)
    assert read[limited][-1] in range(28, 32)


def test_with_a_task_for_each_reader_the_fast_one_does_not_wait() -> None:
    fast = re.findall(r"the fast reader has all after (\d\.\d) s", shown())
    slow = re.findall(r"the slow reader has all after (\d\.\d) s", shown())
    assert fast == ["1.9", "0.1"]
    assert slow == ["2.1", "2.0"]
