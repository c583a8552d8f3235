"""The layout of `workshop COMMAND --help`: line breaks and colons as Chinese needs them.

    选项：                           argparse writes an English colon after a heading: 选项:
      -h, --help  显示这份帮助       argparse breaks lines at spaces only

Standard library only, and no syntax newer than Python 3.8, because `workshop doctor` needs it.
"""

import argparse
import re

from .language import wrap

__all__ = ["HelpFormatter"]


class HelpFormatter(argparse.HelpFormatter):
    """Also breaks the lines of a help text between Chinese characters."""

    def _split_lines(self, text: str, width: int) -> "list[str]":
        return wrap(" ".join(text.split()), width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in self._split_lines(text, width - len(indent)))

    def format_help(self) -> str:
        """Return the help, with a full-width colon after each Chinese heading."""
        return re.sub(r"(?m)([\u3400-\u9fff]):$", r"\1：", super().format_help())
