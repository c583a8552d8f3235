"""The model's name in the log: a client has written it, and perhaps its key into it."""

import json

import pytest

from servers.http.redact import Secret
from servers.http.reply import Request
from servers.openai_proxy.handlers import MAX_MODEL, Upstream, _model_of

from .behind import KEY

NAMES = {
    "as it came": ("gpt-4o-mini", "gpt-4o-mini"),
    "cut": ("x" * 81, "x" * 80),
    "not printable": ("a\nb\x1b[31m\u2028", "a?b?[31m?"),
    "a key": (f"gpt-4o {KEY}", "gpt-4o [redacted]"),
    "a key where it is cut": ("x" * 70 + KEY, "x" * 70 + "[redacted]"),
    "a key where a little of it is left": ("x" * 76 + KEY, "x" * 76 + "[red"),
    "a key of no known form": ("x" * 71 + "a-key-of-no-known-form", "x" * 71 + "[redacted"),
    "no name": ("x" * (MAX_MODEL + 1), "?"),
}


@pytest.mark.parametrize(("name", "shown"), NAMES.values(), ids=NAMES)
def test_a_name(name: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redacted first, and then cut: half a key looks like none."""
    monkeypatch.setattr(Secret, "known", set())
    Upstream("http://localhost/v1", Secret(KEY))
    Secret("a-key-of-no-known-form")
    body = json.dumps({"model": name}).encode()
    assert _model_of(Request("POST", "/v1/responses", "", (), body, {})) == shown
