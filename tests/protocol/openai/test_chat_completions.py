"""Chat completions: the exact bytes on the wire, and the error for each bad request."""

import json
from collections.abc import Callable

import h11
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.openai.chat_completions import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChunkChoice,
    Delta,
    DeltaTemplate,
    FinishReason,
    FunctionCall,
    Logprob,
    Logprobs,
    Message,
    TokenLogprob,
    ToolCall,
    Usage,
    read_chat_request,
)
from protocol.openai.chat_request import ChatFunctionTool, ChosenFunction
from protocol.openai.common import DONE, ErrorBody, ErrorResponse, InvalidRequest, encode_data
from protocol.sse import EventStreamParser


def chunk(*deltas: Delta, finish: FinishReason | None = None) -> ChatCompletionChunk:
    return ChatCompletionChunk(
        id="chatcmpl-1",
        created=1727346169,
        model="gpt-4o",
        system_fingerprint="fp_5",
        choices=[ChunkChoice(0, delta, finish_reason=finish) for delta in deltas],
    )


# Only `data:` lines, compact JSON, raw UTF-8. The first delta carries role, "" and null, the last
# one only its finish_reason; the usage chunk has no choice.
BEFORE = (
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1727346169,'
    '"model":"gpt-4o","system_fingerprint":"fp_5","choices":['
)
DELTAS: list[tuple[Delta, str]] = [
    (
        Delta(role="assistant", content="", refusal=None),
        '{"role":"assistant","content":"","refusal":null}',
    ),
    (Delta(content="Hi 你好 👋\u2028\n"), '{"content":"Hi 你好 👋\u2028\\n"}'),
    (Delta(content=None, refusal=""), '{"content":null,"refusal":""}'),
    (Delta(reasoning_content="hm"), '{"reasoning_content":"hm"}'),
    (
        Delta(reasoning_content="hm", reasoning="hm"),
        '{"reasoning_content":"hm","reasoning":"hm"}',
    ),
    (
        Delta(
            role="assistant",
            content=None,
            refusal=None,
            tool_calls=[
                ToolCall(
                    index=0,
                    id="call_1",
                    type="function",
                    function=FunctionCall(name="f", arguments=""),
                )
            ],
        ),
        (
            '{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"index":0,'
            '"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}'
        ),
    ),
    (
        Delta(tool_calls=[ToolCall(index=1, function=FunctionCall(arguments='{"a"'))]),
        '{"tool_calls":[{"index":1,"function":{"arguments":"{\\"a\\""}}]}',
    ),
]


@pytest.mark.parametrize(("delta", "wire"), DELTAS)
def test_a_delta_on_the_wire(delta: Delta, wire: str) -> None:
    choice = f'{{"index":0,"delta":{wire},"logprobs":null,"finish_reason":null}}'
    assert encode_data(chunk(delta)) == f"{BEFORE}{choice}]}}\n\n".encode()


def test_the_last_chunks_on_the_wire() -> None:
    end = '{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}'
    assert encode_data(chunk(Delta(), finish="stop")) == f"{BEFORE}{end}]}}\n\n".encode()
    with_null = msgspec.structs.replace(chunk(Delta(), finish="stop"), usage=None)
    assert encode_data(with_null) == f'{BEFORE}{end}],"usage":null}}\n\n'.encode()
    with_usage = msgspec.structs.replace(chunk(), usage=Usage.of(9, 2, 1))
    usage = (
        '{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,'
        '"completion_tokens_details":{"reasoning_tokens":1}}'
    )
    assert encode_data(with_usage) == f'{BEFORE}],"usage":{usage}}}\n\n'.encode()


def test_the_end_marker() -> None:
    assert DONE == b"data: [DONE]\n\n"


def test_completion_on_the_wire() -> None:
    value = ChatCompletion(
        id="chatcmpl-1",
        created=1727346169,
        model="gpt-4o",
        choices=[Choice(0, Message("assistant", "Hi"))],
        usage=Usage.of(9, 2, 1),
        system_fingerprint="fp_5",
    )
    assert msgspec.json.encode(value).decode() == (
        '{"id":"chatcmpl-1","object":"chat.completion","created":1727346169,"model":"gpt-4o",'
        '"choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null},'
        '"logprobs":null,"finish_reason":"stop"}],'
        '"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,'
        '"completion_tokens_details":{"reasoning_tokens":1}},'
        '"system_fingerprint":"fp_5"}'
    )


def test_reasoning_in_a_whole_answer() -> None:
    value = Message("assistant", "4", reasoning_content="2 and 2")
    assert msgspec.json.encode(value).decode() == (
        '{"role":"assistant","content":"4","refusal":null,"reasoning_content":"2 and 2"}'
    )


def test_log_probabilities_on_the_wire() -> None:
    top = [Logprob("a", -0.5, [97])]
    value = ChunkChoice(0, Delta(content="a"), Logprobs([TokenLogprob("a", -0.5, [97], top)]))
    assert msgspec.json.encode(value).decode() == (
        '{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-0.5,'
        '"bytes":[97],"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":[97]}]}],'
        '"refusal":null},"finish_reason":null}'
    )


def test_an_error_on_the_wire() -> None:
    value = ErrorResponse(ErrorBody("no", "invalid_request_error", param="model"))
    assert encode_data(value) == (
        b'data: {"error":{"message":"no","type":"invalid_request_error",'
        b'"param":"model","code":null}}\n\n'
    )


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_one_data_line(text: str) -> None:
    """JSON escapes CR and LF, and U+2028 does not end a line: a text is one line, one event."""
    wire = encode_data(chunk(Delta(content=text)))
    assert wire.count(b"\n") == 2
    assert b"\r" not in wire
    (event,) = EventStreamParser().receive_data(wire)
    assert json.loads(event.data)["choices"][0]["delta"] == {"content": text}


# ---- requests


def body(**fields: object) -> bytes:
    whole: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    return json.dumps(whole | fields).encode()


def test_the_smallest_request() -> None:
    request = read_chat_request(body())
    assert (request.model, request.messages[0].text, request.stream) == ("m", "Hi", None)
    assert (request.includes_usage, request.token_limit) == (False, None)


def test_unknown_fields_are_ignored() -> None:
    assert read_chat_request(body(user="x", metadata=[{}], stream=True, n=1)).stream is True


TEXTS: list[tuple[dict[str, object], str]] = [
    ({"role": "user", "content": "a"}, "a"),
    ({"role": "user", "content": []}, ""),
    ({"role": "assistant", "content": None, "refusal": "No."}, ""),
    (
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "你"},
                {"type": "image_url", "image_url": {"url": "data:,"}},
                {"type": "text", "text": "好"},
            ],
        },
        "你好",
    ),
]


@pytest.mark.parametrize(("message", "text"), TEXTS)
def test_the_text_of_a_message(message: dict[str, object], text: str) -> None:
    assert read_chat_request(body(messages=[message])).messages[0].text == text


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def test_tools() -> None:
    request = read_chat_request(body(tools=[TOOL], tool_choice="required"))
    assert request.tools is not None
    (tool,) = request.tools
    assert isinstance(tool, ChatFunctionTool)
    assert (tool.name, tool.function.parameters) == ("f", {"type": "object"})
    assert request.tool_choice == "required"
    choice = {"type": "function", "function": {"name": "f"}}
    chosen = read_chat_request(body(tools=[TOOL], tool_choice=choice)).tool_choice
    assert isinstance(chosen, ChosenFunction)
    assert chosen.name == "f"


@pytest.mark.parametrize(
    ("options", "expected"),
    [(None, False), ({}, False), ({"include_usage": None}, False), ({"include_usage": True}, True)],
)
def test_includes_usage(options: dict[str, object] | None, expected: bool) -> None:
    asked = read_chat_request(body(stream_options=options, stream=True))
    assert asked.includes_usage is expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": None, "max_completion_tokens": None}, None),
    ],
)
def test_token_limit(limits: dict[str, object], expected: int | None) -> None:
    assert read_chat_request(body(**limits)).token_limit == expected


THEIRS = None  # a message from msgspec: it must only be there
BAD: list[tuple[bytes, str | None, str | None]] = [
    (b"", "The body is not JSON: ", None),
    (b"{", "The body is not JSON: ", None),
    (b"model=m", "The body is not JSON: ", None),
    (body() + b"x", "The body is not JSON: ", None),
    (b'{"model":"\xff"}', "The body is not JSON: ", None),
    (b'{"model":"\\ud800 but not two"}', "The body is not JSON: ", None),
    (b"[]", THEIRS, None),
    (b"{}", THEIRS, "model"),
    (b'{"model":"m"}', THEIRS, "messages"),
    (body(model=5), THEIRS, "model"),
    (body(messages="Hi"), THEIRS, "messages"),
    (body(messages=[]), THEIRS, "messages"),
    (body(messages=["Hi"]), THEIRS, "messages[0]"),
    (body(messages=[{}]), THEIRS, "messages[0].role"),
    (
        body(messages=[{"role": "user"}, {"role": "me"}]),
        THEIRS,
        "messages[1].role",
    ),
    (
        body(messages=[{"role": "user", "content": 5}]),
        THEIRS,
        "messages[0].content",
    ),
    (
        body(messages=[{"role": "user", "content": [{"text": "x"}]}]),
        THEIRS,
        "messages[0].content[0].type",
    ),
    (body(stream="yes"), THEIRS, "stream"),
    (
        body(stream_options={"include_usage": 1}),
        THEIRS,
        "stream_options.include_usage",
    ),
    (body(max_tokens=0), THEIRS, "max_tokens"),
    (body(max_tokens=1.5), THEIRS, "max_tokens"),
    (body()[:-1] + b',"n":' + b"9" * 5000 + b"}", THEIRS, "n"),
    (body(n=129), THEIRS, "n"),
    (body(temperature=3), THEIRS, "temperature"),
    (body(top_logprobs=21), THEIRS, "top_logprobs"),
    (body(stop=["a", ""]), THEIRS, "stop[1]"),
    (body(stop=list("abcde")), THEIRS, "stop"),
    (
        body(tools=[{"type": "function", "function": {"name": "my tool"}}]),
        THEIRS,
        "tools[0].function.name",
    ),
    (body(tool_choice="f"), THEIRS, "tool_choice"),
    (body(response_format={"type": "xml"}), THEIRS, "response_format.type"),
]


@pytest.mark.parametrize(("data", "message", "param"), BAD)
def test_the_error_for_a_bad_request_has_a_reason_and_a_path(
    data: bytes, message: str | None, param: str | None
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(data)
    told = str(caught.value)
    assert told.startswith(message) if message else told
    assert " - at `" not in str(caught.value)
    assert caught.value.param == param


@given(st.binary(max_size=60) | st.integers(0, 90).map(lambda size: body(n=1)[:size]))
def test_any_bytes_give_a_request_or_an_invalid_request(data: bytes) -> None:
    try:
        read_chat_request(data)
    except InvalidRequest:
        pass


def test_deep_nesting_is_a_bad_request() -> None:
    with pytest.raises(InvalidRequest):
        read_chat_request(b'{"model":"m","metadata":' + b"[" * 100_000)


def test_a_lone_surrogate_has_a_defined_error() -> None:
    error = ErrorResponse(ErrorBody(message="\ud83d", type="server_error"))
    with pytest.raises(h11.LocalProtocolError, match="an object that is not UTF-8"):
        encode_data(error)


TEMPLATES: list[tuple[Callable[[str], Delta], tuple[str, ...]]] = [
    (lambda text: Delta(content=text), ("content",)),
    (lambda text: Delta(reasoning_content=text), ("reasoning_content",)),
    (
        lambda text: Delta(reasoning_content=text, reasoning=text),
        ("reasoning_content", "reasoning"),
    ),
    (
        lambda text: Delta(tool_calls=[ToolCall(index=1, function=FunctionCall(arguments=text))]),
        ("arguments",),
    ),
]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(TEMPLATES))
def test_delta_template_equals_encode_data(
    text: str, template: tuple[Callable[[str], Delta], tuple[str, ...]]
) -> None:
    """The fast path for one token writes the same bytes as the plain path."""
    delta, fields = template
    assert DeltaTemplate(chunk(delta("")), *fields).encode(text) == encode_data(chunk(delta(text)))


def test_delta_template_needs_a_place_for_the_text() -> None:
    with pytest.raises(ValueError, match="the delta has no empty content"):
        DeltaTemplate(chunk(Delta(content="x")), "content")


def test_a_client_cannot_choose_the_path_of_an_error() -> None:
    """The message quotes a value from the client, which may look like msgspec's own message."""
    body = b'{"model":"m","messages":[{"role":"x - at `$.evil` y","content":""}]}'
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(body)
    assert caught.value.param == "messages[0].role"


def test_the_model_name_has_a_limit() -> None:
    """Every event of the answer repeats it."""
    body = '{{"model":"{}","messages":[{{"role":"user","content":""}}]}}'
    read_chat_request(body.format("m" * 256).encode())
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(body.format("m" * 257).encode())
    assert caught.value.param == "model"
