"""Importing this module registers all mutants (`MUTANTS`)."""

from . import chunked, conn, head, live, openai, openai_errors, openai_options, responses, sse

__all__ = [
    "chunked",
    "conn",
    "head",
    "live",
    "openai",
    "openai_errors",
    "openai_options",
    "responses",
    "sse",
]
