"""What a chat stream's reader takes from each event, also from servers that are not OpenAI's."""

import pytest

from protocol.deltas import ChatDelta, TokenCount, ToolCallPiece, read_delta
from protocol.openai import ErrorBody


def of(delta: str, rest: str = "") -> str:
    return f'{{"id":"1","choices":[{{"index":0,"delta":{delta}{rest}}}]}}'


DELTAS = {
    "text": (of('{"content":"你"}'), ChatDelta("你")),
    "role": (of('{"role":"assistant","content":"","refusal":null}'), ChatDelta()),
    "refusal": (of('{"content":null,"refusal":"No."}'), ChatDelta("No.")),
    "thinking": (of('{"content":null,"reasoning_content":"hm"}'), ChatDelta(thinking="hm")),
    "thinking elsewhere": (of('{"reasoning":"hm"}'), ChatDelta(thinking="hm")),
    "the end": (of("{}", ',"finish_reason":"stop"'), ChatDelta(finish_reason="stop")),
    "no delta": (of("null", ',"finish_reason":"length"'), ChatDelta(finish_reason="length")),
    "usage": (
        '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":34,"more":{}}}',
        ChatDelta(usage=TokenCount(34, 1)),
    ),
    "usage of null": (
        '{"choices":[],"usage":{"prompt_tokens":null}}',
        ChatDelta(usage=TokenCount()),
    ),
    "no usage yet": ('{"choices":[],"usage":null}', ChatDelta()),
    "no choices": ('{"choices":null,"x":1}', ChatDelta()),
    "a second answer": ('{"choices":[{"index":1,"delta":{"content":"b"}}]}', ChatDelta()),
    "both answers": (
        '{"choices":[{"index":1,"delta":{"content":"b"}},{"delta":{"content":"a"}}]}',
        ChatDelta("a"),
    ),
    "a call": (
        of('{"tool_calls":[{"index":1,"id":"c","function":{"name":"f","arguments":""}}]}'),
        ChatDelta(tool_calls=(ToolCallPiece(1, "c", "f"),)),
    ),
    "its arguments": (
        of('{"tool_calls":[{"index":null,"function":{"arguments":"{\\"a\\""}},{}]}'),
        ChatDelta(tool_calls=(ToolCallPiece(arguments='{"a"'), ToolCallPiece())),
    ),
}


@pytest.mark.parametrize(("data", "delta"), DELTAS.values(), ids=DELTAS)
def test_delta(data: str, delta: ChatDelta) -> None:
    assert read_delta(data) == delta


ERRORS = {
    "nested": (
        '{"error":{"message":"full","type":"server_error","code":"overloaded"}}',
        ErrorBody("full", "server_error", None, "overloaded"),
    ),
    "a number for the code": ('{"error":{"message":"full","code":503}}', ErrorBody("full", "")),
    "a text": ('{"error":"full"}', ErrorBody("full", "")),
    "something else": ('{"error":{"detail":[1]}}', ErrorBody('{"detail":[1]}', "")),
    "flat": ('{"code":"c","message":"full"}', ErrorBody("full", "", None, "c")),
    "beside choices": ('{"choices":[],"error":"full"}', ErrorBody("full", "")),
}


@pytest.mark.parametrize(("data", "error"), ERRORS.values(), ids=ERRORS)
def test_error(data: str, error: ErrorBody) -> None:
    assert read_delta(data) == error


@pytest.mark.parametrize(
    "data", ["", "{", "[]", of('{"content":1}'), b"\xff", "[" * 100_000, '{"choices":{}}']
)
def test_unreadable(data: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"^no delta: "):
        read_delta(data)
