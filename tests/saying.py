"""The text that servers must deliver, from the simulated model's own code, and a comparison for
error messages whose end is not ours."""

from servers.llm.model.conversation import Answer, Question, Turn
from servers.llm.model.models import MODEL, Model

from .at_once import at_once


def answer(prompt: str) -> Answer:
    """Return the answer of `sim-1` to a prompt, with default settings."""
    (said,) = at_once(Model().answers(Question(model=MODEL, turns=[Turn("user", prompt)])))
    return said


def says(told: str, message: str) -> bool:
    """Return whether `told` is the message; "…" at its end stands for words that are not ours."""
    ours = message.removesuffix("…")
    return told.startswith(ours) and (told != ours) == message.endswith("…")
