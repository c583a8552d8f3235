"""The terminal's client reads every answer of tests/vectors/deltas.json without abort or loss."""

import json
from pathlib import Path
from typing import Any

import pytest

from clients.chat import APIError, ChatError, stream_chat
from protocol.sse import ServerSentEvent, encode_event

from ..servers.openai_proxy.fake_api import END, EVENTS, chunked, fake_api, whole
from .http.asking import ASK, DONE, JSON, STOP

VECTORS = Path(__file__).parents[1] / "vectors" / "deltas.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text("utf-8"))


def events_of(case: dict[str, Any]) -> list[ServerSentEvent]:
    return [
        ServerSentEvent(**one) if isinstance(one, dict) else ServerSentEvent(data=one)
        for one in case["events"]
    ]


def response(case: dict[str, Any]) -> bytes:
    if "body" in case:
        return whole(case["body"].encode(), "500 No", JSON)
    stream = b"".join(map(encode_event, events_of(case)))
    return EVENTS + chunked(stream + STOP + DONE) + END


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
async def test_vector(case: dict[str, Any]) -> None:
    said = thinking = ""
    failed: ChatError | None = None
    async with fake_api(response(case)) as api:
        try:
            async with stream_chat(f"http://127.0.0.1:{api.port}/v1", ASK) as answer:
                async for delta in answer:
                    said += delta.said
                    thinking += delta.thinking
        except ChatError as error:
            failed = error
    expect = case["expect"]
    assert said == expect.get("text", "") + expect.get("refusal", "")
    assert thinking == expect.get("thinking", "")
    if "body" in case or "error" in expect:
        assert isinstance(failed, APIError)
        assert expect.get("error", {}).get("message", "(status 500)") in str(failed)
    else:
        assert failed is None
