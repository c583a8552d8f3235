"""A refusal is quoted: a line of its body, or where it points to."""

import gzip

import pytest

from workshop.xray.asking.refusal import MAX_SHOWN, explained
from workshop.xray.judge.verdicts import report
from workshop.xray.meter.measure import Meter


def said(response: bytes, url: str = "http://h/") -> str:
    meter = Meter(url=url)
    meter.receive_data(1.0, response)
    meter.receive_end(2.0, "fin")
    found = report(meter)
    shown = explained(found, response)
    assert shown.verdicts[1:] == found.verdicts[1:]
    assert shown.verdicts[0].say.startswith(found.verdicts[0].say)
    return shown.verdicts[0].say.removeprefix(found.verdicts[0].say)


def answer(body: bytes, fields: str = "", status: str = "404 Not Found") -> bytes:
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'{"error":{"message":"no such key","type":"auth"}}', "no such key"),
        (b'{"error":"no such path"}', "no such path"),
        (b'{"detail":[{"loc":["body"]}]}', '{"detail":[{"loc":["body"]}]}'),
        (b"<html><head><title>502 Bad\nGateway</title></head><body>nginx</body>", "502 Bad"),
        (b"<html><style>p {}</style><p>Log in &amp; wait</p>", "Log in & wait"),
        (b"\n\n no \x1b[2J such  page \nmore", "no \ufffd[2J such page"),
        (b"x" * 500, "x" * (MAX_SHOWN - 1) + "…"),
    ],
)
def test_a_line_of_the_body(body: bytes, line: str) -> None:
    assert said(answer(body)) == f' It says: "{line}"'
    packed = gzip.compress(body)
    assert said(answer(packed, "Content-Encoding: gzip\r\n")) == f' It says: "{line}"'


def test_a_redirect() -> None:
    moved = answer(b"Moved", "Location: http://h/chat/\r\n", "301 Moved Permanently")
    assert said(moved) == " It points to http://h/chat/"


def test_plain_http_to_a_tls_port() -> None:
    hint = " The server speaks TLS at this port: ask https://."
    assert said(bytes.fromhex("15030300020246")) == hint
    assert said(answer(b"The plain HTTP request was sent to HTTPS port")) == hint
    assert said(bytes.fromhex("15030300020246"), "https://h/") == ""


def test_a_stream_is_not_quoted() -> None:
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {}\n\n"
    assert said(stream) == ""
    assert said(answer(b"")) == ""
