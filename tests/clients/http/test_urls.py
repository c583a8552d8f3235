"""URLs that cannot be requested: refused before anything is sent, without their passwords."""

import traceback

import pytest

from clients.http.client import request
from clients.http.errors import ConnectError

NO_URLS = ["", "localhost:8000", "wss://localhost/", "ftp://a/", "http://", "http:///a", "//a/b"]


@pytest.mark.parametrize("url", NO_URLS)
async def test_not_an_http_url(url: str) -> None:
    with pytest.raises(ValueError, match="not an http:// or https:// URL"):
        async with request("GET", url):
            pass


@pytest.mark.parametrize(
    "url",
    [
        "ftp://me:hunter22@h/",
        "http://me:hunter22/x@h/",
        "http://me:hunter22@h:x/",
        "http://me:hunter22@[::1/",
    ],
)
async def test_a_bad_url_with_a_password_is_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="not an http:// or https:// URL") as caught:
        async with request("GET", url):
            pass
    assert "hunter" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("host", ["a..b", "x" * 70])
async def test_not_the_name_of_a_host(host: str) -> None:
    with pytest.raises(ConnectError, match=f"^no connection to {host}: not the name of a host: "):
        async with request("GET", f"http://{host}/"):
            pass
