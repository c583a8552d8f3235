"""An answer on the screen, and Ctrl-C: it stops the answer, and with it the server's work."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import trio
from rich.console import Console

from .answer import Answer, Conversation, Place, ask
from .prompt import no_echo
from .screen import Pipe, Terminal, Wire

__all__ = ["answer_now"]

FRAME = 0.05  # seconds: so long a picture stands, however many tokens come


def answer_now(
    console: Console,
    place: Place,
    conversation: Conversation,
    question: str,
    *,
    raw: bool = False,
    keep_thinking: bool = False,
) -> Answer:
    """Ask, and show the answer while it comes. The conversation has it afterwards.

    Args:
        raw: show the wire.
        keep_thinking: leave it on the screen, above the answer.

    Raises:
        BrokenPipeError: whoever reads our output has left.
    """
    request = conversation.request(question, place.count)

    async def on_terminal(stop: trio.CancelScope) -> Answer:
        changed = trio.Event()

        async def paint() -> None:
            nonlocal changed
            while True:
                await changed.wait()
                changed = trio.Event()
                screen.paint()
                await trio.sleep(FRAME)

        async with trio.open_nursery() as nursery:
            with Terminal(console, keep_thinking, lambda: changed.set()) as screen:
                nursery.start_soon(paint)
                answer = await ask(place, request, screen, stop)
                nursery.cancel_scope.cancel()
        return answer

    async def on_pipe(stop: trio.CancelScope) -> Answer:
        screen = Pipe(to_terminal=console.is_terminal)
        answer = await ask(place, request, screen, stop)
        screen.end()
        return answer

    async def on_wire(stop: trio.CancelScope) -> Answer:
        answer = await ask(place, request, Pipe(shows=False), stop, Wire(console))
        if console.is_terminal:
            with Terminal(console, keep_thinking) as screen:
                screen.text(answer.text)
        return answer

    show = on_pipe if not console.is_terminal or console.is_dumb_terminal else on_terminal
    with no_echo():
        answer = trio.run(_stoppable, on_wire if raw else show)
    conversation.add(question, answer.text)
    return answer


async def _stoppable(show: Callable[[trio.CancelScope], Awaitable[Answer]]) -> Answer:
    """Run with a scope that the first Ctrl-C cancels. There is no second: what follows is quick."""
    stop = trio.CancelScope()
    reader_left: BrokenPipeError | None = None

    async def obey(signals: AsyncIterator[int]) -> None:
        async for _ in signals:
            stop.cancel()

    with trio.open_signal_receiver(signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(obey, signals)
            try:
                answer = await show(stop)
            except BrokenPipeError as error:
                reader_left = error
            nursery.cancel_scope.cancel()
    if reader_left is not None:
        raise reader_left
    return answer
