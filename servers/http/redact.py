"""Logs without keys: every line passes `redact`, the text of exceptions too."""

import logging

from protocol.secret import Secret, redact

__all__ = ["RedactingFormatter", "Secret", "redact"]


class RedactingFormatter(logging.Formatter):
    """Formats a log record, tracebacks included, without any key."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
