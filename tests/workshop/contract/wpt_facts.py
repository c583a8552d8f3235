"""The facts that WPT's tests of EventSource (eventsource/) check, as cases in our own words.

    format-null-character          data:\\0\\n\\n\\n\\n          one event, whose data is a NUL

The name of a case is that of the WPT test, with a number if one test checks several facts. Facts
that only a browser can show are left out: constructors, windows, workers, origins. Waits are short.
"""

from workshop.contract.case import ERROR, Answer, Case, Sight, Wanted, event, redirect, stream

__all__ = ["FACTS"]

BOM = b"\xef\xbb\xbf"
LONG = b"x" * 2048
AGAIN = b"retry:100\n"  # so that no test waits for long


def format_facts() -> list[Case]:
    """One stream each: its bytes, and the events."""
    table: tuple[tuple[str, bytes, tuple[Sight, ...]], ...] = (
        ("bom", BOM + b"data:1\n\n" + BOM + b"data:2\n\ndata:3\n\n", (event("1"), event("3"))),
        ("bom-2", BOM * 2 + b"data:1\n\ndata:2\n\ndata:3\n\n", (event("2"), event("3"))),
        ("comments",
         b"data:1\r:\0\n:\r\ndata:2\n:" + LONG
         + b"\rdata:3\n:data:fail\r:" + LONG + b"\ndata:4\n\n",
         (event("1\n2\n3\n4"),)),
        ("field-data", b"data:\n\ndata\ndata\n\ndata:test\n\n",
         (event(""), event("\n"), event("test"))),
        ("field-event", b"event:test\ndata:x\n\ndata:x\n\n", (event("x", "test"), event("x"))),
        ("field-event-empty", b"event: \ndata:data\n\n", (event("data"),)),
        ("field-id-3.persists", b"id: 1\ndata: 1\n\ndata: 2\n\nid: 2\ndata: 3\n\ndata: 4\n\n",
         (event("1", id="1"), event("2", id="1"), event("3", id="2"), event("4", id="2"))),
        ("field-id-3.reset", b"id: 1\ndata: 1\n\nid:\ndata: 2\n\ndata: 3\n\n",
         (event("1", id="1"), event("2"), event("3"))),
        ("field-id-3.reset-without-colon", b"id: 1\ndata: 1\n\nid\ndata: 2\n\ndata: 3\n\n",
         (event("1", id="1"), event("2"), event("3"))),
        ("field-parsing",
         (b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\n"
          b"data:3\rdata:\r\n data:32\ndata:4\n\n"),
         (event("\0\n 2\n1\n3\n\n4"),)),
        ("field-retry-empty", b"retry\ndata:test\n\n", (event("test"),)),
        ("field-unknown",
         b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n",
         (event("test\n\ntest"),)),
        ("leading-space", b"data:\ttest\rdata: \ndata:test\n\n", (event("\ttest\n\ntest"),)),
        ("newlines", b"data:test\r\ndata\ndata:test\r\n\r\n", (event("test\n\ntest"),)),
        ("null-character", b"data:\0\n\n\n\n", (event("\0"),)),
    )  # fmt: skip
    found = [Case(f"format-{name}", "", (stream(data),), sees) for name, data, sees in table]
    data = b"data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\n"
    data += b"data:end\n\n"
    found.append(
        Case("event-data", "", (stream(data),), (event("msg\nmsg"), event(""), event("end")))
    )
    types: tuple[tuple[str, str, bool], ...] = (
        ("format-mime-trailing-semicolon", "text/event-stream;", True),
        ("format-mime-valid-bogus", "text/event-stream;x bogus", True),
        ("format-utf-8", "text/event-stream;charset=windows-1252", True),
        ("format-mime-bogus", "x bogus", False),
    )
    for name, kind, good in types:
        answer = Answer(("data:ok…\n\n".encode(),), "stay", headers=(("Content-Type", kind),))
        found.append(Case(name, "", (answer,), (event("ok…"),)) if good else failing(name, answer))
    return found


def failing(name: str, answer: Answer) -> Case:
    """The client reports an error, and does not ask again."""
    return Case(name, "", (answer,), (ERROR,), (Wanted(),), quiet=0.2)


def reconnection_facts() -> list[Case]:
    """Several connections each."""
    last = stream(b"data: x\n\n")
    retry = b"retry:300\n"
    waits = (Wanted(), Wanted(wait=(0.28, 5.0)))
    found = [
        Case(
            "format-data-before-final-empty-line",
            "",
            (stream(AGAIN + b"data:test1\n\nid:test\ndata:test2", then="close"), last),
            (event("test1"), event("x")),
            (Wanted(), Wanted(lacks=("last-event-id",))),
        ),
        Case(
            "format-field-id",
            "",
            (stream(b"id: \xe2\x80\xa6\n" + AGAIN + b"data: hello\n\n", then="close"), last),
            (event("hello", id="…"), event("x", id="…")),
            (Wanted(), Wanted({"last-event-id": "…".encode().decode("latin-1")})),
        ),
        Case(
            "format-field-id-2",
            "",
            (
                stream(AGAIN + b"id: 1\ndata: a\n\ndata: b\n\n", then="close"),
                stream(b"data: c\n\n", then="close"),
                stream(b"id: 2\ndata: d\n\n"),
            ),
            (event("a", id="1"), event("b", id="1"), event("c", id="1"), event("d", id="2")),
            (Wanted(), *[Wanted({"last-event-id": "1"})] * 2),
        ),
        Case(
            "format-field-retry",
            "",
            (stream(retry + b"data:x\n\n", then="close"), last),
            (event("x"), event("x")),
            waits,
        ),
        Case(
            "format-field-retry-bogus",
            "",
            (stream(retry + b"retry:5x\ndata:x\n\n", then="close"), last),
            (event("x"), event("x")),
            waits,
        ),
        Case(
            "eventsource-reconnect",
            "",
            (stream(AGAIN + b"data:opened\n\n", then="close"), stream(b"data:reconnected\n\n")),
            (event("opened"), ERROR, event("reconnected")),
        ),
        Case(
            "eventsource-reconnect-fail",
            "",
            (stream(AGAIN + b"data:opened\n\n", then="close"), Answer(status=500)),
            (event("opened"), ERROR, ERROR),
            (Wanted(), Wanted()),
            quiet=0.2,
        ),
    ]
    for number, value in enumerate((b"\0\0\0\0", b"x\0", b"\0x", b"x\0x", b" \0"), 1):
        first = stream(AGAIN + b"id: " + value + b"\ndata: hello\n\n", then="close")
        requests = (Wanted(), Wanted(lacks=("last-event-id",)))
        sees = (event("hello"), event("x"))
        found.append(Case(f"format-field-id-null.{number}", "", (first, last), sees, requests))
    return found


def request_facts() -> list[Case]:
    open_, sees = stream(b"data: x\n\n"), (event("x"),)
    found = [
        Case("request-accept", "", (open_,), sees, (Wanted({"accept": "text/event-stream"}),)),
        Case("request-cache-control", "", (open_,), sees, (Wanted({"cache-control": "no-cache"}),)),
    ]
    for status in (301, 302, 303, 307):
        answers = (redirect(status, "{stream}?moved"), open_)
        found.append(Case(f"request-redirect-{status}", "", answers, sees))
    no_content = (Answer((), "close", 204),)  # in Python this is the end of the iteration
    found.append(Case("request-status-error-204", "", no_content, (), (Wanted(),), quiet=0.2))
    for status in (205, 210, 299, 404, 410, 503):
        answer = Answer((), "close", status)
        found.append(failing(f"request-status-error-{status}", answer))
    return found


FACTS: tuple[Case, ...] = (*format_facts(), *reconnection_facts(), *request_facts())
