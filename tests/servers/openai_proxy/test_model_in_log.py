"""The model's name in the log: it comes from the client, and may contain a key."""

import json

import pytest

from servers.http.redact import Secret
from servers.http.reply import Request
from servers.openai_proxy.handlers import MAX_MODEL, Upstream, _asked_of

from .fake_api import KEY

NAMES = {
    "unchanged": ("gpt-4o-mini", "gpt-4o-mini"),
    "shortened": ("x" * 81, "x" * 80),
    "not printable": ("a\nb\x1b[31m\u2028", "a?b?[31m?"),
    "a key": (f"gpt-4o {KEY}", "gpt-4o [redacted]"),
    "a key at the limit": ("x" * 70 + KEY, "x" * 70 + "[redacted]"),
    "a key across the limit": ("x" * 76 + KEY, "x" * 76 + "[red"),
    "a key of no known form": ("x" * 71 + "a-key-of-no-known-form", "x" * 71 + "[redacted"),
    "no name": ("x" * (MAX_MODEL + 1), "?"),
}


@pytest.mark.parametrize(("name", "shown"), NAMES.values(), ids=NAMES)
def test_a_name(name: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redacted first, then shortened: `redact` does not find half a key."""
    monkeypatch.setattr(Secret, "known", set())
    Upstream("http://localhost/v1", Secret(KEY))
    Secret("a-key-of-no-known-form")
    body = json.dumps({"model": name}).encode()
    assert _asked_of(Request("POST", "/v1/responses", "", (), body, {})) == (shown, 1)


@pytest.mark.parametrize(
    ("n", "answers"),
    [("2", 2), ("128", 128), ("0", 1), ("-1", 1), ("null", 1), ('"2"', 1), ("true", 1), ("2.5", 1)],
)
def test_number_of_answers(n: str, answers: int) -> None:
    """Any other value is the upstream's to refuse."""
    body = f'{{"model":"m","n":{n}}}'.encode()
    assert _asked_of(Request("POST", "/v1/chat/completions", "", (), body)) == ("m", answers)
