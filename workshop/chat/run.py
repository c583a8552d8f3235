"""Shows an answer on the screen. Ctrl-C stops the answer, and so the server's work for it."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import trio
from rich.console import Console

from .answer import Answer, ChatAPI, Conversation, ask
from .prompt import no_echo
from .screen import PipeView, RawView, TerminalView

__all__ = ["answer_now"]

FRAME = 0.05  # seconds from one repaint to the next, however many tokens arrive


def answer_now(
    console: Console,
    api: ChatAPI,
    conversation: Conversation,
    question: str,
    *,
    raw: bool = False,
    keep_thinking: bool = False,
) -> Answer:
    """Ask, show the answer while it arrives, and add it to the conversation.

    Args:
        console: The terminal.
        api: The API to ask.
        conversation: The messages so far.
        question: The next message.
        raw: Whether to show the bytes on the connection.
        keep_thinking: Whether to leave the thinking on the screen, above the answer.

    Raises:
        BrokenPipeError: The reader of our output has closed the pipe.
    """
    request = conversation.request(question, api.include_usage)

    async def on_terminal(stop: trio.CancelScope) -> Answer:
        changed = trio.Event()

        async def paint() -> None:
            nonlocal changed
            while True:
                await changed.wait()
                changed = trio.Event()
                view.paint()
                await trio.sleep(FRAME)

        async with trio.open_nursery() as nursery:
            with TerminalView(console, keep_thinking, lambda: changed.set()) as view:
                nursery.start_soon(paint)
                answer = await ask(api, request, view, stop)
                nursery.cancel_scope.cancel()
        return answer

    async def on_pipe(stop: trio.CancelScope) -> Answer:
        view = PipeView(to_terminal=console.is_terminal)
        answer = await ask(api, request, view, stop)
        view.end()
        return answer

    async def as_bytes(stop: trio.CancelScope) -> Answer:
        answer = await ask(api, request, PipeView(shows=False), stop, RawView(console))
        if console.is_terminal:
            with TerminalView(console, keep_thinking) as view:
                view.text(answer.text)
        return answer

    show = on_pipe if not console.is_terminal or console.is_dumb_terminal else on_terminal
    with no_echo():
        answer = trio.run(_stoppable, as_bytes if raw else show)
    conversation.add(question, answer.text)
    return answer


async def _stoppable(show: Callable[[trio.CancelScope], Awaitable[Answer]]) -> Answer:
    """Run `show` with a scope that Ctrl-C cancels. The rest of the run is quick, so nobody needs a
    second Ctrl-C."""
    stop = trio.CancelScope()
    pipe_closed: BrokenPipeError | None = None

    async def stop_on_signal(signals: AsyncIterator[int]) -> None:
        async for _ in signals:
            stop.cancel()

    with trio.open_signal_receiver(signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop_on_signal, signals)
            try:
                answer = await show(stop)
            except BrokenPipeError as error:
                pipe_closed = error
            nursery.cancel_scope.cancel()
    if pipe_closed is not None:
        raise pipe_closed
    return answer
