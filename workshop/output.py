"""Standard output that takes no more: the reader of a pipe has gone, or a disk is full."""

from __future__ import annotations  # so that an old Python can import it

import os
import sys

__all__ = ["discard_output", "output_error"]


def output_error(end: str = "\n") -> OSError | None:
    """The error of standard output, if it can no longer be written.

    Args:
        end: Written to find out, after the rest of the output. An exception does not tell, because
            an error of the output is like that of a file, and Python may have dropped what it could
            not write.
    """
    try:
        if end:
            print(end=end)
        if sys.stdout is not None:  # as it is after `>&-`
            sys.stdout.flush()
    except OSError as error:
        return error
    return None


def discard_output() -> None:
    """Let the rest of the output go nowhere. At exit, Python writes what is in its buffer, which
    would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
