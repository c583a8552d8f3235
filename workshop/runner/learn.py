"""`workshop learn`: the exercises, one after the other.

    ✗ size 1 counts characters: '你' is 3 bytes
    …
    [####------]  2/5   h hint 0/3 · s bytes · n next · l list · x reset · ⏎ check · q quit

The session begins with the learner's current lesson, and checks the file whenever it is saved. It
never goes to the next lesson by itself: a half-edited file may pass by accident, so the learner
must press `n`.

There are three tasks: one waits for keys, one waits for saved files, and one runs the check. A
newer check cancels the running one. Without a terminal, each line of the input gives one letter,
and each letter is handled after the check has ended.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import trio
import watchfiles
from rich.text import Text

from ..language import N_, _
from . import checking
from .commands import (
    bar,
    check_parser,
    following,
    heading,
    next_hint,
    overview,
    run,
    say,
)
from .exercises import Lesson, leaf_errors, lessons
from .progress import HINTS, Workspace
from .verdict import exchanged_bytes, verdict

__all__ = ["main"]

POLL_SECONDS = 0.3
QUIT_MS = 200  # longest time that quitting may take
SAVED, INPUT_ENDED = "saved", "input ended"
PLAIN = N_("No terminal. Type a letter and Enter, or use: workshop check, hint, list, solution.")


class LearnSession:
    """One run of `workshop learn`.

    Args:
        workspace: The learner's folder.
        lesson: The lesson to begin with.
        timeout: Longest time of one check, in seconds.
        terminal: Whether the input is a terminal. If so, each key arrives at once, and a newer
            check cancels the running one.
    """

    def __init__(
        self, workspace: Workspace, lesson: Lesson, timeout: float, terminal: bool
    ) -> None:
        self.report = checking.CheckReport()
        self.lesson = lesson
        self._workspace = workspace
        self._timeout = timeout
        self._terminal = terminal
        self._checking = trio.CancelScope()
        self._idle = trio.Event()
        self._idle.set()
        self._text = b""  # the text of the file at the last check
        self._question: Callable[[], None] | None = None  # what to do if the answer is `y`

    async def run(self, poll: bool) -> None:
        """Run until `q` or the end of the input.

        Args:
            poll: Whether to look at the file at intervals, without waiting for events.
        """
        for lesson in lessons():
            self._workspace.exercise(lesson)
        async with trio.open_nursery() as nursery:
            send, receive = trio.open_memory_channel[str](0)
            nursery.start_soon(self._watch_keys, send)
            nursery.start_soon(self._watch_files, send, poll)
            self._nursery = nursery
            self.begin(self.lesson)
            async for event in receive:
                if not self._terminal:
                    await self._idle.wait()
                if event in ("q", INPUT_ENDED):
                    break
                self._handle(event)
            nursery.cancel_scope.cancel()

    def begin(self, lesson: Lesson) -> None:
        """Go to a lesson and check it."""
        self.lesson = lesson
        self._workspace.go_to(lesson)
        path = self._workspace.exercise(lesson)
        say([Text(), heading(lesson)])
        places = _("read  {page}\nedit  {path}", page=lesson.page, path=path)
        say([Text(places, "dim")])
        self.start_check()

    def start_check(self) -> None:
        """Check the file as it is now. A running check and an open question are cancelled."""
        self._question = None
        self._text = self._workspace.exercise(self.lesson).read_bytes()
        self._checking.cancel()
        self._checking, self._idle = trio.CancelScope(), trio.Event()
        self._nursery.start_soon(self._check, self.lesson, self._checking, self._idle)

    async def _check(self, lesson: Lesson, scope: trio.CancelScope, idle: trio.Event) -> None:
        say([Text("\n" + _("checking…"), "dim")])
        with scope:
            path = self._workspace.exercise(lesson)
            self.report = await checking.run(lesson, path, self._timeout)
            passed = self.report.failure is None
            self._workspace.checked(lesson, passed)
            say(verdict(self.report))
            if passed:
                line = self._workspace.command("solution", lesson)
                say([Text(_("n goes on. To compare with our solution: {command}", command=line))])
            self._show_keys()
        idle.set()

    def _handle(self, event: str) -> None:
        """Handle a key, or a file that was saved."""
        if event == SAVED:
            try:
                saved = self._workspace.path(self.lesson).read_bytes()
            except FileNotFoundError:
                return  # the file is missing: an editor is about to replace it
            if saved != self._text:  # an editor may write the same text twice
                self.start_check()
            return
        action, self._question = self._question, None
        match event:
            case "y" if action:
                action()
            case _ if action:
                say([Text(_("no"))])
                self._show_keys()
            case "h":
                say(next_hint(self._workspace, self.lesson))
                self._show_keys()
            case "s":
                say([Text(), *exchanged_bytes(self.report)])
                self._show_keys()
            case "l":
                say([Text(), *overview(self._workspace.read(), self.lesson)])
                self._show_keys()
            case "n":
                self._next()
            case "x":
                question = _("Start exercise {lesson} again?", lesson=self.lesson.number)
                self._ask(question, self._reset)
            case "\n":
                self.start_check()
            case _:
                self._show_keys()

    def _next(self) -> None:
        progress = self._workspace.read()
        lesson = following(self.lesson, progress)
        if lesson is None:
            say([Text("\n" + _("Every exercise passes. 🎉"), "bold green")])
        elif self.lesson.number in progress.passed:
            self.begin(lesson)
        elif lesson.number == self.lesson.number:
            say([Text("\n" + _("This is the last exercise that does not pass."))])
        else:
            number = self.lesson.number
            question = _("Exercise {lesson} does not pass yet. Go on anyway?", lesson=number)
            self._ask(question, lambda: self.begin(lesson))

    def _reset(self) -> None:
        old = self._workspace.reset(self.lesson)
        say([Text(_("your file is now {name}", name=old.name))])
        self.start_check()

    def _ask(self, question: str, action: Callable[[], None]) -> None:
        self._question = action
        say([Text(f"\n{question} y/n")])

    def _show_keys(self) -> None:
        progress = self._workspace.read()
        seen = progress.hints.get(self.lesson.number, 0)
        keys = _(
            "h hint {seen}/{all} · s bytes · n next · l list · x reset · ⏎ check · q quit",
            seen=seen,
            all=HINTS,
        )
        say([Text(), Text.assemble(bar(progress), (f"   {keys}", "dim"))])

    async def _watch_keys(self, send: trio.MemorySendChannel[str]) -> None:
        read = read_keys if self._terminal else read_letter
        while keys := await trio.to_thread.run_sync(read, abandon_on_cancel=True):
            for key in keys:
                await send.send(key)
        await send.send(INPUT_ENDED)

    async def _watch_files(self, send: trio.MemorySendChannel[str], poll: bool) -> None:
        """Report that a file may have been saved; `_handle` checks whether it has changed."""
        while poll:
            await trio.sleep(POLL_SECONDS)
            await send.send(SAVED)
        # An editor may replace a file by a new one: watch the folders, not the files.
        folders = [self._workspace.exercise(lesson).parent for lesson in lessons()]
        # After a cancellation, `awatch` returns only when its thread does: at the end of this
        # timeout.
        async for _changes in watchfiles.awatch(*folders, recursive=False, rust_timeout=QUIT_MS):
            await send.send(SAVED)


# ---- the keyboard

if sys.platform == "win32":
    import msvcrt

    def read_keys() -> str:
        return "q" if (key := msvcrt.getwch()) in "\x03\x04\x1a" else key.replace("\r", "\n")

    @contextmanager
    def single_keys() -> Iterator[None]:
        yield
else:
    import termios
    import tty

    ESCAPE = re.compile(r"\x1b(?:[\[O][0-9;]*.)?")

    def read_keys() -> str:
        """Return the keys pressed since the last call, at least one. An arrow key (b"\\x1b[A")
        becomes " "."""
        pressed = os.read(sys.stdin.fileno(), 64).decode(errors="replace")
        return ESCAPE.sub(" ", pressed).replace("\x04", "q")  # ^D

    @contextmanager
    def single_keys() -> Iterator[None]:
        """Make the terminal deliver each key at once and not echo it; ^C still works."""
        before = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin)
        try:
            yield
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def read_letter() -> str:
    """Return the first letter of the next line, or "" at the end of the input."""
    return sys.stdin.readline()[:1]


# ---- the command


def main(argv: Sequence[str] | None = None) -> int:
    """`workshop learn`. Returns 0, or 2 if the folder cannot be written."""
    about = _("The exercises, one after the other, checked when you save.")
    parser = check_parser("learn", about)
    parser.add_argument(
        "--poll",
        action="store_true",
        help=_(
            "look at the file three times a second; for systems that do not report saved files: "
            "network drives, some containers and virtual machines"
        ),
    )
    return run(parser, argv, _learn)


def _learn(workspace: Workspace, lesson: Lesson, options: argparse.Namespace) -> int:
    terminal = sys.stdin.isatty()
    session = LearnSession(workspace, lesson, options.timeout, terminal)
    try:
        if terminal:
            with single_keys():
                trio.run(session.run, options.poll)
        else:
            print(_(PLAIN), flush=True)
            trio.run(session.run, options.poll)
    except BaseExceptionGroup as group:
        raise next(leaf_errors(group)) from None
    return 0
