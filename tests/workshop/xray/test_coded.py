"""A compressed body that quotes a key is masked, but no other body."""

import gzip
import zlib
from collections.abc import Callable

import pytest

from protocol.secret import Secret
from workshop.xray.recordings.masking import Masker

KEY = "canary-key-0123456789"
ERROR = f'{{"error": "no such key: {KEY}", "and": "some text that follows it"}}'.encode()
REQUEST = f"%s / HTTP/1.1\r\nHost: h\r\nx-api-key: {KEY}\r\n\r\n"


@pytest.fixture(autouse=True)
def _no_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Secret, "known", set())


def gzipped(data: bytes) -> bytes:
    """Without the time of day."""
    return gzip.compress(data, mtime=0)


def asked(*methods: str) -> Masker:
    masker = Masker()
    for method in methods or ("GET",):
        masker.mask("client", (REQUEST % method).encode())
    return masker


def head(*fields: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 401 No", *fields, "", ""]).encode()


def with_length(body: bytes, coding: str = "gzip") -> bytes:
    return head(f"Content-Encoding: {coding}", f"Content-Length: {len(body)}") + body


def chunked(body: bytes, size: int = 20) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head("Content-Encoding: gzip", "Transfer-Encoding: chunked") + framed + b"0\r\n\r\n"


def until_close(body: bytes) -> bytes:
    return head("Content-Encoding: GZIP") + body


def shown(masker: Masker, response: bytes, size: int) -> bytes:
    reads = [response[start : start + size] for start in range(0, len(response), size)]
    return b"".join(masker.mask("server", read) for read in reads)


@pytest.mark.parametrize("size", [1, 7, 50, 100_000])
@pytest.mark.parametrize("framed", [with_length, chunked, until_close])
@pytest.mark.parametrize("compress", [gzipped, zlib.compress])
def test_a_body_that_quotes_a_key(
    compress: Callable[[bytes], bytes], framed: Callable[[bytes], bytes], size: int
) -> None:
    """The body's bytes are masked, beginning with the read that completes the beginning of a key.
    The head, the chunk-sizes and their line ends stay unchanged."""
    body = compress(ERROR)
    response = framed(body)
    found = shown(asked(), response, size)
    assert len(found) == len(response)
    assert found.partition(b"\r\n\r\n")[0] == response.partition(b"\r\n\r\n")[0]
    if framed is chunked:
        stripped = [line for line in found.split(b"\r\n") if not line.strip(b"*")]
        assert found.endswith(b"*\r\n0\r\n\r\n")
        assert len(stripped) >= 1
    else:
        assert found.endswith(b"***")
    left = found.partition(b"\r\n\r\n")[2]
    if size == 100_000 and framed is not chunked:
        assert left == b"*" * len(body)
    kept = b"".join(framed_body(framed, left)).split(b"****")[0]
    text = zlib.decompressobj(47).decompress(kept) if kept else b""
    assert KEY[:12].encode() not in text


def framed_body(framed: Callable[[bytes], bytes], data: bytes) -> list[bytes]:
    """The body without its chunks; masked bytes may be anything."""
    if framed is not chunked:
        return [data]
    pieces = []
    while data:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        pieces.append(data[:size])
        data = data[size + 2 :]
    return pieces


@pytest.mark.parametrize("size", [7, 100_000])
def test_other_bodies_stay(size: int) -> None:
    """Other bodies on the same connection are not masked, neither before nor after this one. This
    is true even for bodies that cannot be read."""
    masker = asked("GET", "HEAD", "GET", "GET")
    fine = gzipped(b"nothing of interest, many times over " * 9)
    for response in (
        with_length(fine),
        head("Content-Encoding: gzip", "Content-Length: 999"),  # to HEAD: it has no body
        with_length(fine, "br"),
    ):
        assert shown(masker, response, size) == response
    assert shown(masker, with_length(gzipped(ERROR)), size).endswith(b"***")
    damaged = with_length(fine[:-9] + b"damaged!!")
    assert shown(asked(), damaged, size) == damaged


def test_a_masker_without_keys_does_not_mind() -> None:
    response = with_length(gzipped(ERROR))
    assert Masker().mask("server", response) == response
