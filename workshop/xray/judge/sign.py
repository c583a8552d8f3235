"""The result of a signature: how sure it is, and what it measured.

Sign(0.95, block=4096)            a claim: over 0.5 it must be right
Sign(0.4, word="that")            a suspicion: it makes the verdict `unsure`
"""

__all__ = ["Sign"]


class Sign:
    """One finding of a signature.

    Args:
        sure: How sure, from 0 to 1.
        facts: The measured values, by name.
    """

    def __init__(self, sure: float, **facts: float | int | str) -> None:
        self.sure = sure
        self.facts = facts

    @property
    def is_claim(self) -> bool:
        """Whether the finding is more likely right than wrong."""
        return self.sure > 0.5


# What this file does not do: explain the facts (verdicts.py).
