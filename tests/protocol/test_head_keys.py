"""No error message quotes a key that is in a refused head."""

import pytest

from protocol.errors import DecodeError
from protocol.head import HeadReader
from protocol.http1 import response_framing
from protocol.secret import Secret

from .feeding import read_head

KEY = b"Canary-'of\\no-known-form"


@pytest.mark.parametrize("is_request", [True, False])
@pytest.mark.parametrize("place", [0, 30, 70, 79, 80, 200])
def test_no_message_quotes_a_key(
    is_request: bool, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds wherever the key is, and wherever the message is cut."""
    monkeypatch.setattr(Secret, "known", {KEY.decode()})
    line = b"x" * place + KEY
    start = b"GET / HTTP/1.1\r\n" if is_request else b"HTTP/1.1 200 OK\r\n"
    bad = [
        line,
        b"\xff" + line,
        b"GET /" + line + b" HTTP/2.0",
        start + line,
        start + b" " + line,
        start + line + b" : b",
        start + b"A: " + line + b"\x00",
        start + b"A: " + line + b"\rb",
    ]
    for head in bad:
        failure = read_head([head + b"\r\n\r\n"], HeadReader(is_request=is_request)).failure
        assert failure is not None
        assert KEY[:6].decode() not in failure.text


@pytest.mark.parametrize("place", [0, 30, 39, 40, 80])
@pytest.mark.parametrize(
    "field", [b"Content-Length: %b", b"Transfer-Encoding: %b,,", b"Transfer-Encoding: %b, chunked"]
)
def test_no_message_quotes_a_key_in_a_framing_field(
    field: bytes, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Secret, "known", {KEY.decode()})
    sent = b"HTTP/1.1 200 OK\r\n" + field % (b"x" * place + KEY) + b"\r\n\r\n"
    head = read_head([sent], HeadReader(is_request=False)).head
    assert head is not None
    with pytest.raises(DecodeError) as caught:
        response_framing(head, "GET")
    assert KEY[:6].decode() not in str(caught.value).lower()
