"""How long the chat client waits, by trio's clock: every wait has a timeout, and says so."""

import pytest
import trio
from trio.testing import MockClock

from clients.chat import APIError, ChatError, CutOffError, NoAnswerError, stream_chat
from clients.streams.memory import MemoryStream, memory_pair
from clients.streams.tcp import Connect
from protocol.openai.chat_completions import ChatRequest, RequestMessage

ASK = ChatRequest("sim-1", [RequestMessage("user", "hi")])
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def said(text: str, reason: str = "null") -> bytes:
    choice = f'{{"delta":{{"content":"{text}"}},"finish_reason":{reason}}}'
    return f'data: {{"choices":[{choice}]}}\n\n'.encode()


STOP = said("", '"stop"')
USAGE = b'data: {"choices":[],"usage":{"completion_tokens":1}}\n\n'
EMPTY = b'data: {"choices":[]}\n\n'
COMMENT = b": still here\n\n"


class Server:
    """Sends each piece so many seconds after the one before, and then repeats `then` for ever."""

    def __init__(self, *pieces: tuple[float, bytes], then: tuple[float, bytes] | None = None):
        self._pieces = pieces
        self._then = then

    def connect_in(self, nursery: trio.Nursery) -> Connect:
        """Return a function that connects to this server in memory."""

        async def connect(host: str, port: int, *, stall_seconds: float) -> MemoryStream:
            client, server = memory_pair()
            nursery.start_soon(self._answer, server)
            return client

        return connect

    async def _answer(self, server: MemoryStream) -> None:
        for seconds, piece in self._pieces:
            await trio.sleep(seconds)
            await server.send_all(piece)
        while self._then:
            await trio.sleep(self._then[0])
            await server.send_all(self._then[1])


async def ask(server: Server, *, slow: float = 0) -> tuple[str, ChatError | None, float]:
    """Return the text, the error that ended it, and the seconds it took.

    Args:
        slow: Seconds that the reader takes for each delta.
    """
    text = ""
    error: ChatError | None = None
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        try:
            connect = server.connect_in(nursery)
            async with stream_chat("http://h/v1", ASK, connect=connect) as stream:
                async for delta in stream:
                    text += delta.said
                    await trio.sleep(slow)
        except ChatError as caught:
            error = caught
        nursery.cancel_scope.cancel()
    return text, error, round(trio.current_time() - began, 6)


SILENT = "nothing came for 300 s"
WAITS = {
    "nothing at all": (Server(), "", "no answer from http://h/v1 in 300 s", 300),
    "half a head": (Server((1, STREAM[:-1])), "", "no answer from http://h/v1 in 300 s", 300),
    "a head": (Server((1, STREAM)), "", SILENT, 301),
    "comments": (Server((1, STREAM), then=(10, COMMENT)), "", SILENT, 301),
    "half an event": (Server((1, STREAM), (1, STOP[:-1])), "", SILENT, 301),
    "an event": (Server((1, STREAM + said("a"))), "a", SILENT, 301),
    "slow events": (Server((0, STREAM), *[(299, said("a"))] * 5), "aaaaa", SILENT, 6 * 299 + 1),
}


@pytest.mark.parametrize(("server", "text", "why", "seconds"), WAITS.values(), ids=WAITS)
async def test_silence(
    server: Server, text: str, why: str, seconds: float, autojump_clock: MockClock
) -> None:
    found, error, after = await ask(server)
    assert (found, str(error), after) == (text, why, seconds)
    kind = NoAnswerError if why.startswith("no answer") else CutOffError
    assert type(error) is kind


ENDS = {
    "nothing more": (Server((0, STREAM + said("a") + STOP)), "a", 2),
    "with the last word": (Server((0, STREAM + said("a", '"stop"'))), "a", 2),
    "usage": (Server((0, STREAM + STOP), (1, USAGE)), "", 3),
    "comments, later": (Server((0, STREAM + STOP), then=(1, COMMENT)), "", 2),
    "events without anything": (Server((0, STREAM + STOP), then=(1, EMPTY)), "", 2),
    "[DONE], later": (Server((0, STREAM + STOP), (1.5, b"data: [DONE]\n\n")), "", 1.5),
    "stop with each word": (
        Server((0, STREAM), *[(1.5, said("a", '"stop"'))] * 4),
        "aaaa",
        4 * 1.5 + 2,
    ),
}


@pytest.mark.parametrize(("server", "text", "seconds"), ENDS.values(), ids=ENDS)
async def test_after_the_end(
    server: Server, text: str, seconds: float, autojump_clock: MockClock
) -> None:
    """An answer is complete with its finish_reason: nobody waits long for [DONE] or a FIN."""
    assert await ask(server) == (text, None, seconds)


async def test_a_slow_reader_is_not_a_silent_server(autojump_clock: MockClock) -> None:
    """Events that came while nobody asked are delivered, however long the reader took."""
    pieces = [said("a"), said("b"), STOP, USAGE + b"data: [DONE]\n\n"]
    server = Server((0, STREAM), *((1, piece) for piece in pieces))
    text, error, _ = await ask(server, slow=1000)
    assert (text, error) == ("ab", None)


async def test_a_short_wait_for_the_body_of_an_error(autojump_clock: MockClock) -> None:
    """The message quotes what came of it. The status is known already."""
    head = b"HTTP/1.1 503 No\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\n"
    text, error, after = await ask(Server((0, head + b"full")))
    assert isinstance(error, APIError)
    assert (text, str(error), after) == ("", "full (status 503)", 5)


async def test_a_long_wait_for_a_whole_answer(autojump_clock: MockClock) -> None:
    """From a server that does not stream."""
    body = b'{"choices":[{"message":{"content":"whole"}}]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    server = Server((0, head % len(body)), (200, body))
    assert await ask(server) == ("whole", None, 200)
    text, error, after = await ask(Server((0, head % len(body) + body[:-1])))
    assert (text, str(error), after) == ("", "no answer from http://h/v1 in 300 s", 300)
