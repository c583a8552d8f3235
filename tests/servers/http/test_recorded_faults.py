"""Every fault of the catalogue, recorded: the bytes as they were sent, each in one span."""

from collections.abc import Iterator

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from servers.chat import routes
from servers.http.recordings import ReplyDone, Sent
from servers.llm.faults import FAULTS, injection, stream_faults
from servers.llm.pace import Pace

from ...protocol.feeding import cut, offsets
from ...protocol.test_anatomy import covers, dissect
from .test_recordings import QUESTION, WIRE, all_spans, post, record, written

# `no-head` and `hang` send no head, so nothing could name their recording. Faults such as statuses
# are other replies.
BROKEN = [name for name, kind in FAULTS.items() if not kind.replaces]
HOW = {"rst": "reset", "rst-mid-event": "reset", "rst-mid-chunk": "reset"}
CLEAN = {"no-done", "clean-cut", "bare-json", "bad-chunk-size", "after-end", "early-hints"}
CLEAN |= {"length-and-chunked", "broken-json", "invalid-utf8", "giant-line", "split-utf8-chunks"}
CLEAN |= {"split-utf8-segments", "cr", "crlf", "bom", "id-comment", "retry", "duplicate"}
CLEAN |= {"empty-data", "keepalive-event", "comments", "drip"}
ERRORS = {
    "bad-chunk-size": "expected a hex digit of the chunk-size, not b'x'",
    "length-and-chunked": "both Transfer-Encoding and Content-Length",
}


@pytest.fixture(scope="module", autouse=True)
def _minute() -> Iterator[None]:
    """A fault that holds its connection does so for a minute, not for an hour, in which the server
    would check its timeouts 7,200 times."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (injection, stream_faults):
            patch.setattr(module, "HOLD_SECONDS", 60.0)
        yield


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_fault_is_recorded_as_it_was_sent(fault: str, autojump_clock: MockClock) -> None:
    """The recording has everything that a fault sends, and every byte is in one span."""
    table = routes(Pace(0, 0))
    request = post("/v1/chat/completions", QUESTION, WIRE, f"X-Fault: {fault}")
    writes, events = await record(table, request)
    *sent, done = events
    assert isinstance(done, ReplyDone)
    recorded = b"".join(event.bytes for event in sent if isinstance(event, Sent))
    assert recorded == b"".join(writes)
    covers(all_spans(events), len(recorded))
    assert done.how == HOW.get(fault, "done" if fault in CLEAN else "cut off on purpose")
    labels = {span.label for span in all_spans(events)}
    assert ("unreadable" in labels) == (fault in ERRORS)
    assert ("after-end" in labels) == (fault == "after-end")
    if fault in ERRORS:
        assert done.error == ERRORS[fault]
    elif done.how == "done":
        assert done.error == ""
    else:
        assert done.error.startswith("the chunked body ended early")


@pytest.fixture(scope="module")
def faulty() -> dict[str, bytes]:
    """The bytes that each fault sends, without the fault of 4 MiB."""

    async def ask_all() -> dict[str, bytes]:
        found = {}
        for fault in sorted({*BROKEN} - {"giant-line"}):
            request = post("/v1/chat/completions", QUESTION, f"X-Fault: {fault}")
            found[fault] = b"".join(await written(routes(Pace(0, 0)), request))[:4000]
        return found

    return trio.run(ask_all, clock=MockClock(autojump_threshold=0))


def test_a_fault_cut_anywhere(faulty: dict[str, bytes]) -> None:
    """The spans are the same, however the bytes are split into writes."""

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(sorted(faulty)), offsets)
    def check(fault: str, splits: list[int]) -> None:
        data = faulty[fault]
        spans = dissect([data])
        covers(spans, len(data))
        assert dissect(cut(data, splits)) == spans

    check()
