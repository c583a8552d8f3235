"""The log on standard error: lines in a queue, and a thread that writes them.

    08:00:00 200 GET /chat/{text} 12 pieces, 900 bytes, done
    08:00:09 200 GET / 26 pieces, 170 bytes, done
    …                                                          Ctrl-S, or a full pipe: nobody reads
    (1204 lines of the log are lost: nobody read it)

A write to a terminal that is paused (Ctrl-S), or to a full pipe, waits until somebody reads. In the
event loop that wait would stop every stream of the server.

The rules this file keeps:

1. Code that logs never waits.
2. Lines keep their order. The queue has a limit; lines beyond it are lost, and their number is
   written in their place.
3. At exit the rest of the queue is written, but for one second at most.
"""

import logging
import os
import select
import sys
from threading import Condition, Thread

from .redact import RedactingFormatter

__all__ = ["QueuedLog", "show_log", "tell"]

EXIT_SECONDS = 1.0


class QueuedLog(logging.Handler):
    """A logging handler whose lines are written by a thread.

    Args:
        fileno: File descriptor to which the lines are written. 2 is standard error.
        max_size: Largest size of the queue, in bytes.
    """

    def __init__(self, fileno: int = 2, max_size: int = 1 << 20) -> None:
        super().__init__()
        self._fileno = fileno
        self._max_size = max_size
        self._encoding = sys.stderr.encoding if sys.stderr else "utf-8"
        self._lines: list[bytes] = []
        self._size = 0
        self._lost = 0
        self._writing = False
        self._changed = Condition()
        self._thread: Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
        else:
            self.put(line)

    def put(self, line: str) -> None:
        """Queue a line for writing, without formatting it."""
        data = (line + "\n").encode(self._encoding, "backslashreplace")
        with self._changed:
            # Rule 2: after one line is lost, all further lines are dropped until the thread has
            # taken the queue.
            if self._lost or self._size + len(data) > self._max_size:
                self._lost += 1
                return
            self._lines.append(data)
            self._size += len(data)
            if self._thread is None:  # a daemon: a blocked write must not keep the process alive
                self._thread = Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until the queue is written, for a second at most. `logging` calls it at exit."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._lines or self._writing), EXIT_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                lines, self._lines, self._size = self._lines, [], 0
                lost, self._lost = self._lost, 0
                self._writing = True
            if lost:
                lines.append(b"(%d lines of the log are lost: nobody read it)\n" % lost)
            self._write(b"".join(lines))
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _write(self, data: bytes) -> None:
        # This does not use sys.stderr: Python takes its lock at exit, and a blocked write would
        # hold that lock.
        while data:
            try:
                data = data[os.write(self._fileno, data) :]
            except BlockingIOError:  # another program has made the terminal non-blocking
                select.select([], [self._fileno], [])
            except OSError:  # a full disk or a closed pipe: the error cannot be written either
                return


def show_log(quiet: bool) -> None:
    """Send the log of all servers to standard error.

    Args:
        quiet: Whether to show warnings and errors only.
    """
    level = logging.WARNING if quiet else logging.INFO
    handler = QueuedLog()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=level)


def tell(line: str) -> None:
    """Write a line to standard error, in order with the lines of the log."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, QueuedLog):
            handler.put(line)
            return
    print(line, file=sys.stderr)


# What this file does not do: write a log to a file, or limit the size of a file.
