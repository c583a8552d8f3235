"""Healthy streams, as a loaded machine delivers them: at any pace, with late reads.

    server      events at 500, 505, 510, 515 ms …       each in a chunk, written when it is made
    reader      wakes up late: 503, 541 ms …            and reads several events at once

A stream is a function of its seed: the pace, the spread of the gaps, and how often the reader is
late. Nothing holds an event back, so x-ray must say `live`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import msgspec

from protocol.chunked import encode_chunk
from workshop.xray.meter.measure import Meter

__all__ = ["HEAD", "Healthy", "chat_events", "deliver"]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
WORDS = ["the", "model", "yields", " one", "token", "你", "好", "世界", ",", "\n\n", "`code`", "🐢"]


@dataclass(frozen=True)
class Healthy:
    """One healthy stream.

    Args:
        pace: Tokens per second.
        tokens: Number of tokens.
        ttft: Seconds to the first token.
        spread: Name of the distribution of the gaps.
        load: Share of the reads that a busy machine delays, by up to 300 ms.
        role_first: Whether the role is sent when the request came, not with the first text.
        finish_apart: Whether the end of the answer comes a step after the last text.
        pauses: Share of the tokens before which the model thinks for some seconds.
    """

    pace: float
    tokens: int
    ttft: float
    spread: str
    load: float
    role_first: bool
    finish_apart: bool
    pauses: float = 0.0

    @classmethod
    def make(cls, random: Random) -> "Healthy":
        return cls(
            pace=5 * 400 ** random.random(),
            tokens=random.choice([1, 3, 8, 20, 60, 150]),
            ttft=random.choice([0.0, 0.05, 0.2, 0.5, 1.5, 4.0]),
            spread=random.choice(["constant", "normal", "lognormal", "bursts"]),
            load=random.choice([0.0, 0.01, 0.1, 0.5]),
            role_first=random.random() < 0.3,
            finish_apart=random.random() < 0.6,
        )

    def writes(self, random: Random) -> Iterator[tuple[float, bytes]]:
        """The server's writes, with the time of each in milliseconds."""
        first, *texts, last = chat_events(random, self.tokens)
        now = 0.0
        yield now, HEAD
        if self.role_first:
            yield now, encode_chunk(first)
            first = b""
        now += 1000 * self.ttft
        for text in texts:
            yield now, encode_chunk(first + text)
            first = b""
            now += self._gap(random)
            if self.pauses and random.random() < self.pauses:
                now += random.uniform(500, 8000)
        yield now if self.finish_apart else now - 1e-9, encode_chunk(last) + END

    def _gap(self, random: Random) -> float:
        mean = 1000 / self.pace
        match self.spread:
            case "normal":
                return mean * min(max(random.gauss(1, 0.25), 0.3), 1.7)
            case "lognormal":
                return mean * random.lognormvariate(-0.18, 0.6)
            case "bursts":
                return mean * random.gammavariate(0.2, 5)
        return mean


def chat_events(random: Random, tokens: int) -> list[bytes]:
    """The events of a chat completion: the role, the texts, and the end with [DONE]."""

    def event(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}
        return b"data: %b\n\n" % msgspec.json.encode(body)

    # Each word has its number, because a model seldom says the same event twice in a row.
    texts = [event({"content": f"{random.choice(WORDS)} {n}"}) for n in range(tokens)]
    role = event({"role": "assistant", "content": ""})
    return [role, *texts, event({}, "stop") + b"data: [DONE]\n\n"]


def deliver(stream: Healthy, random: Random) -> Meter:
    """Measure the stream with a reader that is sometimes late."""
    meter = Meter(method="POST")
    waiting = b""
    awake = 0.0
    for at, data in stream.writes(random):
        if at > awake and waiting:
            meter.receive_data(awake, waiting)
            waiting = b""
        if not waiting:  # these bytes wake the reader up
            late = random.expovariate(2)
            if random.random() < stream.load:
                late += random.uniform(1, 300)
            awake = max(awake, at) + late
        waiting += data
    meter.receive_data(awake, waiting)
    return meter
