"""A log without keys: `redact` removes them from every line, including tracebacks."""

import logging

from protocol.secret import Secret, redact

__all__ = ["RedactingFormatter", "Secret", "redact"]


class RedactingFormatter(logging.Formatter):
    """Formats a log record and its traceback without any key."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
