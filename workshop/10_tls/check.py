"""Check 10: the listener returns each length when the header is complete, however it was cut."""

from types import ModuleType

from workshop.language import _
from workshop.runner.check_kit import Failure, Lab, at_a_time, few

HINTS = (
    "What does the listener have to remember between two reads?",
    """Two things: how many bytes of this record are still to come, and the part of the next
record's five bytes that has come. Skip the first in the new data, then complete the second.""",
    """When all five are there, int.from_bytes(header[3:]) bytes are still to come. If header[0] is
23, that number minus 17 is the length of the plaintext.""",
)
OVERHEAD = 17
RULE = _("length counts the plaintext, 1 byte of type and 16 of tag (RFC 8446 §5.2)")
REDO = "python workshop/10_tls --once"


def record(kind: int, size: int) -> bytes:
    """Return a record of this type. Its content, `size` bytes, looks like headers of other
    records."""
    content = (b"\x17\x03\x03\x00\x05" * (size // 5 + 1))[:size]
    return bytes([kind, 3, 3]) + size.to_bytes(2) + content


HANDSHAKE = [record(22, 122), record(20, 1)]
SIZES = [0, 3, 42, 1, 300, 16384, 6]
RECORDS = [record(23, size + OVERHEAD) for size in SIZES]


async def check(exercise: ModuleType, lab: Lab) -> None:
    check_one_by_one(exercise, lab)
    check_together(exercise, lab)
    for step in (1, 2, 7, 1000):
        check_cut(exercise, lab, step)


def check_one_by_one(exercise: ModuleType, lab: Lab) -> None:
    """Give one whole record in each read, and check its length."""
    listener = exercise.Listener()
    for heard in HANDSHAKE:
        if found := listener.receive_data(lab.give(heard)):
            message = _(
                "a record of type {kind} is not application data: {found} should be []",
                kind=heard[0],
                found=few(found),
            )
            raise Failure("counts-the-handshake", message, sent=heard, rule=RULE)
    for size, heard in zip(SIZES, RECORDS, strict=True):
        found = listener.receive_data(lab.give(heard))
        if found != [size]:
            length = size + OVERHEAD
            name, what = (
                "wrong-length",
                _("a record of length {length}: {found} should be [{size}]"),
            )
            if found == [length]:
                name = "forgets-the-tag"
                what = _(
                    "a record of length {length}: {found} counts the tag and the hidden type as "
                    "plaintext"
                )
            elif found == [size + 5]:
                name = "counts-header"
                what = _("a record of length {length}: {found} counts the five bytes of the header")
            message = what.format(length=length, found=few(found), size=size)
            raise Failure(name, message, sent=heard[:5], rule=RULE, redo=REDO)


def check_together(exercise: ModuleType, lab: Lab) -> None:
    """Give all records in one read, and check their lengths."""
    found = exercise.Listener().receive_data(lab.give(b"".join(HANDSHAKE + RECORDS)))
    if found != SIZES:
        message = _(
            "{number} records in one read are {sizes}, not {found}",
            number=len(RECORDS),
            sizes=SIZES,
            found=few(found),
        )
        raise Failure("assumes-one-record", message, sent=lab.sent[-80:], rule=RULE)


def check_cut(exercise: ModuleType, lab: Lab, step: int) -> None:
    """Give `step` bytes in each read, and check that each length is returned before the rest of its
    record arrives."""
    listener = exercise.Listener()
    stream = b"".join(HANDSHAKE + RECORDS)
    returned: list[tuple[int, int]] = []  # (length, number of bytes given when it was returned)
    for start in range(0, len(stream), step):
        heard = stream[start : start + step]
        returned += [(size, start + len(heard)) for size in listener.receive_data(lab.give(heard))]
    if [size for size, when in returned] != SIZES:
        message = _(
            "heard {pieces}: {found}, not {sizes}",
            pieces=at_a_time(step),
            found=few([size for size, when in returned]),
            sizes=SIZES,
        )
        rule = _("a record may come in any number of reads, and so may its five bytes")
        raise Failure("assumes-whole-records", message, sent=stream[:40], rule=rule)
    at = sum(map(len, HANDSHAKE))
    for (size, when), heard in zip(returned, RECORDS, strict=True):
        if when >= at + 5 + step:
            message = _(
                "the length {size} is returned {late} bytes after the five bytes that say it",
                size=size,
                late=when - at - 5,
            )
            raise Failure("waits-for-the-rest", message, sent=heard[:5], rule=RULE)
        at += len(heard)
