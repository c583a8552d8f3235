"""Keys kept out of sight."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from protocol.secret import REDACTED, Secret, quoted, redact

KEY = Secret("a-key-of-no-known-form")


def test_a_secret_shows_nothing() -> None:
    for shown in (repr(KEY), str(KEY), f"{KEY}", f"{[KEY]}"):
        assert KEY.reveal() not in shown


@pytest.mark.parametrize("names", [("a-key-one", "a-key-one-too"), ("a-key-one-too", "a-key-one")])
def test_one_that_begins_with_another(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No end of the longer one is left, in whatever order they are known."""
    monkeypatch.setattr(Secret, "known", dict.fromkeys(names))
    assert redact("a-key-one, a-key-one-too") == "[redacted], [redacted]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nothing here", "nothing here"),
        (f"no such key: {KEY.reveal()}!", "no such key: [redacted]!"),
        ("Incorrect API key: sk-proj-abc_123.", "Incorrect API key: [redacted]."),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ("proxy-authorization: basic bWU6eA==", "proxy-authorization: basic [redacted]"),
        ("http://me:pw@proxy:3128", "http://[redacted]@proxy:3128"),
        ("a task-force, risk-averse", "a task-force, risk-averse"),
    ],
)
def test_redact(text: str, shown: str) -> None:
    assert redact(text) == shown


AWKWARD = Secret("pa/ss+wörd'\"&=\\ \N{SNOWMAN} with everything")


@pytest.mark.parametrize(
    "form",
    [
        AWKWARD.reveal(),
        json.dumps(AWKWARD.reveal()),
        json.dumps(AWKWARD.reveal(), ensure_ascii=False),
        json.dumps(AWKWARD.reveal()).replace("/", "\\/"),
        json.dumps(json.dumps(AWKWARD.reveal())),
        repr(AWKWARD.reveal()),
        repr(AWKWARD.reveal().encode()),
        repr(json.dumps(AWKWARD.reveal()).encode()),
        quote(AWKWARD.reveal()),
        quote(AWKWARD.reveal(), safe=""),
        quote_plus(AWKWARD.reveal()),
        quote(AWKWARD.reveal()).replace("%C3%B6", "%c3%b6").lower(),
        html.escape(AWKWARD.reveal()),
        AWKWARD.reveal().encode().hex(),
        *(
            base64.b64encode(b"x" * n + AWKWARD.reveal().encode() + b"yz").decode()
            for n in range(4)
        ),
        base64.urlsafe_b64encode(AWKWARD.reveal().encode()).decode(),
    ],
)
def test_a_key_in_any_form(form: str) -> None:
    """No six characters in a row of it are left, but for the ends of base64."""
    shown = redact(f"upstream said: {form}!")
    assert REDACTED in shown
    rest = shown.replace(REDACTED, "").removeprefix("upstream said: ")
    assert len(rest) < 12, shown


@pytest.mark.parametrize("size", range(12, len("a-key-of-no-known-form")))
def test_a_key_that_was_cut(size: int) -> None:
    assert redact(f"no such key: {KEY.reveal()[:size]}") == "no such key: [redacted]"


def test_two_keys_that_begin_alike_and_were_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Secret, "known", {"a-key-of-one-person", "a-key-of-one-program"})
    assert redact("a-key-of-one-pro, a-key-of-one-pers") == "[redacted], [redacted]"


def test_fewer_characters_are_not_known_for_a_key() -> None:
    assert redact("a-key-of-no") == "a-key-of-no"


def test_a_short_value_is_not_looked_for() -> None:
    """A key of one letter, as local servers take it, is in every text."""
    assert Secret("x").reveal() == "x"
    assert redact("extra text") == "extra text"


def test_quoted_redacts_and_then_cuts() -> None:
    line = b"bad line: " + b"z" * 60 + KEY.reveal().encode() + b" and more of it"
    assert quoted(line, 80) == repr(b"bad line: " + b"z" * 60)[:-1] + "[redacte…"
    assert quoted(b"short", 80) == "b'short'"
