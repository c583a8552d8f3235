"""The chat page's saved conversations under Node: storage that is good, full, damaged, missing, of
another window, or of an older page; and the versions of a conversation."""

import json
import subprocess
from itertools import chain
from typing import Any

import pytest

from .peers import ROOT, SAFETY, need

RUNNER = ROOT / "tests" / "interop" / "page_storage.mjs"
KEY = "workshop.chat."


def question(text: Any = "asked", **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def answer(text: Any = "said", **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def chat(*messages: Any, saved: Any = 1, title: Any = "title") -> str:
    return json.dumps({"title": title, "saved": saved, "messages": messages})


def browse(*browsers: dict[str, Any]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [need("node", "nodejs"), RUNNER, ROOT / "servers" / "page"],
        input=json.dumps(browsers),
        capture_output=True,
        timeout=SAFETY,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr[-1000:]) == (0, "")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def told(*steps: Any, **browser: Any) -> list[Any]:
    """What each step returns, in one browser."""
    (one,) = browse({"steps": steps, **browser})
    return list(one["told"])


# ---- Damage

ODD: list[Any] = [None, True, 7, -1.5, "", "text", [], [[]], {}, {"length": 1}, {"toString": 1}]
FIELDS = ["role", "content", "thinking", "ending", "seconds", "stats", "calls", "at", "others"]
WHOLE = answer(
    thinking="hm",
    ending=["complete", "", 0],
    seconds=1,
    stats="s",
    calls=[{"id": "c", "name": "f", "arguments": "{}", "result": "42"}],
    at=1,
    others=[[answer("first")]],
)
DAMAGED: list[str] = [
    "",
    "{",
    *map(json.dumps, ODD),
    *(json.dumps({"title": "t", "saved": 1, "messages": odd}) for odd in ODD),
    *(chat(WHOLE, saved=odd) for odd in ODD),
    *(chat(WHOLE, title=odd) for odd in ODD),
    *(chat(odd) for odd in ODD),
    *(
        chat({**message, name: odd})
        for message in (WHOLE, question())
        for name in FIELDS
        for odd in [*ODD, [1, None], [{}, {}], [[{}]], [[WHOLE]]]
    ),
    '{"__proto__":{"messages":[]}}',
]
MESSAGE = {
    "thinking": str,
    "seconds": int | float,
    "stats": str,
    "calls": list,
    "refused": bool,
    "ending": list,
}


def is_whole(message: dict[str, Any]) -> bool:
    if message["role"] == "assistant":
        assert all(isinstance(message[name], kind) for name, kind in MESSAGE.items()), message
        assert [type(each) for each in message["ending"][:2]] == [str, str]
    if "others" in message:
        assert 0 <= message["at"] <= len(message["others"])
        assert all(map(is_whole, chain(*message["others"])))
    return isinstance(message["content"], str)


def test_a_damaged_conversation_harms_nothing() -> None:
    """Whatever was stored, the conversation has the right types or is not listed; asking goes on
    beside it, and nothing that cannot be read is overwritten."""
    good = chat(question("kept"))
    steps = [["list"], ["open", "a"], ["new", "b", "hello"], ["save", "b"], ["list"]]
    for text, found in zip(
        DAMAGED,
        browse(
            *({"stored": {KEY + "a": text, KEY + "good": good}, "steps": steps} for text in DAMAGED)
        ),
        strict=True,
    ):
        listed, opened, _, saved, after = found["told"]
        assert listed["unreadable"] == (opened is None), text
        assert opened is None or all(map(is_whole, opened["messages"])), text
        assert saved == "saved"
        assert after["ids"][0] == "b"
        assert "good" in after["ids"]
        assert found["stored"][KEY + "a"] == text
        assert found["stored"][KEY + "good"] == good


@pytest.mark.parametrize(
    "message", [answer(7), {"role": "system"}, None, answer(others=[[answer(), {}]])]
)
def test_a_conversation_with_a_loss_is_saved_as_a_copy(message: Any) -> None:
    text = chat(question(), message)
    (found,) = browse({"stored": {KEY + "a": text}, "steps": [["open", "a"], ["save", "a"]]})
    assert found["told"][0]["lost"] == 1
    assert found["told"][1] == ["copied", True]
    assert found["stored"][KEY + "a"] == text
    assert len(found["stored"]) == 2


def test_what_cannot_be_read_is_deleted_only_on_request() -> None:
    older = [{"id": 1, "messages": []}, {"id": 2}, None]
    (found,) = browse(
        {
            "stored": {KEY + "a": "{", KEY + "b": chat(), "workshop.chats": json.dumps(older)},
            "steps": [["list"], ["removeUnreadable"], ["list"]],
        }
    )
    assert found["told"] == [
        {"ids": ["b", "1"], "unreadable": 3}, None, {"ids": ["b", "1"], "unreadable": 0},
    ]  # fmt: skip


def test_versions_that_are_nested_too_deep_are_not_lost() -> None:
    deep = answer()
    for _ in range(60):
        deep = answer(at=1, others=[[deep]])
    opened, saved = told(["open", "a"], ["save", "a"], stored={KEY + "a": chat(deep)})
    assert opened["lost"] == 1
    assert saved == ["copied", True]


# ---- The older format

OLDER = [
    {"id": 0.25, "title": "newer", "messages": [question(), answer(ending=["cut", "cut off"])]},
    {"id": 1, "title": "older", "messages": [question("hm")]},
    "damaged",
]


def test_the_older_format_is_read_and_left_where_it_is() -> None:
    """Until a conversation is continued or deleted: then only that one moves."""
    stored = {"workshop.chats": json.dumps(OLDER), KEY + "k": chat(question())}
    (found,) = browse({
        "stored": stored,
        "steps": [
            ["list"], ["open", "0.25"], ["say", "0.25", "more"], ["save", "0.25"], ["list"],
            ["remove", "1"], ["list"],
        ],
    })  # fmt: skip
    listed, opened, _, saved, after, _, last = found["told"]
    assert listed == {"ids": ["k", "0.25", "1"], "unreadable": 1}
    assert [message["content"] for message in opened["messages"]] == ["asked", "said"]
    assert opened["messages"][1]["ending"] == ["cut", "cut off", 0]
    assert saved == "saved"
    assert after["ids"] == ["0.25", "k", "1"]
    assert last["ids"] == ["0.25", "k"]
    assert json.loads(found["stored"]["workshop.chats"]) == ["damaged"]
    assert found["stored"].keys() == {"workshop.chats", KEY + "k", KEY + "0.25"}


def test_a_deletion_is_undone_exactly() -> None:
    """The parts that this page cannot read are there again, too."""
    damaged = chat(question(more=[1]), None)
    stored = {"workshop.chats": json.dumps(OLDER), KEY + "k": damaged}
    for chat_id in ("k", "0.25"):
        steps = [["remove", chat_id], ["list"], ["undo"]]
        (found,) = browse({"stored": stored, "steps": steps})
        assert chat_id not in found["told"][1]["ids"]
        assert {key: json.loads(text) for key, text in found["stored"].items()} == {
            key: json.loads(text) for key, text in stored.items()
        }


# ---- Limits, and other windows


def test_a_full_storage_deletes_nothing() -> None:
    """The conversation is kept in memory. The reader may delete the oldest ones to make room."""
    text = "x" * 100
    stored = {f"{KEY}{n}": chat(question(text), saved=n) for n in range(1, 4)}
    for limits in ({"room": 700}, {"limit": 700}):
        limit = [limits["limit"]] if "limit" in limits else []
        (found,) = browse({
            "stored": stored,
            "room": limits.get("room", 5000),
            "steps": [
                ["new", "a", text * 3], ["save", "a", *limit], ["list"], ["open", "a"],
                ["room", "a", *limit], ["list"],
            ],
        })  # fmt: skip
        _, saved, listed, opened, deleted, after = found["told"]
        assert saved == "full"
        assert listed["ids"] == ["a", "3", "2", "1"]
        assert opened["messages"] == [question(text * 3)]
        assert deleted == 2
        assert after["ids"] == ["a", "3"]
        assert set(found["stored"]) == {KEY + "a", KEY + "3"}


def test_without_a_storage_conversations_last_as_long_as_the_page() -> None:
    steps = [
        ["new", "a", "x"],
        ["save", "a"],
        ["new", "b", "y"],
        ["save", "b"],
        ["list"],
        ["remove", "a"],
        ["list"],
    ]
    found = told(*steps, room=None)
    assert found[1] == "full"
    assert sorted(found[4]["ids"]) == ["a", "b"]
    assert found[6]["ids"] == ["b"]


def test_two_windows_keep_both_continuations() -> None:
    """The second window to save has not seen what the first one said: it saves a copy."""
    (found,) = browse({
        "stored": {KEY + "a": chat(question())},
        "steps": [
            ["open", "a"], ["open", "other", "a"], ["say", "a", "one"], ["say", "other", "two"],
            ["save", "a"], ["save", "other"], ["save", "a"], ["save", "a"],
        ],
    })  # fmt: skip
    assert found["told"][4:] == ["saved", ["copied", True], "saved", "saved"]
    said = [json.loads(text)["messages"][-1]["content"] for text in found["stored"].values()]
    assert said == ["one", "two"]


def test_many_foreign_conversations_do_not_block() -> None:
    """100,000 conversations that another program left are read once, and none is deleted."""
    older = json.dumps([{"id": n, "title": "t", "messages": []} for n in range(100_000)])
    steps = [["new", "a", "x"], ["save", "a"]]
    (found,) = browse({"stored": {"workshop.chats": older}, "steps": steps})
    assert found["told"][1] == "saved"
    assert found["stored"]["workshop.chats"] == older


# ---- Versions


def test_versions() -> None:
    """Another version of the rest begins at a place; each keeps what followed it."""
    steps = [
        ["new", "a", "q"],
        ["put", "a", 1, "one"],
        ["put", "a", 1, "two"],
        ["say", "a", "more"],
        ["put", "a", 1, "three"],
        ["turn", "a", 1, -1],
        ["put", "a", 0, "Q"],
        ["turn", "a", 0, -1],
        ["turn", "a", 1, -1],
        ["turn", "a", 1, -1],
        ["turn", "a", 1, 9],
    ]
    assert told(*steps) == [
        None,
        ["q", "one"],
        ["q", "two 2/2"],
        None,
        ["q", "three 3/3"],
        ["q", "two 2/3", "more"],
        ["Q 2/2"],
        ["q 1/2", "two 2/3", "more"],
        ["q 1/2", "one 1/3"],
        ["q 1/2", "one 1/3"],
        ["q 1/2", "three 3/3"],
    ]


def test_versions_are_saved() -> None:
    steps = [["new", "a", "q"], ["put", "a", 0, "Q"], ["save", "a"]]
    (first,) = browse({"steps": steps})
    stored = first["stored"]
    assert json.loads(stored[KEY + "a"])["messages"] == [
        question("Q", at=1, others=[[question("q")]])
    ]
    assert told(["open", "a"], ["turn", "a", 0, -1], stored=stored)[1] == ["q 1/2"]


def test_versions_have_a_limit() -> None:
    """The oldest one is dropped."""
    *_, last, first = told(
        ["new", "a", "0"], *(["put", "a", 0, str(n)] for n in range(1, 60)), ["turn", "a", 0, -99]
    )
    assert last == ["59 50/50"]
    assert first == ["10 1/50"]


# ---- The request

CALL = {"id": "c", "name": "f", "arguments": "{}"}
SENT_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def test_what_is_sent() -> None:
    """No thoughts, no empty message, and a tool call only with its result."""
    messages = [
        question("a"), answer("b", thinking="hm"), question("c"), answer(""), question("d"),
        answer("", calls=[CALL]), question("e"), answer("", calls=[CALL | {"result": "42"}]),
        answer("f", calls=[CALL | {"result": ""}]), answer("g", calls=[CALL]),
    ]  # fmt: skip
    _, sent, whole = told(
        ["open", "a"], ["send", "a", ""], ["send", "a", "Be brief."],
        stored={KEY + "a": chat(*messages)},
    )  # fmt: skip
    assert sent == [
        question("a"), answer("b"), question("c"), question("d"), question("e"),
        {"role": "assistant", "content": None, "tool_calls": [SENT_CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "42"},
        {"role": "assistant", "content": "f", "tool_calls": [SENT_CALL]},
        {"role": "tool", "tool_call_id": "c", "content": ""},
        answer("g"),
    ]  # fmt: skip
    assert whole == [{"role": "system", "content": "Be brief."}, *sent]
