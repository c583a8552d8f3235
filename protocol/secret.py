"""Keys kept out of sight: in logs, errors, tracebacks and `repr`.

    Secret("sk-proj-abc123…")      shows as  Secret(…)
    "no such key: sk-proj-abc123"  becomes   "no such key: [redacted]"

A key is wrapped where it is read, and unwrapped only where the header is written that carries it.
What may still quote one (an upstream's error message, an exception's text) goes through `redact`,
and so does every line of every log (servers/redact.py).
"""

import re
from typing import ClassVar

__all__ = ["Secret", "redact"]

# What looks like a key wherever it stands: OpenAI's form, credentials in a header or a URL.
SUSPECTS = re.compile(
    r"\bsk-[\w-]{6,}|(?<=bearer )[\w.~+/-]+=*|(?<=basic )[\w+/]+=*|(?<=://)[^/\s@]+(?=@)",
    re.IGNORECASE,
)

REDACTED = "[redacted]"


class Secret:
    """A text that shows nothing of itself unless it is asked to."""

    known: ClassVar[set[str]] = set()  # all there are in this process, for `redact`

    def __init__(self, value: str) -> None:
        self._value = value
        self.known.add(value)

    def reveal(self) -> str:
        """The text."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


def redact(text: str) -> str:
    """The same text without what is a key, or looks like one."""
    for secret in sorted(Secret.known, key=len, reverse=True):  # one may begin with another
        text = text.replace(secret, REDACTED)
    return SUSPECTS.sub(REDACTED, text)
