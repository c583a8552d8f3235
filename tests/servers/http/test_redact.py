"""Keys kept out of the logs."""

import io
import logging

from servers.http.redact import RedactingFormatter, Secret

KEY = Secret("a-key-of-no-known-form")


def test_a_log_with_a_traceback() -> None:
    """Keys are removed from the text of the exception, too."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(RedactingFormatter("%(message)s"))
    log = logging.getLogger("test_redact")
    log.addHandler(handler)
    try:
        raise ValueError(f"bad: {KEY.reveal()}")
    except ValueError:
        log.exception("with %s", KEY.reveal())
    finally:
        log.removeHandler(handler)
    assert KEY.reveal() not in out.getvalue()
    assert "with [redacted]" in out.getvalue()
    assert "ValueError: bad: [redacted]" in out.getvalue()
