"""How an answer looks while it arrives: on a terminal, on a pipe, and as bytes.

    TerminalView    Markdown that grows, with dimmed thinking above it
    PipeView        the text and nothing else, each piece at once
    RawView         the bytes sent and received, before they are interpreted
"""

import io
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from clients.streams.tls import TLSParameters
from clients.tap import WireObserver
from protocol.secret import redact

from ..language import _
from ..runner.verdict import visible
from .markdown import Blocks, Lines, escape

__all__ = ["PipeView", "RawView", "TerminalView"]

DIM = "dim italic"


def line_ends() -> io.IncrementalNewlineDecoder:
    """Turn CR LF and CR into LF, the line endings of CommonMark (§2.1). A CR at the end of a piece
    waits for the next piece, which may begin with its LF."""
    return io.IncrementalNewlineDecoder(None, translate=True)


class PipeView:
    """Writes the text unchanged and flushes each piece, so that the reader of the pipe can show it
    at once.

    Args:
        to_terminal: Whether the output is a terminal (one that cannot move the cursor), so that
            control characters must be escaped.
        shows: Whether to write anything at all.
    """

    def __init__(self, to_terminal: bool = False, shows: bool = True) -> None:
        self._to_terminal = to_terminal
        self._lines = line_ends()
        self._shows = shows
        self._in_line = False

    def thinking(self, piece: str) -> None:
        pass

    def text(self, piece: str) -> None:
        if self._shows:
            if self._to_terminal:
                piece = escape(self._lines.decode(piece))
            sys.stdout.write(piece)
            sys.stdout.flush()
            self._in_line = not piece.endswith("\n") if piece else self._in_line

    def end(self) -> None:
        """Write a line end, if the text does not end with one."""
        if self._in_line:
            print(flush=True)


class TerminalView(AbstractContextManager["TerminalView"]):
    """Prints final blocks, which scroll away, and redraws the growing tail below them.

    Args:
        console: The terminal.
        keep_thinking: Whether to leave the thinking on the screen, above the answer.
        changed: A function called when there is something to `paint`.
    """

    def __init__(
        self, console: Console, keep_thinking: bool, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._console = console
        self._changed = changed
        self._keep_thinking = keep_thinking
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._thought = ""
        self._thought_lines, self._text_lines = line_ends(), line_ends()
        self._blocks = Blocks()
        self._final: list[str] = []
        self._printed = False  # there is text above, so the next block needs a blank line before it

    def __enter__(self) -> "TerminalView":
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Print the unfinished tail as it is."""
        self._final.append(self._blocks.tail)
        self._end_thinking()
        self._print_final()
        self._live.stop()

    def thinking(self, piece: str) -> None:
        self._thought += escape(self._thought_lines.decode(piece))
        self._changed()

    def text(self, piece: str) -> None:
        self._final += self._blocks.feed(escape(self._text_lines.decode(piece)))
        self._changed()

    def paint(self) -> None:
        """Update the screen."""
        height, width = max(self._console.height - 2, 1), self._console.width
        tail = self._blocks.tail_end(height, width)
        if tail.strip() or self._final:
            self._end_thinking()
            self._print_final()
            space = [Text()] if self._printed else []
            self._live.update(Group(*space, Lines(tail, height)), refresh=True)
        elif self._thought:
            end = self._thought[-height * width // 2 :]
            lines = Text(end, DIM).wrap(self._console, width)[-height:]
            self._live.update(Text("\n").join(lines), refresh=True)

    def _end_thinking(self) -> None:
        if self._thought.strip() and self._keep_thinking:
            self._console.print(Text(self._thought.strip(), DIM))
            self._printed = True
        self._thought = ""

    def _print_final(self) -> None:
        final, self._final = self._final, []
        self._live.update(Text(), refresh=bool(final))
        for block in final:
            if block.strip():
                if self._printed:
                    self._console.print()
                self._console.print(Lines(block))
                self._printed = True


class RawView(WireObserver):
    """Prints the bytes on the connection, with visible line ends and redacted keys."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.perf_counter()

    def secured(self, parameters: TLSParameters) -> None:
        agreed = f"{parameters.version} {parameters.cipher} {parameters.protocol}"
        self._print(f"TLS       {agreed} · {parameters.subject}", "cyan")

    def sent(self, layer: str, data: bytes) -> None:
        self._show(layer, ">", data, "dim")

    def received(self, layer: str, data: bytes) -> None:
        self._show(layer, "<", data, "none")

    def _show(self, layer: str, direction: str, data: bytes, style: str) -> None:
        if layer != "http":
            return
        now = time.perf_counter() - self._began
        line = _(
            "+{now:6.3f} s  {direction} {size} bytes", now=now, direction=direction, size=len(data)
        )
        self._print(line, "cyan")
        for line in visible(data).replace("␊", "␊\n").removesuffix("\n").split("\n"):
            self._print(f"  {line}", style)

    def _print(self, text: str, style: str) -> None:
        self._console.print(Text(redact(escape(text)), style), soft_wrap=True)
