"""Family sse: the event stream as HTML §9.2 defines it, and what its readers need besides.

    Content-Type: text/event-stream          sse.content-type
    id: 7                                    sse.ids-differ, sse.resumes
    data: {"text":"Hi"}                      sse.no-lost-lines, sse.one-value-an-event
                                             sse.last-event-ends

All but three cases judge the one answer that all cases share.
"""

import json
import re
from itertools import pairwise

from ..answer import Answer
from ..case import CUSTOM, MUST, Failed, Skipped, case
from ..reading import Block, Line, Reading, read
from ..target import SHARED_SECONDS, Target

ENCODER = "protocol/sse.py: def encode_event"
HEADERS = 'servers/http/reply.py: ("Cache-Control", "no-cache, no-transform")'
PARSER = "protocol/sse.py: def _take_line"

FIELDS = {"data", "event", "id", "retry"}
HEARTBEAT_SECONDS = 20.0  # "every 15 seconds or so"


async def _read(target: Target) -> tuple[Answer, Reading]:
    answer = await target.event_stream()
    return answer, read(answer)


def _line(say: str, answer: Answer, reading: Reading, line: Line) -> Failed:
    return Failed(say, answer, at=reading.raw(line.at))


def _field_at(answer: Answer, name: bytes) -> int:
    """Where a field of the head is; 0, the head's start, if there is none."""
    at = answer.raw.lower().find(b"\r\n" + name + b":")
    return at + 2 if at >= 0 else 0


def _is_json(text: str) -> bool:
    if text[:1] not in tuple('{["'):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


# ---- The head


@case(
    "sse.content-type",
    MUST,
    "HTML §9.2.3",
    "If res's status is not 200, or if res's `Content-Type` is not `text/event-stream`, then fail"
    " the connection.",
    code='servers/http/reply.py: content_type="text/event-stream; charset=utf-8"',
    lesson=4,
    cause="The framework's default type was sent. Set Content-Type: text/event-stream.",
)
async def content_type(target: Target) -> None:
    answer = await target.success()
    essence = answer.field("content-type").partition(";")[0].strip().lower()
    if essence != "text/event-stream":
        sent = answer.field("content-type") or "none"
        at = _field_at(answer, b"content-type")
        raise Failed(f"The Content-Type is not text/event-stream, but {sent}.", answer, at=at)


@case(
    "sse.status-200",
    MUST,
    "HTML §9.2.3",
    "If res's status is not 200, or if res's `Content-Type` is not `text/event-stream`, then fail"
    " the connection.",
    code="servers/http/reply.py: class EventStream",
    lesson=4,
    cause="Another status of success is a failure to EventSource. Send 200.",
)
async def status_200(target: Target) -> None:
    answer = await target.answer()
    if answer.status != 200 and 200 <= answer.status < 300 and answer.is_event_stream:
        raise Failed(f"An event stream has the status {answer.status}, not 200.", answer)
    await target.event_stream()


@case(
    "sse.no-transform",
    CUSTOM,
    "RFC 9110 §7.7",
    "A proxy MUST NOT transform the content of a response message that contains a no-transform"
    " cache directive. Without it, a hop may compress the stream and hold it back.",
    code=HEADERS,
    lesson=9,
    cause="Send Cache-Control: no-cache, no-transform.",
    warns=True,
)
async def no_transform(target: Target) -> None:
    answer = await target.event_stream()
    if "no-transform" not in answer.field("cache-control").lower():
        at = _field_at(answer, b"cache-control")
        raise Failed("The Cache-Control lets a hop transform the stream.", answer, at=at)


@case(
    "sse.accel-buffering",
    CUSTOM,
    "nginx: X-Accel-Buffering",
    "nginx and hops like it buffer a response unless its head has `X-Accel-Buffering: no`.",
    code='servers/http/reply.py: ("X-Accel-Buffering", "no")',
    lesson=9,
    cause="Send X-Accel-Buffering: no.",
    warns=True,
)
async def accel_buffering(target: Target) -> None:
    answer = await target.event_stream()
    if answer.field("x-accel-buffering").strip().lower() != "no":
        say = "The head does not ask hops such as nginx to stop their buffering."
        raise Failed(say, answer, at=_field_at(answer, b"x-accel-buffering"))


@case(
    "sse.accept",
    CUSTOM,
    "HTML §9.2.2",
    "User agents may set (`Accept`, `text/event-stream`) in request's header list. So a server that"
    " streams to any client must stream to this one.",
    code="servers/http/reply.py: class EventStream",
    lesson=4,
    cause="The server refuses this type of Accept, or answers it with another type.",
)
async def accept(target: Target) -> None:
    await target.event_stream()
    answer = await target.shared(target.request(headers=[("Accept", "text/event-stream")]))
    if answer.status in (429, 503) or not answer.status:
        raise Skipped(f"the second request got status {answer.status}")
    if answer.status != 200 or not answer.is_event_stream:
        say = "A request with Accept: text/event-stream does not get the event stream."
        raise Failed(say, answer)


# ---- Lines


@case(
    "sse.last-event-ends",
    MUST,
    "HTML §9.2.6",
    "If the file ends in the middle of an event, before the final empty line, the incomplete event"
    " is not dispatched.",
    code=ENCODER,
    lesson=4,
    cause="The blank line after the last event is missing. End each event with two line ends.",
)
async def last_event_ends(target: Target) -> None:
    answer, reading = await _read(target)
    lost = [line for line in reading.unfinished if line.name or not line.value.startswith(":")]
    if lost and answer.complete:
        raise _line("The last event has no blank line: it is lost.", answer, reading, lost[0])


@case(
    "sse.one-value-an-event",
    CUSTOM,
    "HTML §9.2.6",
    "If the line is empty (a blank line), dispatch the event. Several data lines without a blank"
    " line between them are one event.",
    code=ENCODER,
    lesson=4,
    cause="Each event ends with one line end in place of two. Write `data: …` and then two.",
)
async def one_value_an_event(target: Target) -> None:
    answer, reading = await _read(target)
    blocks = [*reading.blocks, Block(0, reading.unfinished, None)]
    for block in blocks:
        values = [line for line in block.lines if line.name == "data"]
        if len(values) > 1 and all(_is_json(line.value) for line in values[:2]):
            say = f"{len(values)} JSON values are the data of one event: no blank line is between."
            raise _line(say, answer, reading, values[1])


@case(
    "sse.no-lost-lines",
    CUSTOM,
    "HTML §9.2.6",
    "Otherwise: The field is ignored. So a line that is neither a field nor a comment is lost.",
    code=ENCODER,
    lesson=4,
    cause="A text with a line end was written behind one `data:`. Write a `data:` for each line,"
    " or put the text into JSON. An error needs its `data:`, too.",
)
async def no_lost_lines(target: Target) -> None:
    answer, reading = await _read(target)
    for line in reading.lines:
        if line.name and line.name not in FIELDS:
            whole = line.name + (":" + line.value if line.value else "")
            if not line.value or line.name[0] in '{["' or " " in line.name:
                say = f"A line is not a field, so every reader ignores it: {whole[:60]!r}."
                raise _line(say, answer, reading, line)


@case(
    "sse.known-fields",
    CUSTOM,
    "HTML §9.2.6",
    "The fields are event, data, id and retry. Any other field is ignored.",
    code=PARSER,
    lesson=4,
    cause="Readers ignore this field. Put its value into the data.",
    warns=True,
)
async def known_fields(target: Target) -> None:
    answer, reading = await _read(target)
    for line in reading.lines:
        if line.name not in FIELDS | {""} and re.fullmatch(r"[\w-]+", line.name) and line.value:
            say = f"Readers do not know the field {line.name[:60]!r}."
            raise _line(say, answer, reading, line)


@case(
    "sse.lf-lines",
    CUSTOM,
    "HTML §9.2.5",
    "end-of-line = ( cr lf / cr / lf ). Some readers split lines at LF only, so a bare CR hides"
    " the events from them.",
    code=ENCODER,
    lesson=4,
    cause="End lines with LF.",
    warns=True,
)
async def lf_lines(target: Target) -> None:
    answer, reading = await _read(target)
    if b"\r" in reading.line_ends:
        at = re.search(rb"\r(?!\n)", reading.body)
        raise Failed("A line ends in a bare CR.", answer, at=reading.raw(at.start() if at else 0))


@case(
    "sse.no-bom",
    CUSTOM,
    "HTML §9.2.5",
    "stream = [ bom ] *event: a byte order mark is allowed, but several clients lose the first"
    " event after it.",
    code=ENCODER,
    lesson=4,
    cause="Encode as UTF-8 without a byte order mark (in Python: utf-8, not utf-8-sig).",
    warns=True,
)
async def no_bom(target: Target) -> None:
    answer, reading = await _read(target)
    if reading.bom:
        raise Failed("The stream begins with a byte order mark.", answer, at=reading.raw(0))


@case(
    "sse.retry-digits",
    CUSTOM,
    "HTML §9.2.6",
    "If the field value consists of only ASCII digits, then interpret the field value as an integer"
    " in base ten. Otherwise, ignore the field.",
    code=PARSER,
    lesson=11,
    cause="Write the reconnection time in whole milliseconds: `retry: 3000`.",
)
async def retry_digits(target: Target) -> None:
    answer, reading = await _read(target)
    for line in reading.lines:
        if line.name == "retry" and not re.fullmatch(r"[0-9]+", line.value):
            say = f"A reader ignores this reconnection time: {line.value[:40]!r}."
            raise _line(say, answer, reading, line)


@case(
    "sse.no-block-without-data",
    CUSTOM,
    "HTML §9.2.6",
    "If the data buffer is an empty string, set the data buffer and the event type buffer to the"
    " empty string and return. So no event is dispatched; the official OpenAI clients fail then.",
    code="protocol/sse.py: def encode_comment",
    lesson=4,
    cause="Send a heartbeat as a comment line, and retry in the block of an event.",
    warns=True,
)
async def no_block_without_data(target: Target) -> None:
    answer, reading = await _read(target)
    for block in reading.blocks:
        names = {line.name for line in block.lines}
        # A block with only an id is a legal way to set the last event ID.
        if "data" not in names and names & {"event", "retry"}:
            name = "event" if "event" in names else "retry"
            say = f"A block has a field {name} but no data: no event is dispatched."
            raise _line(say, answer, reading, block.lines[0])


@case(
    "sse.heartbeat",
    CUSTOM,
    "HTML §9.2.7",
    "Authors can include a comment line (one starting with a ':' character) every 15 seconds or"
    " so.",
    code="servers/http/body.py: heartbeat: A piece to send",
    lesson=9,
    cause="Hops close a connection that is silent for a minute. Send a comment in each silence.",
    warns=True,
)
async def heartbeat(target: Target) -> None:
    answer = await target.event_stream()
    if not answer.complete and not answer.end:
        answer = await target.shared(target.request())
    times = [one.at / 1000 for one in answer.reads]
    if not answer.complete and not answer.end:
        times.append(SHARED_SECONDS)  # it was given up then
    longest = max((after - before for before, after in pairwise(times)), default=0.0)
    if answer.end == "silent" or longest > HEARTBEAT_SECONDS:
        raise Failed(f"The stream was silent for {longest:.0f} s, without a comment.", answer)
    if longest < 10:
        raise Skipped("the stream was never silent for long")


# ---- IDs


@case(
    "sse.id-without-null",
    CUSTOM,
    "HTML §9.2.6",
    "If the field value does not contain U+0000 NULL, then set the last event ID buffer to the"
    " field value. Otherwise, ignore the field.",
    code="protocol/sse.py: def encode_event",
    lesson=11,
    cause="Leave U+0000 out of the id.",
)
async def id_without_null(target: Target) -> None:
    answer, reading = await _read(target)
    for line in reading.lines:
        if line.name == "id" and "\0" in line.value:
            raise _line("A reader ignores an id with U+0000.", answer, reading, line)


@case(
    "sse.ids-differ",
    CUSTOM,
    "HTML §9.2.4",
    "The `Last-Event-ID` request header reports the last event's ID to the server. Two events with"
    " one id cannot be told apart.",
    code="servers/llm/writers/named_events.py: ID = re.compile",
    lesson=11,
    cause="Count the events, and put the count into the id.",
    warns=True,
)
async def ids_differ(target: Target) -> None:
    answer, reading = await _read(target)
    seen: set[str] = set()
    for block in reading.blocks:
        for line in block.lines:
            if line.name == "id" and block.event is not None and line.value:
                if line.value in seen:
                    say = f"Two events have the id {line.value[:60]!r}."
                    raise _line(say, answer, reading, line)
                seen.add(line.value)
    if not seen:
        raise Skipped("the events have no ids")


@case(
    "sse.resumes",
    CUSTOM,
    "HTML §9.2.4",
    "A client that reconnects sends `Last-Event-ID`: it needs the events after that one.",
    code="servers/llm/writers/named_events.py: ID = re.compile",
    lesson=11,
    cause="Read the header Last-Event-ID, and begin after that event. Or send no ids.",
    warns=True,
)
async def resumes(target: Target) -> None:
    _, reading = await _read(target)
    ids = [block.values("id")[-1] for block in reading.blocks if block.event and block.values("id")]
    if len(ids) < 3 or target.method != "GET":
        raise Skipped("the answer to a GET has no ids" if target.method == "GET" else "not a GET")
    known = ids[len(ids) // 2]
    again = await target.shared(target.request(headers=[("Last-Event-ID", known)]))
    if again.status != 200 or not again.is_event_stream:
        raise Skipped(f"the request with Last-Event-ID got status {again.status}")
    repeated = {block.values("id")[-1] for block in read(again).blocks if block.values("id")}
    if repeated & set(ids[: len(ids) // 2 + 1]):
        raise Failed(f"After Last-Event-ID: {known}, events up to it come again.", again)


# What this file does not do: judge when events come (live.py) or their bytes (utf8.py).
