"""Writes and reads HAR 1.2, the archive format of browsers and test tools.

    {"log":{"version":"1.2","creator":{…},
     "entries":[{"startedDateTime":"…","time":3506.1,
       "request":{"method":"POST","url":"http://localhost:8000/v1/responses",…},
       "response":{"status":200,"content":{"size":7911,"text":"event: …"},…},
       "timings":{"send":0,"wait":1.9,"receive":3504.2},…}],
     "_reads":[{"at":0.0,"sender":"client","bytes":"UE9TVCAv…"},…]}}

A HAR has only complete bodies. But x-ray needs to know which bytes each read brought, and when. So
the recording itself is in the custom field `_reads` ("custom fields … MUST start with an
underscore", HAR 1.2), with one object for each read, as in protocol/recording.py.

The rules this file keeps:

1. Only `_reads` is read from a HAR, so nothing is lost. The entries are for other programs.
2. The body of an entry is decoded: without chunks, and without gzip or deflate. It is text if it
   is UTF-8, otherwise base64.
3. A recording has no date, so a HAR begins at a date that the caller gives.
"""

import zlib
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from protocol.errors import DecodeError
from protocol.head import Head, HeadReader
from protocol.http1 import body_decoder, request_framing, response_framing
from protocol.recording import RecordedRead, RecordingError

from ..meter.address import url_of
from ..meter.exchange import Exchange, exchanges

__all__ = ["is_har", "read_har", "write_har"]

BEGAN = datetime(2000, 1, 1, tzinfo=UTC)
MAX_BODY = 64 << 20
"""Largest body that is decompressed, in bytes."""

JSON = dict[str, Any]


class Log(msgspec.Struct):
    reads: list[RecordedRead] | None = msgspec.field(name="_reads", default=None)


class Har(msgspec.Struct):
    """The part of a HAR that this file reads."""

    log: Log


def is_har(data: bytes) -> bool:
    """Whether a file looks like a HAR."""
    return data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" and (
        b'"log"' in data[:100].split(b":")[0]
    )


def read_har(data: bytes) -> list[RecordedRead]:
    """Read the recording in a HAR that `write_har` wrote.

    Raises:
        RecordingError: The file is not a HAR, or another program wrote it.
    """
    try:
        har = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=Har)
    except RecursionError:
        raise RecordingError("it is not a HAR: it is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordingError(f"it is not a HAR: {error}") from error
    if har.log.reads is None:
        raise RecordingError(
            "this HAR does not say which read brought which bytes: only one that x-ray wrote does"
        )
    return har.log.reads


def write_har(reads: Iterable[RecordedRead], *, began: datetime = BEGAN) -> bytes:
    """Write a recording as a HAR.

    Args:
        reads: A recording whose keys are masked (masking.py).
        began: The date at which the recording began.
    """
    reads = list(reads)
    log = {
        "version": "1.2",
        "creator": {"name": "workshop xray", "version": "1"},
        "entries": [_entry(exchange, began) for exchange in exchanges(reads)],
        "_reads": reads,
    }
    return msgspec.json.encode({"log": log})


def _entry(exchange: Exchange, began: datetime) -> JSON:
    last = max([exchange.began, *(read.at for read in exchange.reads)])
    first = next((read.at for read in exchange.reads if read.bytes), last)
    timings = {
        "send": 0,
        "wait": max(0.0, round(first - exchange.began, 3)),
        "receive": max(0.0, round(last - first, 3)),
    }
    return {
        "startedDateTime": (began + timedelta(milliseconds=exchange.began)).isoformat(),
        "time": round(sum(timings.values()), 3),
        "request": _request(exchange),
        "response": _response(exchange),
        "cache": {},
        "timings": timings,
        "connection": str(exchange.connection),
    }


def _request(exchange: Exchange) -> JSON:
    message = Message(exchange.request, is_request=True)
    url = url_of(exchange)
    query = url.partition("#")[0].partition("?")[2]  # urlsplit() would refuse http://[::1
    pairs = parse_qsl(query, keep_blank_values=True)
    request = {
        "method": exchange.method,
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": message.headers,
        "queryString": [{"name": name, "value": value} for name, value in pairs],
        "headersSize": message.head_size,
        "bodySize": len(exchange.request) - message.head_size if message.head else -1,
    }
    if message.body:
        request["postData"] = {
            "mimeType": message.value(b"content-type"),
            "text": message.body.decode("utf-8", "replace"),
        }
    return request


def _response(exchange: Exchange) -> JSON:
    data = b"".join(read.bytes for read in exchange.reads)
    message = Message(data, is_request=False, method=exchange.method)
    version, _, rest = (message.head.start_line if message.head else b"").partition(b" ")
    status, _, reason = rest.partition(b" ")
    body = message.decompressed()
    content: JSON = {"size": len(body), "mimeType": message.value(b"content-type")}
    try:
        content["text"] = body.decode()
    except UnicodeDecodeError:
        content |= {"text": b64encode(body).decode(), "encoding": "base64"}
    return {
        "status": int(status) if status.isdigit() else 0,
        "statusText": reason.decode("latin-1"),
        "httpVersion": version.decode("latin-1") or "unknown",
        "cookies": [],
        "headers": message.headers,
        "content": content,
        "redirectURL": message.value(b"location"),
        "headersSize": message.head_size,
        "bodySize": len(data) - message.head_size if message.head else -1,
    }


class Message:
    """The parts of a request or response that can be read.

    Args:
        data: The bytes of the message, which may be incomplete or invalid.
        is_request: True for a request, False for a response.
        method: Method of the request. A response needs it.
    """

    def __init__(self, data: bytes, *, is_request: bool, method: str = "GET") -> None:
        self.head: Head | None = None
        self.head_size = -1  # "-1 if the info is not available" (HAR 1.2)
        self.body = b""
        try:
            rest = data
            while True:
                reader = HeadReader(is_request=is_request)
                head = reader.receive_data(rest)
                if head is None:
                    return
                rest = reader.trailing_data
                if is_request or head.start_line[9:10] != b"1":
                    break  # not 1xx, after which the final response follows (RFC 9110 §15.2)
            self.head, self.head_size = head, len(data) - len(rest)
            framing = request_framing(head) if is_request else response_framing(head, method)
            self.body = b"".join(body_decoder(framing).receive_data(rest))
        except DecodeError as error:
            self.body = b"".join(getattr(error, "decoded", []))

    @property
    def headers(self) -> list[JSON]:
        fields = self.head.fields if self.head else []
        return [
            {"name": name.decode("latin-1"), "value": value.decode("latin-1")}
            for name, value in fields
        ]

    def value(self, name: bytes) -> str:
        """Return the value of a field, or "" if the field is missing."""
        values = self.head.values(name) if self.head else []
        return next(iter(values), b"").decode("latin-1")

    def decompressed(self) -> bytes:
        """Return the body, decompressed if it is gzip or deflate. A body with another coding, or a
        damaged body, is returned unchanged."""
        if self.value(b"content-encoding").lower() not in ("gzip", "x-gzip", "deflate"):
            return self.body
        decompressor = zlib.decompressobj(47)  # the header tells whether it is gzip or zlib
        try:
            return decompressor.decompress(self.body, MAX_BODY)
        except zlib.error:
            return self.body


# What this file does not do: read a HAR of another program, which does not tell how a body was
# divided into reads.
