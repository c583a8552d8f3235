"""What the simulated model says to a prompt, asked of its own code: what servers must deliver; and
what an error says, as far as the words are ours."""

from servers.llm.model.conversation import Answer, Question, Turn
from servers.llm.model.models import MODEL, Model

from .at_once import at_once


def answer(prompt: str) -> Answer:
    """The answer of `sim-1` where nothing else is asked for."""
    (said,) = at_once(Model().answers(Question(model=MODEL, turns=[Turn("user", prompt)])))
    return said


def says(told: str, message: str) -> bool:
    """Whether this is the message; after one that ends in "…" come words that are not ours."""
    ours = message.removesuffix("…")
    return told.startswith(ours) and (told != ours) == message.endswith("…")
