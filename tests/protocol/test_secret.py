"""Keys kept out of sight."""

import pytest

from protocol.secret import Secret, redact

KEY = Secret("a-key-of-no-known-form")


def test_a_secret_shows_nothing() -> None:
    for shown in (repr(KEY), str(KEY), f"{KEY}", f"{[KEY]}"):
        assert KEY.reveal() not in shown


@pytest.mark.parametrize("names", [("a-key", "a-key-too"), ("a-key-too", "a-key")])
def test_one_that_begins_with_another(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No end of the longer one is left, in whatever order they are known."""
    monkeypatch.setattr(Secret, "known", dict.fromkeys(names))
    assert redact("a-key, a-key-too") == "[redacted], [redacted]"


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
