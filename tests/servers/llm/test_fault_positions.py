"""How a fault is asked for, where it is injected, how often, and what remains afterwards."""

import sys
from collections.abc import AsyncGenerator
from itertools import repeat

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from protocol.chunked import ChunkedDecoder
from protocol.sse import EventStreamParser
from servers.http.reply import EventStream, Last, Reply, Request, StreamingReply
from servers.http.routes import Routes
from servers.llm.engine import Engine
from servers.llm.faults import FAULTS, Fault, Faults, parse
from servers.llm.faults.injection import FaultPosition, PositionUnit
from servers.llm.writers.token_source import TokenSource

from ...streams import receive_all
from ..driving import CHUNKED, connected, get, head
from .asking import Written
from .test_faults import BODIES, EVENTS, FIN, HEAD, KEPT, A, B, C, D, E, pieces, received_with

SPECS = {
    "fin": Fault("fin"),
    " RST ": Fault("rst"),
    "rst@5": Fault("rst", FaultPosition(PositionUnit.EVENT, 5)),
    "rst@event 5": Fault("rst", FaultPosition(PositionUnit.EVENT, 5)),
    "rst@event5": Fault("rst", FaultPosition(PositionUnit.EVENT, 5)),
    "rst@event=5": Fault("rst", FaultPosition(PositionUnit.EVENT, 5)),
    "rst@byte 200": Fault("rst", FaultPosition(PositionUnit.BYTE, 200)),
    "rst@byte200": Fault("rst", FaultPosition(PositionUnit.BYTE, 200)),
    "rst@1.5": Fault("rst", FaultPosition(PositionUnit.SECOND, 1.5)),
    "rst@1.5s": Fault("rst", FaultPosition(PositionUnit.SECOND, 1.5)),
    "rst@2s": Fault("rst", FaultPosition(PositionUnit.SECOND, 2)),
    "rst@0s": Fault("rst", FaultPosition(PositionUnit.SECOND, 0)),
    "rst@last": Fault("rst", FaultPosition(PositionUnit.LAST)),
    "429*2": Fault("429", None, 2),
    "rst*1@5": Fault("rst", FaultPosition(PositionUnit.EVENT, 5), 1),
    "rst@9*3": Fault("rst", FaultPosition(PositionUnit.EVENT, 9), 3),
    "rst@byte 200*3": Fault("rst", FaultPosition(PositionUnit.BYTE, 200), 3),
    "rst @ event=9 * 3": Fault("rst", FaultPosition(PositionUnit.EVENT, 9), 3),
    "rst@1.5s*999999": Fault("rst", FaultPosition(PositionUnit.SECOND, 1.5), 999_999),
}

NO_POSITION = "Say @5 or @event 5, @byte 200, @1.5s or @last; events and bytes count from 1"
NO_TIMES = "Say fin*2 for the first 2 requests, up to *999999, or fin for all"
NO_SPECS = {
    "": f"no such fault: ''. GET /faults lists all {len(FAULTS)}",
    "*2": f"no such fault: ''. GET /faults lists all {len(FAULTS)}",
    "fin 2": f"no such fault: 'fin 2'. Did you mean 'fin'? GET /faults lists all {len(FAULTS)}",
    "fin=0.1": "'fin=0.1' has a rate, which only the server's flag --fault takes. "
    "Say fin, or fin*2 for the first 2 requests",
    "fin@": f"no such position: ''. {NO_POSITION}",
    "fin@9@3": "more than one position: 'fin@9@3'. Say one, as in fin@5",
    "fin*9*3": "more than one number: 'fin*9*3'. Say one, as in fin*2",
    "fin*x": f"not a number of requests: 'x'. {NO_TIMES}",
    "fin@5*": f"not a number of requests: ''. {NO_TIMES}",
    "fin*0": f"not a number of requests: '0'. {NO_TIMES}",
    "fin*1000000": f"not a number of requests: '1000000'. {NO_TIMES}",
    "429*2@5": "the fault '429' takes no position: say it without @5",
    "rst-mid-chnk": f"no such fault: 'rst-mid-chnk'. Did you mean 'rst-mid-chunk'? "
    f"GET /faults lists all {len(FAULTS)}",
    "xyz": f"no such fault: 'xyz'. GET /faults lists all {len(FAULTS)}",
    "fin@0": f"no such position: '0'. {NO_POSITION}",
    "fin@byte": f"no such position: 'byte'. {NO_POSITION}",
    "fin@٣": f"no such position: '٣'. {NO_POSITION}",
    "fin@-1s": f"no such position: '-1s'. {NO_POSITION}",
    "429@2": "the fault '429' takes no position: say it without @2",
    "no-done@2": "the fault 'no-done' takes no position: say it without @2",
}


@pytest.mark.parametrize("spec", SPECS)
def test_parse(spec: str) -> None:
    assert parse(spec) == SPECS[spec]


@pytest.mark.parametrize("spec", NO_SPECS)
def test_parse_refuses(spec: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        parse(spec)
    assert str(caught.value) == NO_SPECS[spec]


@settings(deadline=None)
@given(st.text() | st.from_regex(r"fin[*@ a-z0-9.]*", fullmatch=True))
def test_parse_any_text(spec: str) -> None:
    """A fault or a ValueError, never anything else."""
    try:
        assert parse(spec).name in FAULTS
    except ValueError:
        pass


# ---- Where it is injected

END = b"0\r\n\r\n"
# Events 1 to 5 have 17, 17, 19, 17 and 14 bytes, so the second begins at byte 18.
POSITIONS = {
    "fin@1": (b"", FIN),
    "fin@2": (A, FIN),
    "fin@5": (A + B + C + D, FIN),
    "fin@last": (A + B + C + D, FIN),
    "fin@6": (A + B + C + D, FIN),
    "fin@byte 1000": (A + B + C + D + E, FIN),
    "fin@9s": (A + B + C + D, FIN),
    "fin@byte 1": (b"", FIN),
    "fin@byte 2": (b"1\r\nd\r\n", FIN),
    "fin@byte 17": (b'10\r\ndata: {"t":"a"}\n\r\n', FIN),
    "fin@byte 18": (A, FIN),
    "fin@byte 19": (A + b"1\r\nd\r\n", FIN),
    "fin-mid-event@1": (b'8\r\ndata: {"\r\n', FIN),
    "fin-mid-event@byte 24": (A + b"6\r\ndata: \r\n", FIN),
    "fin-mid-chunk@byte 24": (A + b"11\r\ndata: ", FIN),
    "fin-mid-chunk@byte 18": (A + b"11\r\n", FIN),
    "clean-cut@byte 24": (A + b"6\r\ndata: \r\n" + END, KEPT),
    "duplicate@last": (A + B + C + D + E + E + END, KEPT),
    "duplicate@byte 31": (
        A + b'd\r\ndata: {"t":"b\r\n' + b'4\r\n"}\n\n\r\n' * 2 + C + D + E + END,
        KEPT,
    ),
    "crlf@byte 83": (
        A + B + C + D + b"c\r\ndata: [DONE]\r\n" + b"4\r\n\r\n\r\n\r\n" + END,
        KEPT,
    ),
}


@pytest.mark.parametrize("spec", POSITIONS)
async def test_position(spec: str, autojump_clock: MockClock) -> None:
    body, end = POSITIONS[spec]
    assert await received_with(parse(spec), EventStream(pieces())) == (HEAD + body, end)


async def slow() -> AsyncGenerator[bytes | Last, None]:
    """An event every 10 seconds, the first at once."""
    for event in EVENTS[:4]:
        yield event
        await trio.sleep(10)
    yield Last(EVENTS[4])


# The bytes by the second at which they came. The first heartbeat would come after 15 seconds.
TIMES = {
    # Faults that need no event are injected even while the model is silent.
    "fin@12s": ({0: HEAD + A, 10: B}, 12),
    "rst@0s": ({0: HEAD}, 0),
    "stall@12s": ({0: HEAD + A, 10: B}, 12 + 3600),
    # The others are injected at the next event.
    "duplicate@12s": ({0: HEAD + A, 10: B, 20: C + C, 30: D, 40: E + END}, 40),
    "fin-mid-chunk@12s": ({0: HEAD + A, 10: B, 20: b'13\r\ndata: {"t'}, 20),
    # Before the FIN after an error, the server gives the client a moment to read it.
    "error-string@12s": ({0: HEAD + A, 10: B, 20: BODIES["error-string"][0][len(A + B) :]}, 20.3),
}


@pytest.mark.parametrize("spec", TIMES)
async def test_time(spec: str, autojump_clock: MockClock) -> None:
    """A position in seconds."""

    async def stream(request: Request) -> Reply | StreamingReply:
        return parse(spec).apply(EventStream(slow()))

    came: dict[float, bytes] = {}
    async with connected(Routes({"GET /": stream})) as memory:
        start = trio.current_time()
        await memory.client.send_all(get("/", "Connection: close"))
        try:
            while data := await memory.client.receive_some():
                now = round(trio.current_time() - start, 3)
                came[now] = came.get(now, b"") + data
        except trio.BrokenResourceError:
            assert spec == "rst@0s"
        end = round(trio.current_time() - start, 3)
    expected, expected_end = TIMES[spec]
    close = b"Connection: close\r\n\r\n"
    came[0] = came[0].replace(close, b"\r\n", 1)
    assert (came, end) == (expected, expected_end)


# At any position, a reader that follows the standards reads the same events.
HARMLESS = ["split-utf8-chunks", "split-utf8-segments", "cr", "crlf", "drip"]


@settings(deadline=None)
@given(st.sampled_from(HARMLESS), st.integers(1, 100), st.sampled_from(["event", "byte"]))
def test_harmless_faults_change_no_event(name: str, number: int, unit: str) -> None:
    async def stream(request: Request) -> Reply | StreamingReply:
        return parse(f"{name}@{unit} {number}").apply(EventStream(pieces()))

    async def ask() -> bytes:
        async with connected(Routes({"GET /": stream})) as memory:
            await memory.client.send_all(get("/", "Connection: close"))
            return await receive_all(memory.client)

    answer = trio.run(ask, clock=MockClock(autojump_threshold=0))
    decoder, parser = ChunkedDecoder(), EventStreamParser()
    body = b"".join(decoder.receive_data(answer.partition(b"\r\n\r\n")[2]))
    decoder.receive_eof()
    assert [event.data for event in parser.receive_data(body)] == [
        event.decode().removeprefix("data: ").rstrip("\n") for event in EVENTS
    ]


# ---- Which replies

JSON = Reply(b'{"text":"hello"}', 200, "application/json", (("x-request-id", "req_1"),))
JSON_TYPE = b"Content-Type: application/json\r\n"
JSON_HEAD = head(200, JSON_TYPE, b"x-request-id: req_1\r\n", CHUNKED)
WHOLE = b'10\r\n{"text":"hello"}\r\n'

ON_JSON = {
    "fin": (JSON_HEAD, FIN),
    "fin-mid-event": (JSON_HEAD + b'8\r\n{"text":\r\n', FIN),
    "fin-mid-chunk@byte 3": (JSON_HEAD + b'10\r\n{"', FIN),
    "no-last-chunk": (JSON_HEAD + WHOLE, FIN),
    "after-end": (JSON_HEAD + WHOLE + END + b"data: too late\n\n", KEPT),
    "no-head": (b"", FIN),
    "length-and-chunked": (
        JSON_HEAD.removesuffix(b"\r\n") + b"Content-Length: 5\r\n\r\n" + WHOLE + END,
        KEPT,
    ),
}


@pytest.mark.parametrize("spec", ON_JSON)
async def test_faults_of_a_json_reply(spec: str, autojump_clock: MockClock) -> None:
    """A reply that does not stream is sent as one chunk, which counts as its only event."""
    assert await received_with(parse(spec), JSON) == ON_JSON[spec]


@pytest.mark.parametrize("name", [name for name in FAULTS if FAULTS[name].needs_events])
def test_a_fault_that_needs_events_refuses_json(name: str) -> None:
    message = f"the fault '{name}' needs an event stream: set stream to true"
    with pytest.raises(ValueError, match=message):
        parse(name).apply(JSON)


@pytest.mark.parametrize("name", FAULTS)
def test_an_error_reply_stays_as_it_is(name: str) -> None:
    """It says what is wrong with the request, and a fault must not hide that."""
    error = Reply("404 Not Found", 404)
    assert parse(name).apply(error) is error


def test_the_healthy_reply_stays_healthy() -> None:
    reply = EventStream(pieces())
    source = reply.source
    for name in FAULTS:
        parse(name).apply(reply)
    assert reply.source is source
    assert reply.edit_head(b"head") == b"head"


# An event of the Responses API has its type in an `event` line.
TYPED = b'event: response.created\ndata: {"type":"response.created","sequence_number":0}\n\n'
MESSAGE = '"message":"The model failed: a simulated fault."'
TYPED_ERRORS = {
    "error-nested": '"error":{' + MESSAGE + ',"type":"server_error","param":null,'
    '"code":"simulated"}',
    "error-flat": '"code":"simulated",' + MESSAGE + ',"param":null',
    "error-string": '"error":"The model failed: a simulated fault."',
}


@pytest.mark.parametrize("name", TYPED_ERRORS)
async def test_errors_of_the_responses_api(name: str, autojump_clock: MockClock) -> None:
    """Such an error has its type in an `event` line and in its data, and a sequence number."""

    async def typed() -> AsyncGenerator[bytes | Last, None]:
        yield TYPED
        yield Last(TYPED)

    start = 'event: error\ndata: {"type":"error","sequence_number":1,'
    event = f"{start}{TYPED_ERRORS[name]}}}\n\n".encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(data), data) for data in (TYPED, event))
    assert await received_with(parse(name), EventStream(typed())) == (HEAD + chunks, FIN)


# ---- How often


def outcomes(faults: Faults, spec: str, *keys: str) -> list[int]:
    taken = [faults.take(spec, key) for key in keys]
    return [fault.apply(Reply()).status if fault else 200 for fault in taken]


def test_every_time() -> None:
    assert outcomes(Faults(), "429", *"aaaa") == [429] * 4


def test_the_first_two_times() -> None:
    """Each key is counted alone. After its success, counting starts again."""
    assert outcomes(Faults(), "429*2", *"aaaaaa") == [429, 429, 200] * 2
    assert outcomes(Faults(), "429*2", *"ababab") == [429] * 4 + [200] * 2


def test_each_fault_is_counted_alone() -> None:
    faults = Faults()
    assert outcomes(faults, "429*1", "a") == [429]
    assert outcomes(faults, "503*1", "a") == [503]
    assert outcomes(faults, "429*1", "a") == [200]


def test_the_oldest_count_is_evicted() -> None:
    faults = Faults(max_keys=2)
    assert outcomes(faults, "429*1", *"abc") == [429] * 3
    assert outcomes(faults, "429*1", *"cb") == [200] * 2
    assert outcomes(faults, "429*1", "a") == [429]


def test_a_count_keeps_no_reference_to_client_data() -> None:
    """Up to ten thousand counts are kept, so they must not hold long strings that clients sent."""
    faults = Faults()
    key, spec = "k" * 60_000, "rst*9@event" + " " * 80 + "5"
    references = sys.getrefcount(key), sys.getrefcount(spec)
    assert faults.take(spec, key) == parse("rst*9@event 5")
    assert (sys.getrefcount(key), sys.getrefcount(spec)) == references


def test_a_spec_has_a_limit() -> None:
    message = "^not a fault: it has more than 100 characters$"
    assert parse("rst@event" + "=" * 90 + "5") == parse("rst@5")
    for spec in ("rst@event" + "=" * 91 + "5", "x" * 60_000):
        with pytest.raises(ValueError, match=message):
            parse(spec)


def test_which_faults_replace_the_answer() -> None:
    assert {name for name in FAULTS if parse(name).replaces} == {
        *(name for name in FAULTS if name.isdigit()),
        *("json-200", "html-200", "no-head", "hang"),
    }


# ---- What remains afterwards


@pytest.mark.parametrize("name", ["stall", "half-chunk", "stall-heartbeat", "drip", "hang"])
async def test_a_client_disconnects_while_a_fault_holds(
    name: str, autojump_clock: MockClock
) -> None:
    """Neither a task nor a sequence in the engine remains."""
    engine = Engine()

    async def stream(request: Request) -> Reply | StreamingReply:
        source = TokenSource(engine, Written(EVENTS[:4], EVENTS[4]), repeat(0.01), 0.01)
        return parse(name).apply(EventStream(source))

    async with connected(Routes({"GET /": stream}, tasks=[engine.run])) as memory:
        await memory.client.send_all(get())
        await trio.sleep(2.5)
        assert engine.running == (0 if name == "hang" else 1)
        memory.connection.client_disconnected()
        await memory.done.wait()
        assert engine.running == engine.waiting == 0


@pytest.mark.parametrize("name", ["clean-cut", "error-nested", "fin", "no-last-chunk", "cr"])
async def test_a_fault_that_ends_an_answer_cancels_its_sequence(
    name: str, autojump_clock: MockClock
) -> None:
    """The engine no longer runs it. The bytes are the same as from any other source."""
    engine = Engine()

    async def stream(request: Request) -> Reply | StreamingReply:
        source = TokenSource(engine, Written(EVENTS[:4], EVENTS[4]), repeat(0.01), 0.01)
        return parse(name).apply(EventStream(source))

    async with connected(Routes({"GET /": stream}, tasks=[engine.run])) as memory:
        await memory.client.send_all(get())
        await memory.client.send_eof()
        assert await receive_all(memory.client) == HEAD + BODIES[name][0]
        assert engine.running == 0
