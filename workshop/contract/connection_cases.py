"""Cases of the contract tests about connections: requests, broken connections, and ids (WHATWG HTML
§9.2).

http.redirect-307                                    what is asked for, and where
reconnect.waits-as-long-as-retry-said                when it is asked for again
last-event-id.not-the-id-of-half-an-event            what the next request names
"""

from collections.abc import Iterator

from .case import ERROR, Answer, Case, Sight, Wanted, event, redirect, stream

__all__ = ["CONNECTING"]

AT_EOF = "Once the end of the file is reached, any pending data must be discarded."

OPEN = stream(b"data: a\n\n")
A = (event("a"),)


def http() -> Iterator[Case]:
    yield Case(
        "http.accept",
        "Set request's header list … `Accept`/`text/event-stream`",
        (OPEN,),
        A,
        (Wanted({"accept": "text/event-stream"}),),
    )
    yield Case(
        "http.no-cache",
        "Set request's cache mode to no-store",
        (OPEN,),
        A,
        (Wanted({"cache-control": "no-cache"}),),
    )
    yield Case(
        "http.no-last-event-id-at-first",
        "If the last event ID string is not the empty string, then set `Last-Event-ID`",
        (OPEN,),
        A,
        (Wanted(lacks=("last-event-id",)),),
    )
    yield Case(
        "http.headers-of-the-caller",
        "the caller's headers are sent",
        (OPEN,),
        A,
        (Wanted({"x-one": "1", "x-two": "a b"}),),
        "headers",
        {"headers": {"X-One": "1", "X-Two": "a b"}},
    )
    for needs, method in (("post", "POST"), ("report", "REPORT")):
        sent = Wanted({"content-type": "text/plain"}, method=method, body=b"a\n\xe2\x82\xac")
        options = {"method": method, "body": "a\n€", "headers": {"Content-Type": "text/plain"}}
        yield Case(f"http.{needs}", "the body is sent", (OPEN,), A, (sent,), needs, options)
        yield Case(
            f"http.{needs}-again",
            "after a break the same request is sent",
            (stream(b"data: a\n\n", then="close"), stream(b"data: b\n\n")),
            (event("a"), event("b")),
            (sent, sent),
            needs,
            options,
        )
    moved = "a redirect is followed (Fetch)"
    for status in (301, 302, 303, 307, 308):
        answers = (redirect(status, "{stream}?moved"), OPEN)
        yield Case(f"http.redirect-{status}", moved, answers, A, (Wanted(), Wanted()))
    for name, location in (("without-location", None), ("with-an-empty-location", "")):
        yield Case(
            f"http.redirect-{name}",
            "a redirect that leads nowhere is an error, and not asked for again at once",
            (redirect(301, location),),
            (ERROR,),
            (Wanted(),),
            quiet=0.3,
            options={"initialDelayMs": 60_000},
        )
    types = "text/event-stream; charset=utf-8", "Text/Event-Stream", "text/event-stream;x=y"
    for number, kind in enumerate(types, 1):
        answer = Answer((b"data: a\n\n",), headers=(("Content-Type", kind),))
        yield Case(f"http.media-type-{number}", "parameters do not count", (answer,), A)
    yield Case(
        "http.another-media-type",
        "If res's Content-Type is not text/event-stream, then fail the connection.",
        (Answer((b"data: a\n\n",), headers=(("Content-Type", "text/plain"),)), OPEN),
        requests=(Wanted(),),
        quiet=1.0,
    )
    no_more = "a client can be told to stop reconnecting using … 204 No Content"
    needs = "server-directed-shutdown-request"
    yield Case("http.204-at-once", no_more, (), (), (Wanted(),), needs, quiet=1.0)
    yield Case(
        "http.204-after-a-break",
        no_more,
        (stream(b"data: a\n\n", then="close"),),
        A,
        (Wanted(), Wanted()),
        needs,
        quiet=1.0,
    )
    yield Case(
        "http.one-connection-at-a-time",
        "the stream stays open",
        (OPEN, stream(b"data: b\n\n")),
        A,
        (Wanted(),),
        quiet=0.5,
    )


def reconnection() -> Iterator[Case]:
    again = "reestablish the connection"
    for then in ("close", "cut"):
        yield Case(
            f"reconnect.after-a-{then}",
            again,
            (Answer((b"data: a\n\n",), then, reports=1), stream(b"data: b\n\n")),
            (event("a"), event("b")),
        )
    yield Case(
        "reconnect.before-any-event",
        again,
        (stream(then="close"), stream(then="cut"), OPEN),
        A,
    )
    yield Case(
        "reconnect.waits-as-long-as-the-caller-said",
        "Wait a delay equal to the reconnection time",
        (stream(b"data: a\n\n", then="close"), stream(b"data: b\n\n")),
        (event("a"), event("b")),
        (Wanted(), Wanted(wait=(0.45, 5.0))),
        options={"initialDelayMs": 500},
    )
    yield Case(
        "reconnect.waits-as-long-as-retry-said",
        "set the event stream's reconnection time to that integer",
        (stream(b"retry: 500\ndata: a\n\n", then="close"), stream(b"data: b\n\n")),
        (event("a"), event("b")),
        (Wanted(), Wanted(wait=(0.45, 5.0))),
    )
    for number, value in enumerate(("5x", "-5", "5.0", "٣", " 5", "")):
        yield Case(
            f"reconnect.retry-that-is-not-a-number-{number + 1}",
            "If the field value consists of only ASCII digits … Otherwise, ignore the field.",
            (stream(f"retry: 400\nretry: {value}\ndata: a\n\n".encode(), then="close"), OPEN),
            (event("a"), event("a")),
            (Wanted(), Wanted(wait=(0.35, 5.0))),
        )
    names = "set `Last-Event-ID` in request's header list"
    table: tuple[tuple[str, bytes, tuple[Sight, ...], str | None], ...] = (
        ("the-last-id", b"id: 1\ndata: a\n\n", (event("a", id="1"),), "1"),
        ("an-older-id", b"id: 1\ndata: a\n\ndata: b\n\n",
         (event("a", id="1"), event("b", id="1")), "1"),
        ("not-the-id-of-half-an-event", b"id: 1\ndata: a\n\nid: 2\ndata: b\n",
         (event("a", id="1"),), "1"),
        ("the-id-of-a-block-without-data", b"id: 1\n\ndata: a\n\nid: 2\n\n",
         (event("a", id="1"),), "2"),
        ("no-header-after-an-empty-id", b"id: 1\ndata: a\n\nid:\ndata: b\n\n",
         (event("a", id="1"), event("b")), None),
        ("no-header-without-an-id", b"data: a\n\n", (event("a"),), None),
    )  # fmt: skip
    for name, sent, sees, id in table:
        second = Wanted(lacks=("last-event-id",)) if id is None else Wanted({"last-event-id": id})
        yield Case(
            f"last-event-id.{name}",
            names,
            (stream(sent, then="close"), stream(b"data: x\n\n")),
            (*sees, event("x", id=id or "")),
            (Wanted(), second),
            "last-event-id",
        )
    yield Case(
        "last-event-id.of-the-caller",
        names,
        (OPEN,),
        (event("a", id="7"),),
        (Wanted({"last-event-id": "7"}),),
        "last-event-id",
        {"lastEventId": "7"},
    )
    yield Case(
        "last-event-id.in-utf-8",
        "`Last-Event-ID`, UTF-8 encoded",
        (stream("id: 豆腐\ndata: a\n\n".encode(), then="close"), stream(b"id:\ndata: b\n\n")),
        (event("a", id="豆腐"), event("b")),
        (Wanted(), Wanted({"last-event-id": "豆腐".encode().decode("latin-1")})),
        "last-event-id",
    )
    yield Case(
        "reconnect.half-an-event-is-dropped",
        AT_EOF,
        (stream(b"event: x\ndata: half", then="cut"), stream(b"data: a\n\n")),
        A,
    )
    silent = {"readTimeoutMs": 500}
    yield Case(
        "timeout.before-the-head",
        "the read timeout counts from the request on",
        (Answer(silence=60.0), OPEN),
        (ERROR, event("a")),
        needs="read-timeout",
        options=silent,
    )
    yield Case(
        "timeout.after-an-event",
        "the read timeout counts from the last byte on",
        (OPEN, stream(b"data: b\n\n")),
        (event("a"), ERROR, event("b")),
        needs="read-timeout",
        options=silent,
    )
    yield Case(
        "timeout.a-comment-is-a-sign-of-life",
        "any byte resets the read timeout",
        (stream(b":\n", b":\n", b":\n", b"data: a\n\n", pause=0.25),),
        A,
        (Wanted(),),
        "read-timeout",
        silent,
    )
    yield Case(
        "restart.continues-after-the-last-event",
        "a restart is a break",
        (stream(b"id: 1\ndata: a\n\n"), stream(b"data: b\n\n")),
        (event("a", id="1"), event("b", id="1")),
        (Wanted(), Wanted({"last-event-id": "1"})),
        "restart",
        restart_after=1,
    )


CONNECTING: tuple[Case, ...] = (*http(), *reconnection())
