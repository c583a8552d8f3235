"""The chat page with servers that answer in unusual ways, or not at all, under Node."""

import json
import subprocess
from typing import Any

import pytest

from .peers import ROOT, SAFETY, need

RUNNER = ROOT / "tests" / "interop" / "page_answers.mjs"


def says(text: str, reason: str | None = None) -> str:
    choice = {"delta": {"content": text}, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


STOP = says("", "stop")
DONE = "data: [DONE]\n\n"
ERROR = 'data: {"error":"full"}\n\n'
REFUSAL = 'data: {"choices":[{"delta":{"refusal":"No."}}]}\n\n'
CALL = 'data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f"}}]}}]}\n\n'
EMPTY = 'data: {"choices":[]}\n\n'
JSON, TEXT = "application/json", "text/plain"
WHOLE = '{"choices":[{"message":{"content":"whole","reasoning":"hm"},"finish_reason":"stop"}]}'


def answer(*pieces: tuple[float, str | bool | None], **more: Any) -> dict[str, Any]:
    return {"pieces": pieces, **more}


def whole(body: str, status: int = 200, type: str = JSON) -> dict[str, Any]:
    return answer((0, body), (0, None), status=status, type=type)


# the server, the text, how it ends, after how many seconds
ANSWERS: dict[str, tuple[dict[str, Any], str, str, float]] = {
    "[DONE]": (answer((0, says("a") + STOP + DONE), (1, None)), "a", "complete", 1),
    "many events": (answer((0, says("a") * 90 + STOP + DONE), (0, None)), "a" * 90, "complete", 0),
    "an open body after [DONE]": (answer((0, says("a") + DONE)), "a", "complete", 2),
    "comments after [DONE]": (answer((0, DONE), then=(1, ": \n\n")), "", "complete", 2),
    "words after [DONE]": (answer((0, DONE + says("a") + ERROR), (0, None)), "", "complete", 0),
    "a break after [DONE]": (answer((0, says("a") + DONE), (1, False)), "a", "complete", 1),
    "a break after the end": (answer((0, says("a") + STOP), (1, False)), "a", "complete", 1),
    "a break": (answer((0, says("a")), (1, False)), "a", "broken 0", 1),
    "nothing after the end": (answer((0, says("a") + STOP)), "a", "complete", 2),
    "comments after the end": (answer((0, STOP), then=(1, ": \n\n")), "", "complete", 2),
    "empty events after the end": (answer((0, STOP), then=(1, EMPTY)), "", "complete", 2),
    "stop with each word": (answer(*[(1.5, says("a", "stop"))] * 4), "aaaa", "complete", 8),
    "an end without a reason": (answer((0, says("a")), (1, None)), "a", "unfinished 0", 1),
    "no head": ({}, "", "silent 300", 300),
    "a fault that no header field can hold": (
        answer((0, says("a") + DONE), (0, None), fault="错\n"),
        "a",
        "complete",
        0,
    ),
    "nobody": ({"refused": True}, "", "no reply", 0),
    "no event": (answer(), "", "silent 300", 300),
    "comments only": (answer(then=(10, ": \n\n")), "", "silent 300", 300),
    "silence": (answer((1, says("a"))), "a", "silent 300", 301),
    "slow events": (answer(*[(299, says("a"))] * 3, (299, STOP)), "aaa", "complete", 1198),
    "stopped": (answer((1, says("a")), stop=5), "a", "stopped", 5),
    "stopped before the head": ({"stop": 5}, "", "stopped", 5),
    "data of spaces": (
        answer((0, "data:  \n\n" + says("a") + DONE), (0, None)),
        "a",
        "complete",
        0,
    ),
    "null": (
        answer((0, "data: null\n\ndata: []\n\n" + says("a", "stop")), (0, None)),
        "a",
        "complete",
        0,
    ),
    "201": (answer((0, says("a", "stop")), (0, None), status=201), "a", "complete", 0),
    "all at once": (whole(WHOLE), "whole", "complete", 0),
    "all at once, later": (answer((200, WHOLE), (0, None), type=JSON), "whole", "complete", 200),
    "words beside an error": (
        answer((0, 'data: {"choices":[{"delta":{"content":"a"}}],"error":"full"}\n\n')),
        "a",
        "full",
        0,
    ),
    "slow refusal after the end": (
        answer(*[(1.5, REFUSAL + STOP)] * 2),
        "",
        "complete",
        5,
    ),
    "slow call after the end": (answer(*[(1.5, CALL + STOP)] * 2), "", "complete", 5),
    "a refusal all at once": (
        whole('{"choices":[{"message":{"refusal":"No."}}]}'),
        "",
        "complete",
        0,
    ),
    "an event of the type error": (answer((0, "event: error\ndata: full\n\n")), "", "full", 0),
    "a detail": (whole('{"detail":"No."}', 422), "", "No. (HTTP 422)", 0),
    "flat": (whole('{"object":"error","message":"No."}', 400), "", "No. (HTTP 400)", 0),
    "a list": (whole('[{"error":{"message":"No."}}]', 400), "", "No. (HTTP 400)", 0),
    "text": (whole("No.\n", 503, TEXT), "", "No. (HTTP 503)", 0),
    "HTML": (
        whole("<title>502 Bad Gateway</title>", 502, "text/html"),
        "",
        "502 Bad Gateway (HTTP 502)",
        0,
    ),
    "null in place of an error": (whole("null", 500), "", "HTTP 500", 0),
    "an error without an end": (answer((0, "No."), status=500, type=TEXT), "", "HTTP 500", 5),
    "an answer with a status of an error": (whole(WHOLE, 500), "", f"{WHOLE} (HTTP 500)", 0),
    "a login": (whole("<p>", 200, "text/html"), "", "not an event stream: text/html", 0),
    "JSON of no known shape": (whole("{}"), "", f"not an event stream: {JSON}", 0),
}


@pytest.fixture(scope="module")
def said() -> dict[str, list[Any]]:
    servers = [server for server, *_ in ANSWERS.values()]
    done = subprocess.run(
        [need("node", "nodejs"), RUNNER, ROOT / "servers" / "page"],
        input=json.dumps({"answers": [*servers, HALF], "models": list(MODELS)}),
        capture_output=True,
        timeout=SAFETY,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr[-500:]) == (0, "")
    found: dict[str, list[Any]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def found(said: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    return dict(zip([*ANSWERS, "half"], said["answers"], strict=True))


MODELS: dict[str, Any] = {
    '{"object":"list","data":[{"id":"a"},{"id":"b"}]}': ["a", "b"],
    '{"data":[null,{"id":7},{},{"id":null,"name":"b"},"c"]}': ["7", "b", "c"],
    '{"models":[{"name":"a"}]}': ["a"],
    '["a",{"id":"b"}]': ["a", "b"],
    '{"error":{"message":"no key"}}': "no models",
    '{"data":null}': "no models",
    "null": "no models",
}
HALF = whole(WHOLE) | {"question": "a\ud83d 😀"}


@pytest.mark.parametrize("name", ANSWERS)
def test_answer(name: str, found: dict[str, dict[str, Any]]) -> None:
    _, text, ending, seconds = ANSWERS[name]
    one = found[name]
    assert (one["text"], one["ending"], one["at"]) == (text, ending, seconds)


def test_a_finished_answer_is_read_to_its_last_chunk(found: dict[str, dict[str, Any]]) -> None:
    """Otherwise the browser's tools show the request as cancelled."""
    assert not found["[DONE]"]["isCancelled"]
    assert found["an open body after [DONE]"]["isCancelled"]
    assert found["stopped"]["isCancelled"]


def test_an_event_starts_no_timer(found: dict[str, dict[str, Any]]) -> None:
    """All events share one timer for the silence and one for the end."""
    assert found["many events"]["timers"] <= 6  # four are the test's own


def test_refusals_and_calls_are_told(found: dict[str, dict[str, Any]]) -> None:
    assert found["a refusal all at once"]["refusal"] == "No."
    assert found["slow call after the end"]["calls"] == 2


def test_half_a_character_is_not_sent(found: dict[str, dict[str, Any]]) -> None:
    """A model may have sent a lone surrogate, but many servers reject it as bad JSON."""
    assert found["half"]["asked"] == "a\ufffd 😀"
    assert found["half"]["thinking"] == "hm"


def test_models(said: dict[str, list[Any]]) -> None:
    """The page reads the names from a list of any shape."""
    assert dict(zip(MODELS, said["models"], strict=True)) == MODELS
