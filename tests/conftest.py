"""Programs of this project as processes, and what of them the tests need."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

Process = subprocess.Popen[str]
Start = Callable[..., Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `python ARGUMENTS…` in the clone, with pipes; killed if the test leaves it running.

    SIGINT is set back to its default: a shell starts what is put behind `&` with it ignored.
    """
    with ExitStack() as processes:

        def start(*arguments: str) -> Process:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": "", "NO_COLOR": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                bufsize=0,
            )
            processes.enter_context(process)
            processes.callback(process.kill)
            return process

        yield start
