"""`fill` and `cut` of the schema's module as plain functions."""

from typing import Any

from servers.llm.model import schema

from ....at_once import at_once

__all__ = ["cut", "fill"]


def fill(wanted: dict[str, Any] | bool, seed: str | int = 0, hint: str = "") -> object:
    return at_once(schema.fill(wanted, seed, hint))


def cut(text: str, seed: str | int = 0) -> list[str]:
    return list(schema.cut(text, seed))
