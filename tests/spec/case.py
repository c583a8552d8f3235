"""One case of the suite: a rule, and a function that finds out whether a server keeps it.

    @case(
        "chunked.size-is-bytes",
        MUST, "RFC 9112 §7.1",
        "The chunk-size field is a string of hex digits indicating the size of the chunk-data in"
        " octets.",
        code="protocol/chunked.py: def encode_chunk",
        lesson=3,
    )
    async def size_is_bytes(target: Target) -> None:
        answer = await target.answer()
        if answer.framing_error:
            raise Failed("A chunk-size does not fit its data.", answer, at=answer.error_at)

The rules this file keeps:

1. A case returns if the rule is kept. It raises `Failed` if it is broken, and `Skipped` if this
   server, or a noisy machine, does not let us see whether it is.
2. The level decides the result of a broken rule: MUST is FAIL, SHOULD is WARN. CUSTOM is a rule of
   this suite, which no standard has: FAIL, or WARN for a policy that servers may choose.
3. A slug never changes. Its first part is the family, and the family belongs to a profile.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .result import Failed, Skipped
from .target import Target

__all__ = [
    "CASES",
    "CUSTOM",
    "FAMILIES",
    "LESSONS",
    "MUST",
    "PROFILES",
    "SHOULD",
    "Case",
    "Failed",
    "Level",
    "Skipped",
    "case",
]

Level = Literal["MUST", "SHOULD", "custom"]
MUST: Level = "MUST"
SHOULD: Level = "SHOULD"
CUSTOM: Level = "custom"

ROOT = Path(__file__).parent.parent.parent

PROFILES = {
    "http": ("http",),
    "sse": ("http", "sse"),
    "openai": ("http", "sse", "openai"),
    "responses": ("http", "sse", "responses"),
}
"""The families' profiles that each profile of the command line includes."""

FAMILIES = {
    "chunked": "http",
    "head": "http",
    "conn": "http",
    "http10": "http",
    "live": "http",
    "cancel": "http",
    "pressure": "http",
    "sse": "sse",
    "utf8": "sse",
    "openai": "openai",
    "responses": "responses",
}

LESSONS = {
    int(path.name[:2]): f"workshop/{path.name}/README.md"
    for path in sorted((ROOT / "workshop").glob("[0-9][0-9]_*"))
}


Check = Callable[[Target], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """One case.

    Args:
        slug: Its name, FAMILY.what-is-right.
        level: How strict the rule is.
        section: Where the rule stands: "RFC 9112 §7.1", "HTML §9.2.6", "OpenAI: streaming".
        rule: The rule's sentence: for a standard, in its own words.
        check: The function that tries it.
        code: The place in this project that keeps the rule, "FILE: TEXT OF THE LINE".
        lesson: Number of the lesson that explains it.
        cause: What usually breaks the rule, and what to change.
        warns: A broken rule is only a WARN (for CUSTOM: a policy).
        alone: The case measures times, so no other case may run beside it.
        repeats: The case measures several times itself, so that a failure need not happen twice.
    """

    slug: str
    level: Level
    section: str
    rule: str
    check: Check = field(repr=False)
    code: str
    lesson: int
    cause: str = ""
    warns: bool = False
    alone: bool = False
    repeats: bool = False

    @property
    def family(self) -> str:
        return self.slug.partition(".")[0]

    @property
    def profile(self) -> str:
        return FAMILIES[self.family]

    @property
    def place(self) -> str:
        """File and line of the function."""
        code = self.check.__code__
        return f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_firstlineno}"

    @property
    def code_place(self) -> str:
        """File and line of the code that keeps the rule here.

        Raises:
            LookupError: There is no such line.
        """
        name, _, text = self.code.partition(": ")
        lines = (ROOT / name).read_text("utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            if text in line:
                return f"{name}:{number}"
        raise LookupError(f"{self.slug}: no line of {name} has {text!r}")


CASES: dict[str, Case] = {}
"""All cases by their slugs, once `tests.spec.cases` is imported."""


def case(
    slug: str,
    level: Level,
    section: str,
    rule: str,
    *,
    code: str,
    lesson: int,
    cause: str = "",
    warns: bool = False,
    alone: bool = False,
    repeats: bool = False,
) -> Callable[[Check], Check]:
    """Register the function below as a case. See `Case` for the arguments."""

    def register(check: Check) -> Check:
        assert slug not in CASES, f"two cases are named {slug}"
        flags = (warns, alone, repeats)
        CASES[slug] = Case(slug, level, section, rule, check, code, lesson, cause, *flags)
        return check

    return register


# What this file does not do: run a case (engine.py), or show a failure (failure.py).
