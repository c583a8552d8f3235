"""The line in the log: how an answer ended."""

import pytest

from protocol.sse import ServerSentEvent
from servers.openai_proxy.log_record import CLIENT_GONE, ExchangeSummary

TEXT = r'{"choices":[{"delta":{"content":"\"finish_reason\": \"a"},"finish_reason":null}]}'
STOP = '{"choices":[{"delta":{},"finish_reason": "stop"}]}'

LINES = {
    "whole": ([TEXT, STOP, "[DONE]"], "done", "200 m 3 events ttft 0 ms gap p50 0 ms done"),
    "no end mark": (
        [TEXT, STOP],
        "no end mark",
        "200 m 2 events ttft 0 ms gap p50 0 ms finish_reason came, no end mark",
    ),
    "no end": (
        [STOP],
        "idle_timeout",
        "200 m 1 events ttft 0 ms finish_reason came, idle_timeout",
    ),
    "a client that disconnects after finish_reason": (
        [STOP],
        CLIENT_GONE,
        "200 m ttft 0 ms finish_reason came, client gone after 1 events, upstream closed in 0.0 ms",
    ),
    "keepalive events": (
        ['{"type":"keepalive","sequence_number":0}', TEXT, '{"type":"keepalive"}'],
        "no end mark",
        "200 m 1 events ttft 0 ms no end mark",
    ),
    "too early": ([TEXT], "no end mark", "200 m 1 events ttft 0 ms no end mark"),
}


@pytest.mark.parametrize(("events", "ending", "line"), LINES.values(), ids=LINES)
def test_line(events: list[str], ending: str, line: str) -> None:
    """It says if the answer was finished. The text of a model may contain `finish_reason`, too."""
    summary = ExchangeSummary("m", 0.0, 200)
    for data in events:
        summary.count(ServerSentEvent(data=data), 0.0)
    summary.ending = ending
    assert summary.line() == line


@pytest.mark.parametrize(
    ("answers", "events", "answered"),
    [
        (1, [], False),
        (1, [TEXT], False),
        (1, [TEXT, STOP], True),
        (2, [STOP, TEXT], False),
        (2, [STOP, STOP], True),
        (2, [STOP.replace("}]", '},{"finish_reason":"length"}]')], True),
        (2, ["[DONE]"], True),
        (1, ['{"type":"response.completed","response":{}}'], True),
    ],
)
def test_answered(answers: int, events: list[str], answered: bool) -> None:
    """An answer is whole with its finish_reason. If `n` asks for several, each has its own."""
    summary = ExchangeSummary("m", 0.0, answers=answers)
    for data in events:
        summary.count(ServerSentEvent(data=data), 0.0)
    assert summary.answered == answered


def test_a_keepalive_by_its_name() -> None:
    summary = ExchangeSummary("m", 0.0)
    summary.count(ServerSentEvent("keepalive", "{}"), 0.0)
    assert summary.events == 0
