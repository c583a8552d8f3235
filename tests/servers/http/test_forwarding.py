"""What a relay passes on unchanged. The bad proxy does so in every mode, so it is tested here."""

import pytest

from servers.http.forwarding import end_to_end
from servers.http.reply import Reply, Request, StreamingReply

from ...streams import receive_all
from ..driving import get, replying, streaming
from ..test_badproxy import END, Origin, hop, three

STATUSES = {
    "299 Odd": "299 Odd",
    "429 Slow Down": "429 Slow Down",
    "520 ": "520 ",
    "529": "529 ",
    "503 Köln": "503 ",
    "999 Odd": "502 Bad Gateway",
}


@pytest.mark.parametrize(("sent", "passed"), STATUSES.items())
async def test_any_status_is_passed_on(sent: str, passed: str, autojump_clock: object) -> None:
    """With its reason-phrase. An invalid status becomes a 5xx (RFC 9110 §15)."""
    reply = streaming(three)

    async def odd(request: Request) -> StreamingReply | Reply:
        strange = await reply(request)
        assert isinstance(strange, StreamingReply)
        strange.edit_head = lambda head: head.replace(b"200 OK", sent.encode())
        return strange

    async with hop(odd) as memory:
        await memory.client.send_all(get("/", "Connection: close"))
        answer = await receive_all(memory.client)
    assert answer.startswith(b"HTTP/1.1 %b\r\n" % passed.encode())
    assert answer.endswith(b"\r\n" + END)


TARGETS = {
    "/a%2Fb": "/a%2Fb",
    "/%61?%41=%2f": "/%61?%41=%2f",
    "/a//b/../c;x=1,2": "/a//b/../c;x=1,2",
    "/?": "/?",
    "/x?a=[1]|\"<>^{}`": "/x?a=[1]|\"<>^{}`",
    "/a#b": "/a%23b",  # a URL's fragment would not be sent
    "http://elsewhere/a%2Fb?c": "/a%2Fb?c",
    "HTTP://elsewhere?c": "/?c",
    "http://elsewhere": "/",
}


@pytest.mark.parametrize(("sent", "passed"), TARGETS.items())
async def test_a_target_is_passed_on_as_it_came(sent: str, passed: str) -> None:
    origin = Origin(replying(Reply()))
    async with hop(origin) as memory:
        await memory.client.send_all(get(sent, "Connection: close"))
        assert (await receive_all(memory.client)).startswith(b"HTTP/1.1 200 ")
    assert [request.target for request in origin.asked] == ["/base" + passed]


FIELDS = {
    "about one connection": [("te", "trailers"), ("keep-alive", "9"), ("proxy-authorization", "x")],
    "named by Connection": [("connection", "close, X-A\t,x-b"), ("x-a", "1"), ("x-b", "1")],
    "named on another line": [("connection", "close"), ("connection", "x-a"), ("x-a", "1")],
    "not ASCII": [("x-a", "é")],
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_fields_that_are_not_passed_on(fields: list[tuple[str, str]]) -> None:
    kept = (("x-kept", "1"), ("x-kept", "2"))
    assert end_to_end((kept[0], *fields, kept[1])) == kept
