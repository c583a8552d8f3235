"""Forms of correct answers that differ from ours: none of them may fail a case.

They are what OpenAI and other servers send: fields that we do not have, answers in turn, the role
and the first piece of a call in one delta, reasoning before the message, heartbeats.
"""

from itertools import chain, zip_longest

import pytest
import trio
from trio.testing import MockClock

from .mutants.good import Answering, Good
from .mutants.openai_good import Chat, Object
from .mutants.responses_good import Responses
from .mutants.sse_good import Events
from .test_mutants import broken, judge


class LikeOpenAI(Chat):
    """Choices in turn, further fields, and `stop` after a call that the request forced."""

    def chunks(self, asked: Object) -> list[Object]:
        answers = [self.choices(asked, index) for index in range(self.count_of(asked))]
        in_turn = [one for one in chain(*zip_longest(*answers)) if one is not None]
        found = [self.chunk([choice]) for choice in in_turn]
        if self.includes_usage(asked):
            found = [{**chunk, "usage": None} for chunk in found]
            found.append({**self.chunk([]), "usage": self.usage()})
        return found

    def chunk(self, choices: list[Object]) -> Object:
        more = {"service_tier": "default", "system_fingerprint": "fp_1", "obfuscation": "k3J"}
        return {**super().chunk(choices), **more}

    def choices(self, asked: Object, index: int) -> list[Object]:
        first, *rest = super().choices(asked, index)
        first["delta"] = {"role": "assistant", "content": "", "refusal": None}
        if asked.get("tools"):
            opening, *rest = rest
            first["delta"] = {"role": "assistant", "content": None, **opening["delta"]}
        return [{"logprobs": None, **choice} for choice in (first, *rest)]

    def reason(self, asked: Object) -> str:
        return "stop" if asked.get("tool_choice") == "required" else super().reason(asked)


class WithComments(LikeOpenAI):
    """A comment at the start and after each event, CRLF lines, and no space after the colon."""

    def encode(self, chunk: Object) -> bytes:
        return super().encode(chunk).replace(b"data: ", b"data:").replace(b"\n", b"\r\n")

    def stream_events(self, asked: Object) -> list[bytes]:
        events = super().stream_events(asked)
        return [b": OPENROUTER PROCESSING\n\n", *chain(*((event, b": hi\n\n") for event in events))]


class WithThinking(Chat):
    """Reasoning in fields of its own, before the text; the finish has the last piece of text."""

    def choices(self, asked: Object, index: int) -> list[Object]:
        choices = super().choices(asked, index)
        if asked.get("tools") or asked.get("logprobs"):
            return choices
        thought = self.choice(index, {"reasoning_content": "Hm", "content": None})
        last = {**choices[-1], "delta": choices[-2]["delta"]}
        return [choices[0], thought, *choices[1:-2], last]


class WithReasoning(Responses):
    """A reasoning item before the message, a keepalive, and `[DONE]` at the end."""

    def message_events(self, asked: Object) -> list[Object]:
        item: Object = {"id": "rs_1", "type": "reasoning", "summary": []}
        place = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
        part = {"type": "summary_text", "text": "Hm."}
        name = "response.reasoning_summary"
        opening = {"type": "response.output_item.added", "output_index": 0, "item": item}
        whole = item | {"summary": [part]}
        return [
            opening,
            {"type": f"{name}_part.added", **place, "part": part | {"text": ""}},
            {"type": f"{name}_text.delta", **place, "delta": "Hm."},
            {"type": f"{name}_text.done", **place, "text": "Hm."},
            {"type": f"{name}_part.done", **place, "part": part},
            {"type": "response.output_item.done", "output_index": 0, "item": whole},
            *(event | {"output_index": 1} for event in super().message_events(asked)),
        ]

    def ended(self, asked: Object) -> Object:
        ended = super().ended(asked)
        if not asked.get("tools"):
            ended["output"].insert(0, {"id": "rs_1", "type": "reasoning", "summary": []})
        return ended

    def stream_events(self, asked: Object) -> list[bytes]:
        events = super().stream_events(asked)
        ping = self.encode({"type": "keepalive", "sequence_number": 5})
        return [*events[:5], ping, *events[5:], b"data: [DONE]\n\n"]


class OfText(Events):
    """Plain text in lines of data, a named last event, an id block alone, and a comment."""

    def events(self, request: Answering) -> list[bytes]:
        texts = [f"data: {token}\ndata:\ndata: x\n\n".encode() for token in self.tokens]
        return [b": hello\n\nid: 1\n\n", *texts, b"event: done\ndata\n\n"]


@pytest.mark.parametrize(
    ("server", "profile"),
    [
        (LikeOpenAI, "openai"),
        (WithComments, "openai"),
        (WithThinking, "openai"),
        (WithReasoning, "responses"),
        (OfText, "sse"),
    ],
)
def test_other_forms_pass(server: type[Good], profile: str) -> None:
    profiles = ["sse", *({profile} - {"sse"})]
    found = trio.run(judge, server(), profiles, clock=MockClock(autojump_threshold=0))
    failures = {slug: found[slug].failure for slug in broken(found)}
    assert {slug: one.say for slug, one in failures.items() if one} == {}
