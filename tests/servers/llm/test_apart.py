"""What takes long is done apart, in a thread: all other streams wait for what the loop does."""

from threading import current_thread, main_thread
from types import ModuleType
from typing import Any

import pytest

from servers.chat import routes
from servers.llm import api, chat_completions, model
from servers.llm.api import LARGE_BODY
from servers.pace import Pace

from ..driving import ask
from .asking import post

LONG = {"messages": [{"role": "user", "content": "x" * LARGE_BODY}]}
WORK: dict[str, tuple[ModuleType, str, dict[str, Any], bool]] = {
    "a short body": (api, "read_chat_request", {}, False),
    "a long body": (api, "read_chat_request", LONG, True),
    "what it asks": (chat_completions, "question_of", LONG, True),
    "its tokens": (api, "count_tokens", LONG, True),
    "a stop sequence": (model, "cut_at_stop", {"model": "lorem", "stop": "z"}, True),
    "a schema": (model, "fill", {"response_format": {"type": "json_object"}}, True),
}


@pytest.mark.parametrize(("module", "name", "fields", "apart"), WORK.values(), ids=WORK)
async def test_where_it_is_done(
    module: ModuleType,
    name: str,
    fields: dict[str, Any],
    apart: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work, done_by = getattr(module, name), []

    def watched(*arguments: object) -> object:
        done_by.append(current_thread())
        return work(*arguments)

    monkeypatch.setattr(module, name, watched)
    reply = await ask(routes(Pace(0, 0)), post(**fields))
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert {thread is not main_thread() for thread in done_by} == {apart}
