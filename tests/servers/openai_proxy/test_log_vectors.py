"""The proxy's log reads every stream of tests/vectors/deltas.json: the tokens, and the finish."""

import pytest

from protocol.sse import encode_event
from servers.openai_proxy.log_record import ExchangeSummary
from servers.openai_proxy.observer import EventObserver

from ...clients.test_chat_vectors import CASES, events_of

STREAMS = {case["id"]: case for case in CASES if "events" in case}


@pytest.mark.parametrize("name", STREAMS)
def test_vector(name: str) -> None:
    summary, observer = ExchangeSummary("m", 0.0, 200), EventObserver()
    for byte in b"".join(map(encode_event, events_of(STREAMS[name]))):
        for event in observer.receive_data(bytes([byte])):
            summary.count(event, 1.0)
    expect = STREAMS[name]["expect"]
    assert (summary.tokens or 0) == expect.get("usage", {}).get("completion_tokens", 0)
    assert bool(summary.finishes) == bool(expect.get("finish_reason"))
    assert summary.line().startswith("200 m")
