"""Which handler answers which request, and what a request-target means."""

import h11
import pytest

from servers.reply import Reply, Request
from servers.routes import Routes, decode_path


async def first(request: Request) -> Reply:
    return Reply()


async def second(request: Request) -> Reply:
    return Reply()


ROUTES = Routes(
    {
        "GET /": first,
        "POST /": second,
        "GET /v1/{rest}": first,
        "GET /v1/models/{id}": second,
        "POST /v1/chat": second,
    }
)

FOUND = {
    ("GET", "/"): (first, {}),
    ("POST", "/"): (second, {}),
    ("HEAD", "/"): (first, {}),  # HEAD is answered wherever GET is
    ("GET", "/v1/x"): (first, {"rest": "x"}),
    ("GET", "/v1/x/y"): (first, {"rest": "x/y"}),
    ("HEAD", "/v1/你"): (first, {"rest": "你"}),
    ("GET", "/v1/models"): (first, {"rest": "models"}),
    ("GET", "/v1/models/"): (first, {"rest": "models/"}),
    ("GET", "/v1/models/a"): (second, {"id": "a"}),  # the longest prefix wins
    ("POST", "/v1/chat"): (second, {}),  # and an exact path before any prefix
}


@pytest.mark.parametrize(("method", "path"), FOUND)
def test_found(method: str, path: str) -> None:
    assert ROUTES.find(method, path) == FOUND[method, path]


REFUSED = {
    ("GET", "/x"): (404, None),
    ("GET", ""): (404, None),
    ("GET", "//"): (404, None),
    ("GET", "/v1/"): (404, None),  # {rest} is one character or more
    ("GET", "/v1"): (404, None),
    ("OPTIONS", "/x"): (404, None),
    ("PUT", "/"): (405, "GET, HEAD, OPTIONS, POST"),
    ("get", "/"): (405, "GET, HEAD, OPTIONS, POST"),  # methods are case-sensitive
    ("HEAD", "/v1/chat"): (405, "OPTIONS, POST"),
    ("GET", "/v1/chat"): (405, "OPTIONS, POST"),
    ("POST", "/v1/models/a"): (405, "GET, HEAD, OPTIONS"),
    ("GET", "*"): (405, "GET, HEAD, OPTIONS, POST"),
    ("OPTIONS", "/"): (204, "GET, HEAD, OPTIONS, POST"),
    ("OPTIONS", "/v1/chat"): (204, "OPTIONS, POST"),
    ("OPTIONS", "/v1/x"): (204, "GET, HEAD, OPTIONS"),
    ("OPTIONS", "*"): (204, "GET, HEAD, OPTIONS, POST"),
}


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_answered_by_the_table_itself(method: str, path: str) -> None:
    """404, 405 with Allow (RFC 9110 §15.5.6), and OPTIONS (§9.3.7)."""
    status, allow = REFUSED[method, path]
    reply, _ = ROUTES.find(method, path)
    assert isinstance(reply, Reply)
    assert reply.status == status
    assert reply.headers == ((("Allow", allow),) if allow else ())


TARGETS = {
    "/": ("/", ""),
    "/?": ("/", ""),
    "/a?b?c": ("/a", "b?c"),
    "/a?%41=%42": ("/a", "%41=%42"),
    "/%E4%BD%A0%2f%3F": ("/你/?", ""),
    "/%zz%": ("/%zz%", ""),
    "/a+b": ("/a+b", ""),
    "//a/b": ("//a/b", ""),
    "/../a": ("/../a", ""),
    "/a#b": ("/a#b", ""),
    "*": ("*", ""),
    "http://a/b?c": ("/b", "c"),
    "http://a": ("/", ""),
    "http://a?b": ("/", "b"),
    "http://a/b#c": ("/b#c", ""),
    "HTTPS://a:1/b": ("/b", ""),
    "http://u@[::1]:80/b%20c": ("/b c", ""),
    "http:///b": ("/b", ""),
}


@pytest.mark.parametrize(("target", "decoded"), TARGETS.items())
def test_decode_path(target: str, decoded: tuple[str, str]) -> None:
    """origin-form, absolute-form, asterisk-form (RFC 9112 §3.2)."""
    assert decode_path(target) == decoded


NO_TARGETS = {
    "a": "not a request-target for this server: 'a'",
    "a:443": "not a request-target for this server: 'a:443'",
    "ftp://a/": "not a request-target for this server: 'ftp://a/'",
    "**": "not a request-target for this server: '**'",
    "": "not a request-target for this server: ''",
    "/%ff": "the path is not UTF-8 once percent-decoded: '/%ff'",
    "/%ed%a0%80": "the path is not UTF-8 once percent-decoded: '/%ed%a0%80'",
    "/%c0%af": "the path is not UTF-8 once percent-decoded: '/%c0%af'",
}


@pytest.mark.parametrize(("target", "message"), NO_TARGETS.items())
def test_decode_path_refuses(target: str, message: str) -> None:
    """authority-form, other schemes, and a path that is no text once decoded."""
    with pytest.raises(h11.RemoteProtocolError) as caught:
        decode_path(target)
    assert str(caught.value) == message


@pytest.mark.parametrize("target", ["http://[", "http://[zz]/", "http://[::1/a"])
def test_decode_path_refuses_a_bad_host(target: str) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        decode_path(target)


OWN_OPTIONS = Routes(
    {"GET /": first, "OPTIONS /": second, "GET /v1/{id}": first, "OPTIONS /v1/{id}": second}
)


@pytest.mark.parametrize(("path", "params"), [("/", {}), ("/v1/a", {"id": "a"})])
def test_a_handler_for_options(path: str, params: dict[str, str]) -> None:
    """A handler of the table's own comes before the answer that every path has."""
    assert OWN_OPTIONS.find("OPTIONS", path) == (second, params)
    refused, _ = OWN_OPTIONS.find("PUT", path)
    assert isinstance(refused, Reply)
    assert refused.headers == (("Allow", "GET, HEAD, OPTIONS"),)


def test_options_of_the_whole_server() -> None:
    """`OPTIONS *` is no path, and no handler's."""
    reply, _ = OWN_OPTIONS.find("OPTIONS", "*")
    assert isinstance(reply, Reply)
    assert (reply.status, reply.headers) == (204, (("Allow", "GET, HEAD, OPTIONS"),))
