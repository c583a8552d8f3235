"""What a case raises: `Failed` for a server that breaks the rule, `Skipped` if nobody can tell."""

from .answer import Answer

__all__ = ["Failed", "Skipped"]


class Failed(Exception):
    """The server breaks the rule.

    Args:
        say: One sentence that says what is wrong with what came.
        answer: The response that shows it; None if the reason is not in one response.
        at: Offset of the byte that breaks the rule, in the bytes that came; None for none.
        cause: The likely cause and what to change, if the case knows it better than x-ray.
        came: What came, in words, where there is no single response to show.
    """

    def __init__(
        self,
        say: str,
        answer: Answer | None = None,
        *,
        at: int | None = None,
        cause: str = "",
        came: str = "",
    ) -> None:
        super().__init__(say)
        self.say = say
        self.answer = answer
        self.at = at
        self.cause = cause
        self.came = came


class Skipped(Exception):
    """It cannot be found out here whether the server keeps the rule. The message says why."""
