"""`POST /xray` takes a recording and returns the report."""

import json
from base64 import b64encode

import pytest

from servers.chat import routes as chat_routes
from servers.http.routes import Routes
from servers.llm.pace import Pace
from workshop.xray.route import xray_routes

from ...servers.driving import ask

ASKED = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HTTP/1.1 200 \r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT = b'data: {"choices":[{"delta":{"content":"hi "}}]}\n\n'


def line(at: float, data: bytes, sender: str = "server") -> str:
    return json.dumps({"sender": sender, "at": at, "bytes": b64encode(data).decode()})


def post(body: str) -> bytes:
    head = f"POST /xray HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


RECORDING = "\n".join(
    [
        line(0, ASKED, "client"),
        line(900, HEAD),
        *(line(900, b"%x\r\n%s\r\n" % (len(EVENT), EVENT)) for _ in range(20)),
        '{"sender":"server","at":900.5,"end":"truncated"}',
    ]
)


async def test_report(autojump_clock: object) -> None:
    answer = await ask(Routes(xray_routes()), post(RECORDING))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    report = json.loads(body)
    assert report["counts"] == {"reads": 21, "chunks": 20, "events": 20, "tokens": 20}
    assert (report["status"], report["ttft_ms"]) == (200, 900.0)
    assert report["verdicts"][0]["code"] == "cut-transport"


@pytest.mark.parametrize(
    ("scheme", "how"), [("http", "cut off"), ("https", "closed without close_notify")]
)
async def test_close_notify_belongs_to_tls(scheme: str, how: str, autojump_clock: object) -> None:
    recording = RECORDING.replace('"at": 0', f'"url": "{scheme}://a/", "at": 0', 1)
    answer = await ask(Routes(xray_routes()), post(recording))
    verdict = json.loads(answer.partition(b"\r\n\r\n")[2])["verdicts"][0]
    assert verdict["facts"]["end"] == how
    assert verdict["say"].startswith(f"The connection was {how} in the middle of the response")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "the recording holds no response"),
        ("{", "line 1 is not part of a recording: Input data was truncated"),
    ],
)
async def test_not_a_recording(body: str, message: str, autojump_clock: object) -> None:
    answer = await ask(Routes(xray_routes()), post(body))
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(f"\n\n{message}\n".encode())


@pytest.mark.parametrize("with_xray", [True, False])
async def test_a_recorded_reply_names_it(with_xray: bool, autojump_clock: object) -> None:
    pages = xray_routes() if with_xray else {}
    served = chat_routes(Pace(0, 0), pages=pages)
    answer = await ask(served, b"GET / HTTP/1.1\r\nHost: a\r\nX-Wire: 1\r\n\r\n")
    assert b"X-Wire: /wire/" in answer
    assert (b"X-Wire-Verdict: /xray\r\n" in answer) == with_xray
