"""Importing this module registers all mutants (`MUTANTS`)."""

from . import http, openai, openai_errors, openai_options, responses, sse

__all__ = ["http", "openai", "openai_errors", "openai_options", "responses", "sse"]
