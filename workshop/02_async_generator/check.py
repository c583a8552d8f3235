"""Check 2: each stream continues while the other waits, and is closed when its reader stops."""

from types import ModuleType

import trio

from workshop.language import _
from workshop.runner.check_kit import Failure, Lab

HINTS = (
    "What runs while `first` is silent? And what closes a stream after a `break`?",
    """Two tasks need a nursery: `async with trio.open_nursery()`. Each task is a loop that shows a
token before it asks for the next. Around the loop, something must close the stream in any case.""",
    "`async with aclosing(stream):`, in it `async for token in stream:`.",
)
PAUSE = 0.02  # seconds
CLOSING = _("the reader of an async generator closes it (PEP 525; lesson 2, part 3)")
SHOW_FIRST = _("show a token before you ask for the next")


async def check(exercise: ModuleType, lab: Lab) -> None:
    a, b = lab.tokens("A1", "A2", "STOP", "A4"), lab.tokens("B1", "B2", "B3", "STOP", "B5")
    first, second = aiter(a), aiter(b)  # kept here, so that no garbage collector closes them
    shown: list[str] = []
    times: list[float] = []
    change = trio.lowlevel.ParkingLot()
    done = trio.Event()

    def show(token: str) -> None:
        lab.take(token.encode())
        shown.append(token)
        times.append(trio.current_time())
        change.unpark_all()

    async def until_shown(token: str, name: str, why: str) -> None:
        lab.give(token.encode())
        with lab.deadline(_("{token} to be shown", token=token), name=name, why=why):
            while token not in shown:
                await change.park()

    async def read_both() -> None:
        await exercise.read_both(first, second, show)
        done.set()

    async with lab.running(read_both):
        released = trio.current_time()
        a.release()
        await until_shown("A1", "collects-first", SHOW_FIRST)
        if times[0] > released:
            message = _(
                "A1 was shown {seconds:g} s after it came: show it, then pause",
                seconds=times[0] - released,
            )
            rule = _("a token is shown the moment it comes")
            raise Failure("pauses-first", message, rule=rule)
        b.release()
        why = _("it has come, and the first stream is silent")
        await until_shown("B1", "one-after-the-other", why)
        a.release()
        await until_shown("A2", "collects-first", SHOW_FIRST)
        b.release()
        await until_shown("B2", "collects-first", SHOW_FIRST)
        if times[shown.index("B2")] - times[shown.index("B1")] < PAUSE:
            message = _(
                "between B1 and B2 no other task could run: `await trio.sleep(PAUSE)` is missing"
            )
            rule = _("only an `await` lets other tasks run; time.sleep blocks all of them")
            raise Failure("blocks-the-loop", message, rule=rule)
        a.release()
        waiting = _("the first stream to be closed, after its STOP")
        with lab.deadline(waiting, name="forgets-aclosing", why=_("break does not close")):
            await a.until_closed()
        b.release()
        why = _("the other stream has ended, and this one has not")
        await until_shown("B3", "ends-early", why)
        b.release()
        with lab.deadline(_("read_both to return, after both STOPs"), name="goes-on"):
            await done.wait()
    if not b.closed:
        message = _("read_both has returned, and the second stream is not closed")
        raise Failure("forgets-aclosing", message, rule=CLOSING)
    if "STOP" in shown:
        raise Failure("shows-stop", _("STOP was shown"), received=lab.received)
