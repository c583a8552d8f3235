"""The table of a tap in a real terminal, with Ctrl-C."""

import sys

from ...terminal import terminal

PROGRAM = """
import sys, trio
from rich.console import Console
from workshop.xray.tap.tap import TapOptions, listen
options = TapOptions(to="http://127.0.0.1:9", host="127.0.0.1", top=True)
sys.exit(trio.run(listen, options, Console()))
"""


def test_the_table_until_ctrl_c() -> None:
    """The table uses the alternate screen. Ctrl-C restores the normal screen, with a summary on
    it."""
    with terminal(sys.executable, "-c", PROGRAM) as (screen, process):
        assert "\x1b[?1049h" in screen.until("0 running")
        screen.press(b"\x03")
        screen.until("\x1b[?1049l")
        shown = screen.until(" in ")
        assert "0 still running, 0 finished\r\n0 tokens, 0 B" in shown
        assert "Traceback" not in shown
        process.wait(60)
    assert process.returncode == 130
