"""gzip for clients that accept it: which fields name it, and what is left as it is."""

import gzip

import pytest

from servers.http.compressed import accepts_gzip, compressed
from servers.http.reply import Reply, Request

LONG = "wire " * 100


@pytest.mark.parametrize(
    ("field", "accepts"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("gzip; q=0.001", True),
        ("*", True),
        ("*;q=0.1, br", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("x-gzip", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
    ],
)
def test_accept_encoding(field: str, accepts: bool) -> None:
    assert accepts_gzip(field) is accepts


@pytest.mark.parametrize(("body", "field"), [("short", "gzip"), (LONG, "br"), (LONG, "")])
def test_left_as_it_is(body: str, field: str) -> None:
    """Caches are told all the same that another request may get another form."""
    reply = compressed(Reply(body), Request("GET", "/", headers=(("accept-encoding", field),)))
    assert reply.body == body.encode()
    assert reply.headers == (("Vary", "Accept-Encoding"),)


def test_compressed() -> None:
    """Status, type and fields stay; the same body always gives the same bytes."""
    request = Request("GET", "/", headers=(("accept-encoding", "gzip"),))
    original = Reply(LONG, 404, "text/css", (("Vary", "Accept"),))
    first, second = compressed(original, request), compressed(original, request)
    assert first.body == second.body
    assert gzip.decompress(first.body) == LONG.encode()
    assert (first.status, first.content_type) == (404, "text/css")
    fields = (("Vary", "Accept"), ("Vary", "Accept-Encoding"), ("Content-Encoding", "gzip"))
    assert first.headers == fields
