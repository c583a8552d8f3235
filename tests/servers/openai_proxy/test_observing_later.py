"""The copy of a relayed body that is parsed later, many pieces after one another."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from servers.openai_proxy import body_relay
from servers.openai_proxy.body_relay import BodyRelay
from servers.openai_proxy.log_record import ExchangeSummary
from servers.openai_proxy.observer import MAX_EVENT

EVENT = b'data: {"choices":[{"finish_reason":null}]}\n\n'
PIECES = [
    EVENT,
    b'data: {"choices":[{"finish_reason":"stop"}],"usage":{"completion_tokens":7}}\n\n',
    b"data: [DONE]\n\n",
    b"event: response.completed\ndata: {}\n\n",
    b'event: keepalive\ndata: {"type":"keepalive"}\n\n',
    b": comment\n",
    b": comment\n\n",
    b"\n",
    b"\n\n",
    b"\r",
    b"\r\n\r\n",
    b"data: \xe4\xbd",
    b"\xa0\n",
    b"data: " + b"x" * MAX_EVENT,
    2 * EVENT,
    50 * EVENT,
]


class Relayed:
    """A relay between two ends that accept everything."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.summary = ExchangeSummary("m", 0.0)
        self.body = SimpleNamespace(heartbeats=0, heartbeat=b"", send_now=lambda *_: True)
        self.response = SimpleNamespace(complete=False, settled=False)
        response: Any = self.response
        body: Any = self.body
        self.relay = BodyRelay(response, body, self.summary, is_events=True, now=0.0)

    def relay_now(self, piece: bytes, now: float) -> None:
        self.response.receive_now = lambda: piece
        kept, body_relay.BATCH = body_relay.BATCH, self.batch
        try:
            assert self.relay.relay_now(now)
        finally:
            body_relay.BATCH = kept

    def facts(self) -> tuple[object, ...]:
        last, border = self.relay.last_data_at, self.relay.at_event_border
        return last, border, self.body.heartbeat, self.summary


@given(st.lists(st.tuples(st.sampled_from(PIECES), st.booleans()), max_size=60))
def test_later_is_the_same(pieces: list[tuple[bytes, bool]]) -> None:
    """The times of the events, the end mark, the usage and the heartbeat are as if each piece had
    been parsed at once; whoever asks earlier gets the same answer."""
    later, at_once = Relayed(body_relay.BATCH), Relayed(1)
    for number, (piece, asks) in enumerate(pieces):
        later.relay_now(piece, number)
        at_once.relay_now(piece, number)
        assert later.body.heartbeat == at_once.body.heartbeat
        if asks:
            assert later.facts() == at_once.facts()
    assert later.facts() == at_once.facts()


def test_only_small_pieces_wait() -> None:
    """So what a relayed stream holds in memory does not grow with its events."""
    relayed = Relayed(body_relay.BATCH)
    for now, piece in enumerate([EVENT, EVENT, 50 * EVENT]):
        relayed.relay_now(piece, now)
    assert relayed.summary.events == 52
    for now in range(body_relay.BATCH):
        assert relayed.summary.events == 52
        relayed.relay_now(EVENT, now)
    assert relayed.summary.events == 52 + body_relay.BATCH
