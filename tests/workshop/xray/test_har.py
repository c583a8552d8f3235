"""HAR: the entries have the requests and responses, and the recording in the HAR is unchanged."""

import gzip
import json
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.recording import RecordedRead
from workshop.xray.recordings.har import is_har, read_har, write_har

from .recordings import recordings

REQUEST = (
    b"POST /v1?a=b&c= HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\n\r\n{}"
)
CHUNKED = b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n"


def one(response: bytes, request: bytes = REQUEST) -> dict[str, Any]:
    """The entry of one exchange."""
    reads = [
        RecordedRead(0.0, "client", request, url="http://a/v1?a=b&c="),
        RecordedRead(10.0, "server", response[:20]),
        RecordedRead(30.0, "server", response[20:]),
        RecordedRead(35.0, "server", end="fin"),
    ]
    har = json.loads(write_har(reads, began=datetime(2026, 1, 2, tzinfo=UTC)))
    assert har["log"]["version"] == "1.2"
    (entry,) = har["log"]["entries"]
    assert isinstance(entry, dict)
    return entry


def test_an_entry() -> None:
    assert one(CHUNKED + b"2\r\n\xe4\xbd\r\n1\r\n\xa0\r\n0\r\n\r\n") == {
        "startedDateTime": "2026-01-02T00:00:00+00:00",
        "time": 35.0,
        "request": {
            "method": "POST",
            "url": "http://a/v1?a=b&c=",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [
                {"name": "host", "value": "a"},
                {"name": "content-type", "value": "application/json"},
                {"name": "content-length", "value": "2"},
            ],
            "queryString": [{"name": "a", "value": "b"}, {"name": "c", "value": ""}],
            "headersSize": len(REQUEST) - 2,
            "bodySize": 2,
            "postData": {"mimeType": "application/json", "text": "{}"},
        },
        "response": {
            "status": 200,
            "statusText": "Fine",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [
                {"name": "transfer-encoding", "value": "chunked"},
                {"name": "content-type", "value": "text/plain"},
            ],
            "content": {"size": 3, "mimeType": "text/plain", "text": "你"},
            "redirectURL": "",
            "headersSize": len(CHUNKED),
            "bodySize": 18,
        },
        "cache": {},
        "timings": {"send": 0, "wait": 10.0, "receive": 25.0},
        "connection": "0",
    }


@pytest.mark.parametrize(
    ("coding", "body", "content"),
    [
        (b"gzip", gzip.compress(b"hello", mtime=0), {"size": 5, "text": "hello"}),
        (b"deflate", zlib.compress(b"hello"), {"size": 5, "text": "hello"}),
        (b"gzip", gzip.compress(b"hello", mtime=0)[:-9], {"size": 5, "text": "hello"}),
        (b"gzip", b"\xffx", {"size": 2, "text": "/3g=", "encoding": "base64"}),
        (b"br", b"\xffx", {"size": 2, "text": "/3g=", "encoding": "base64"}),
    ],
)
def test_a_compressed_body(coding: bytes, body: bytes, content: dict[str, Any]) -> None:
    found = one(b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\n\r\n%b" % (coding, body))
    assert found["response"]["content"] == {**content, "mimeType": ""}


@pytest.mark.parametrize(
    ("response", "status", "text"),
    [
        (b"", 0, ""),
        (b"HTTP/1.1 200", 0, ""),
        (b"no HTTP at all\r\n\r\n", 0, ""),
        (b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx", 200, "x"),
        (CHUNKED + b"1\r\nx\r\nZZ\r\n", 200, "x"),
        (CHUNKED + b"9\r\nx", 200, "x"),
    ],
)
def test_a_response_that_is_not_whole(response: bytes, status: int, text: str) -> None:
    found = one(response)["response"]
    assert (found["status"], found["content"]["text"]) == (status, text)


def test_a_request_that_was_not_recorded() -> None:
    entry = one(b"HTTP/1.1 204 OK\r\n\r\n", b"")
    assert entry["request"]["headersSize"] == entry["request"]["bodySize"] == -1
    assert "postData" not in entry["request"]


@given(recordings | st.lists(st.builds(RecordedRead, st.just(0.0), st.just("server"), st.binary())))
def test_nothing_is_lost(reads: list[RecordedRead]) -> None:
    har = write_har(reads)
    assert is_har(har)
    assert read_har(har) == reads


@pytest.mark.parametrize("text", ['{"log": {"_reads": []}}', '\ufeff {\n"log":{"_reads":[]}}'])
def test_it_is_known_by_its_first_bytes(text: str) -> None:
    assert is_har(text.encode())
    assert read_har(text.encode()) == []
    assert not is_har(b'{"at":0.0}')
    assert not is_har(b'x"log"')


def test_half_an_address() -> None:
    reads = [RecordedRead(0.0, "client", REQUEST, url="http://[::1?a=b#c")]
    (entry,) = json.loads(write_har(reads))["log"]["entries"]
    # The target of the request says more than the URL.
    assert entry["request"]["url"].startswith("http://[::1/")
    reads = [RecordedRead(0.0, "client", b"?", url="http://[::1?a=b#c")]
    (entry,) = json.loads(write_har(reads))["log"]["entries"]
    assert entry["request"]["queryString"] == [{"name": "a", "value": "b"}]
