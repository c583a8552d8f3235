"""The events of a streamed response: their exact bytes, in the field order of the API."""

import json

import h11
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.openai.response_events import (
    ContentPartAdded,
    ContentPartDone,
    CustomToolCallInputDelta,
    CustomToolCallInputDone,
    ErrorEvent,
    EventTemplate,
    FunctionCallArgumentsDelta,
    FunctionCallArgumentsDone,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    OutputTextDone,
    ReasoningSummaryPartAdded,
    ReasoningSummaryPartDone,
    ReasoningSummaryTextDelta,
    ReasoningSummaryTextDone,
    ResponseCompleted,
    ResponseCreated,
    ResponseEvent,
    ResponseFailed,
    ResponseIncomplete,
    ResponseInProgress,
    encode_response_event,
)
from protocol.openai.responses import (
    CustomToolCallItem,
    FunctionCallItem,
    IncompleteDetails,
    MessageItem,
    OutputText,
    ReasoningItem,
    ResponseError,
    ResponseObject,
    ResponseUsage,
    SummaryText,
)
from protocol.openai.responses_request import Reasoning, TextConfig
from protocol.sse import EventStreamParser

RESPONSE = ResponseObject(
    id="resp_1",
    created_at=1756752811,
    status="in_progress",
    instructions=None,
    max_output_tokens=None,
    model="o4-mini",
    parallel_tool_calls=True,
    prompt_cache_key=None,
    reasoning=Reasoning("low", "detailed"),
    safety_identifier=None,
    temperature=1.0,
    text=TextConfig(),
    tool_choice="auto",
    tools=[],
    top_p=1.0,
    truncation="disabled",
    user=None,
    metadata={},
)


def response(
    status: str,
    *,
    completed: str = "null",
    error: str = "null",
    incomplete: str = "null",
    output: str = "[]",
    usage: str = "null",
) -> str:
    return (
        '{"id":"resp_1","object":"response","created_at":1756752811,'
        f'"status":"{status}","background":false,"completed_at":{completed},"error":{error},'
        f'"frequency_penalty":0.0,"incomplete_details":{incomplete},'
        '"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"o4-mini",'
        f'"output":{output},"parallel_tool_calls":true,"presence_penalty":0.0,'
        '"previous_response_id":null,'
        '"prompt_cache_key":null,"reasoning":{"effort":"low","summary":"detailed"},'
        '"safety_identifier":null,"service_tier":"default","store":false,"temperature":1.0,'
        '"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],'
        f'"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":{usage},"user":null,'
        '"metadata":{}}'
    )


replace = msgspec.structs.replace
message = MessageItem(id="msg_1", status="completed", content=[OutputText(text="你好\u2028\n")])
MESSAGE = (
    '{"id":"msg_1","type":"message","status":"completed","content":[{"type":"output_text",'
    '"annotations":[],"logprobs":[],"text":"你好\u2028\\n"}],"role":"assistant"}'
)
call = FunctionCallItem(
    id="fc_1", status="in_progress", arguments="", call_id="call_1", name="weather"
)
CALL = (
    '{"id":"fc_1","type":"function_call","status":"in_progress","arguments":"",'
    '"call_id":"call_1","name":"weather"}'
)
custom = CustomToolCallItem(
    id="ctc_1", status="completed", call_id="call_1", input='a = "1"', name="code"
)
thought = ReasoningItem(id="rs_1", encrypted_content="gA==", summary=[SummaryText("Hm.")])
THOUGHT = (
    '{"id":"rs_1","type":"reasoning","encrypted_content":"gA==",'
    '"summary":[{"type":"summary_text","text":"Hm."}]}'
)
USAGE = (
    '{"input_tokens":17,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},'
    '"output_tokens":122,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":139}'
)
DONE = response("completed", completed="1756752899", output=f"[{THOUGHT},{MESSAGE}]", usage=USAGE)
CUT = response("incomplete", incomplete='{"reason":"content_filter"}')
FAILED = response("failed", error='{"code":"server_error","message":"Broken."}')

IN_MESSAGE = '"item_id":"msg_1","output_index":1,"content_index":0,'
IN_THOUGHT = '"item_id":"rs_1","output_index":0,"summary_index":0,'
TEXT_PART = '"part":{"type":"output_text","annotations":[],"logprobs":[],"text":"好"}'
SUMMARY_PART = '"part":{"type":"summary_text","text":"Hm."}'

EVENTS: list[tuple[ResponseEvent, str, str]] = [
    (
        ResponseCreated(response=RESPONSE),
        "response.created",
        '"response":' + response("in_progress"),
    ),
    (
        ResponseInProgress(response=RESPONSE),
        "response.in_progress",
        '"response":' + response("in_progress"),
    ),
    (
        ResponseCompleted(
            response=replace(
                RESPONSE,
                status="completed",
                completed_at=1756752899,
                output=[thought, message],
                usage=ResponseUsage.of(17, 122, 64),
            )
        ),
        "response.completed",
        '"response":' + DONE,
    ),
    (
        ResponseIncomplete(
            response=replace(
                RESPONSE,
                status="incomplete",
                incomplete_details=IncompleteDetails("content_filter"),
            )
        ),
        "response.incomplete",
        '"response":' + CUT,
    ),
    (
        ResponseFailed(
            response=replace(
                RESPONSE, status="failed", error=ResponseError("server_error", "Broken.")
            )
        ),
        "response.failed",
        '"response":' + FAILED,
    ),
    (
        ErrorEvent(code="server_error", message="Broken."),
        "error",
        '"code":"server_error","message":"Broken.","param":null',
    ),
    (
        OutputItemAdded(output_index=0, item=ReasoningItem(id="rs_1", summary=[])),
        "response.output_item.added",
        '"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}',
    ),
    (
        OutputItemAdded(output_index=2, item=call),
        "response.output_item.added",
        '"output_index":2,"item":' + CALL,
    ),
    (
        OutputItemDone(output_index=1, item=message),
        "response.output_item.done",
        '"output_index":1,"item":' + MESSAGE,
    ),
    (
        OutputItemDone(output_index=0, item=replace(thought, status="incomplete")),
        "response.output_item.done",
        '"output_index":0,"item":' + THOUGHT[:-1] + ',"status":"incomplete"}',
    ),
    (
        ReasoningSummaryPartAdded(item_id="rs_1", output_index=0, part=SummaryText("Hm.")),
        "response.reasoning_summary_part.added",
        IN_THOUGHT + SUMMARY_PART,
    ),
    (
        ReasoningSummaryTextDelta(item_id="rs_1", output_index=0, delta="Hm"),
        "response.reasoning_summary_text.delta",
        IN_THOUGHT + '"delta":"Hm"',
    ),
    (
        ReasoningSummaryTextDone(item_id="rs_1", output_index=0, text="Hm."),
        "response.reasoning_summary_text.done",
        IN_THOUGHT + '"text":"Hm."',
    ),
    (
        ReasoningSummaryPartDone(item_id="rs_1", output_index=0, part=SummaryText("Hm.")),
        "response.reasoning_summary_part.done",
        IN_THOUGHT + SUMMARY_PART,
    ),
    (
        ReasoningSummaryPartDone(
            item_id="rs_1", output_index=0, part=SummaryText("Hm."), status="incomplete"
        ),
        "response.reasoning_summary_part.done",
        IN_THOUGHT + SUMMARY_PART + ',"status":"incomplete"',
    ),
    (
        ContentPartAdded(item_id="msg_1", output_index=1, part=OutputText(text="好")),
        "response.content_part.added",
        IN_MESSAGE + TEXT_PART,
    ),
    (
        OutputTextDelta(item_id="msg_1", output_index=1, delta="好"),
        "response.output_text.delta",
        IN_MESSAGE + '"delta":"好","logprobs":[]',
    ),
    (
        OutputTextDone(item_id="msg_1", output_index=1, text="好"),
        "response.output_text.done",
        IN_MESSAGE + '"text":"好","logprobs":[]',
    ),
    (
        ContentPartDone(item_id="msg_1", output_index=1, part=OutputText(text="好")),
        "response.content_part.done",
        IN_MESSAGE + TEXT_PART,
    ),
    (
        FunctionCallArgumentsDelta(item_id="fc_1", output_index=2, delta='{"'),
        "response.function_call_arguments.delta",
        '"item_id":"fc_1","output_index":2,"delta":"{\\""',
    ),
    (
        FunctionCallArgumentsDone(item_id="fc_1", output_index=2, arguments="{}", name="f"),
        "response.function_call_arguments.done",
        '"item_id":"fc_1","output_index":2,"arguments":"{}","name":"f"',
    ),
    (
        OutputItemDone(output_index=2, item=custom),
        "response.output_item.done",
        (
            '"output_index":2,"item":{"id":"ctc_1","type":"custom_tool_call","status":"completed",'
            '"call_id":"call_1","input":"a = \\"1\\"","name":"code"}'
        ),
    ),
    (
        CustomToolCallInputDelta(item_id="ctc_1", output_index=2, delta="a ="),
        "response.custom_tool_call_input.delta",
        '"item_id":"ctc_1","output_index":2,"delta":"a ="',
    ),
    (
        CustomToolCallInputDone(item_id="ctc_1", output_index=2, input="a = 1"),
        "response.custom_tool_call_input.done",
        '"item_id":"ctc_1","output_index":2,"input":"a = 1"',
    ),
]


@pytest.mark.parametrize(("event", "name", "fields"), EVENTS)
def test_an_event_on_the_wire(event: ResponseEvent, name: str, fields: str) -> None:
    wire = f'event: {name}\ndata: {{"type":"{name}","sequence_number":7,{fields}}}\n\n'
    assert encode_response_event(replace(event, sequence_number=7)) == wire.encode()


DELTAS: list[ResponseEvent] = [
    OutputTextDelta(item_id="msg_1", output_index=1, delta=""),
    ReasoningSummaryTextDelta(item_id="rs_1", output_index=0, delta=""),
    FunctionCallArgumentsDelta(item_id="fc_1", output_index=2, delta=""),
]


@given(st.sampled_from(DELTAS), st.integers(0), st.text(st.characters(exclude_categories=["Cs"])))
def test_event_template_equals_encode_response_event(
    event: ResponseEvent, number: int, text: str
) -> None:
    """The fast path for one token writes the same bytes as the plain path: one event, one line."""
    wire = EventTemplate(event).encode(number, text)
    assert wire == encode_response_event(replace(event, sequence_number=number, delta=text))
    (parsed,) = EventStreamParser().receive_data(wire)
    data = json.loads(parsed.data)
    assert (data["type"], data["sequence_number"], data["delta"]) == (parsed.event, number, text)


@pytest.mark.parametrize(
    "event",
    [
        OutputTextDelta(item_id="msg_1", output_index=1, delta="x"),
        OutputTextDelta(item_id="msg_1", output_index=1, delta="", sequence_number=1),
        OutputTextDone(item_id="msg_1", output_index=1, text=""),
    ],
)
def test_event_template_needs_an_empty_delta_and_number_0(event: ResponseEvent) -> None:
    with pytest.raises(ValueError, match="the event is not number 0 with an empty delta"):
        EventTemplate(event)


def test_a_lone_surrogate_has_a_defined_error() -> None:
    with pytest.raises(h11.LocalProtocolError, match="an object that is not UTF-8"):
        encode_response_event(ErrorEvent(code=None, message="\ud83d"))
