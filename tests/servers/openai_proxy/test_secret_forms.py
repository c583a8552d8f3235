"""The canary in disguise: an upstream sends the key escaped, shortened, or in a broken head.

In no form does it reach a reply or a log of any level, even if the log's formatter does not redact.
"""

import logging
import os
from base64 import b64encode

import pytest

from servers.openai_proxy.__main__ import main

from ...protocol.test_secret import ESCAPED
from .fake_api import KEY, fake_api, proxied, whole
from .test_relay import JSON, post

FORMS = {
    **{name: escape(KEY) for name, escape in ESCAPED.items()},
    "base64": b64encode(KEY.encode()).decode(),
    "base64 of a field": b64encode(f"Authorization: Bearer {KEY}".encode()).decode(),
    "hex": KEY.encode().hex(),
}


@pytest.mark.parametrize("name", FORMS)
async def test_the_key_in_any_form_is_redacted(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.NOTSET)
    form = FORMS[name]
    words = b'{"error":{"message":"no such key: %b"}}' % form.encode()
    far = "x" * 70 + form  # a message shortened to 80 characters would show half of it
    answers = [
        whole(words, "400 Bad Request", JSON),
        whole(words, "403 Forbidden", JSON, f"X-Request-Id: {form}"),
        whole(b"{}", f"429 {form}", JSON, f"Retry-After: {form}"),
        whole(b"{}", "200 OK", f"Content-Type: {far}"),
        whole(b"{}", "200 OK", JSON, f"Content-Encoding: {far}"),
        whole(b"{}", "200 OK", JSON, f"Content-Length: {far}"),
        whole(b"{}", "200 OK", JSON, f"Transfer-Encoding: {far}"),
        f"{far}\r\n\r\n".encode(),
        f"HTTP/1.1 200 OK\r\n{far}\r\n\r\n".encode(),
        f"HTTP/1.1 200 OK\r\n{far} : x\r\n\r\n".encode(),
    ]
    seen = b""
    for answer in answers:
        async with fake_api(answer) as api, proxied(api.port) as proxy:
            seen += await proxy.ask(post())
    # The last character of base64 depends on the text after it.
    for part in (form[: len(form) // 2], form[len(form) // 2 : -2]):
        assert part.encode() not in seen
        assert part not in caplog.text


@pytest.mark.parametrize(
    ("url", "is_refused"), [("https://h/v1", True), ("http://[::1]/v1", False)]
)
def test_a_key_that_is_too_short(
    url: str,
    is_refused: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It could not be redacted in logs. For an upstream on this machine, any word is a key."""
    served: list[object] = []

    def run(*args: object) -> int:
        served.append(args)
        return 0

    monkeypatch.setattr("servers.openai_proxy.__main__.run", run)
    monkeypatch.setattr(os, "environ", os.environ | {"OPENAI_API_KEY": "x"})
    if not is_refused:
        assert main(["--port", "0", "--base-url", url]) == 0
        assert served
        return
    with pytest.raises(SystemExit):
        main(["--port", "0", "--base-url", url])
    assert "the key is too short to be one: fewer than 8 characters" in capsys.readouterr().err
    assert not served
