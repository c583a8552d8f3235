"""The figures of `workshop bench streams`: their units, their goals, and the facts beside them.

A goal is a bound for our value divided by a peer's, or for our value alone.
"""

from .figures import Figure, Goal
from .peers import ASGI, C_LOOP, FASTAPI, NODE, ONE_WORKER, SEND, TIGHT

__all__ = [
    "CAPACITY",
    "CPU",
    "MANY",
    "MEMORY",
    "ONE",
    "STREAMED",
    "TOGETHER",
    "UNPACED",
    "WHOLE",
    "WORKERS",
]

FAST, JS, BARE = FASTAPI.name, NODE.name, ASGI.name
FLOOR, C_FLOOR, LOOP = TIGHT.name, C_LOOP.name, SEND.name
FIRST_BYTE_FACTS = ("p99", "first token p50", "CPU µs")
CPU = Figure(
    "CPU per paced token",
    "µs",
    (
        Goal(FAST, 0.45, 0.38),
        Goal(JS, 1, 0.75),
        Goal(FLOOR, 1.4, 1.25),
        Goal(C_FLOOR),
        Goal(must=10, fact="late p99"),
    ),
    ("late p99", "lag p50", "core %"),
)
CAPACITY = Figure(
    "capacity at 20 tokens/s",
    "streams",
    (Goal(FAST, 2), Goal(JS, 1), Goal(LOOP, 0.9, 1), Goal(aim=4000)),
    ("late p99", "lag p50", "core %"),
    more_is_better=True,
    digits=0,
)
UNPACED = Figure(
    "unpaced",
    "events/s",
    (Goal(FAST, 1.1, 1.5), Goal(BARE, 1.2, 1.4)),
    ("core %", "client %", "events/CPU s"),
    more_is_better=True,
    digits=0,
)
SHORT_FACTS = ("answers/s", "core %", "client %")
SHORT_GOALS = (Goal(FAST, 1.2, 2), Goal(JS))
WHOLE, STREAMED = (
    Figure(f"short answers, {form}", "answers/CPU s", SHORT_GOALS, SHORT_FACTS, True, digits=0)
    for form in ("whole", "streamed")
)
ONE = Figure(
    "first byte, 1 client", "ms", (Goal(FAST, 1), Goal(BARE, 1.6, 1.2)), FIRST_BYTE_FACTS, digits=2
)
MANY = Figure(
    "first byte, many clients",
    "ms",
    (Goal(FAST, 1), Goal(FAST, aim=1, fact="p99")),
    FIRST_BYTE_FACTS,
    digits=2,
)
TOGETHER = Figure(
    "first byte, all ask at once",
    "ms",
    (Goal(FAST, 1),),
    ("p99", "max", "first token p50", "CPU µs"),
    digits=1,
)
MEMORY = Figure(
    "memory per stream",
    "KiB",
    (Goal(FAST, 1), Goal(must=7.5, aim=6)),
    ("MiB at 0", "MiB then", "streams"),
)
WORKERS = Figure(
    "short answers, two workers",
    "answers/s",
    (Goal(ONE_WORKER.name, 1.6, 1.8),),
    ("core %", "client %"),
    True,
    digits=0,
)
