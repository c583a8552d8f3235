"""The floor in Python: one loop that sends one constant frame for each token that is due.

It has what a paced token cannot be without: a schedule, of slots of 5 ms as the engine has, and one
`send`. Nothing is built from a token. The requests are read as in `send_loop.py`.
"""

import time
from collections.abc import Iterator

from .answer import start
from .send_loop import Loop, Stream

SLOT = 0.005


class ConstantStream(Stream):
    """A stream whose events are all the same, except the first and the last."""

    def answer(self, model: str, count: int) -> Iterator[bytes]:
        first, frame, *_, end, done = super().answer(model, 2)
        yield first
        for _ in range(count):
            yield frame
        yield end + done


class Wheel(Loop):
    """The same loop, with slots in place of a heap."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.slots: dict[int, list[tuple[float, Stream]]] = {}
        self.next = int(time.monotonic() / SLOT)

    def open(self, sock: object) -> Stream:
        return ConstantStream(sock)  # type: ignore[arg-type]

    def run(self) -> None:
        while True:
            wait = (self.next + 1) * SLOT - time.monotonic()
            for fileno, _ in self.epoll.poll(max(wait, 0)):
                if fileno == self.listener.fileno():
                    self.accept()
                else:
                    self.receive(self.streams[fileno])
            self.send_due()

    def push(self, due: float, stream: Stream) -> None:
        self.slots.setdefault(max(int(due / SLOT) + 1, self.next + 1), []).append((due, stream))

    def send_due(self) -> None:
        itl, slots = self.pace.itl, self.slots
        while (self.next + 1) * SLOT <= time.monotonic():
            self.next += 1
            for due, stream in slots.pop(self.next, ()):
                try:
                    stream.sock.send(next(stream.events))
                except StopIteration:
                    continue
                except OSError:  # closed, or its reader is slow: not measured
                    continue
                due += itl
                slot = int(due / SLOT) + 1
                if slot in slots:
                    slots[slot].append((due, stream))
                else:
                    slots[slot] = [(due, stream)]


if __name__ == "__main__":
    Wheel(*start()).run()
