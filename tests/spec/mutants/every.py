"""Importing this module registers all mutants (`MUTANTS`)."""

from . import http

__all__ = ["http"]
