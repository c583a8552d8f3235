"""A table of routes finds the handler of each request."""

import pytest

from servers.http.reply import Reply, Request
from servers.http.routes import Routes


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
    ("HEAD", "/"): (first, {}),  # HEAD has the handler of GET
    ("GET", "/v1/x"): (first, {"rest": "x"}),
    ("GET", "/v1/x/y"): (first, {"rest": "x/y"}),
    ("HEAD", "/v1/你"): (first, {"rest": "你"}),
    ("GET", "/v1/models"): (first, {"rest": "models"}),
    ("GET", "/v1/models/"): (first, {"rest": "models/"}),
    ("GET", "/v1/models/a"): (second, {"id": "a"}),  # the longest prefix wins
    ("POST", "/v1/chat"): (second, {}),  # an exact path wins over any prefix
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


OWN_OPTIONS = Routes(
    {"GET /": first, "OPTIONS /": second, "GET /v1/{id}": first, "OPTIONS /v1/{id}": second}
)


@pytest.mark.parametrize(("path", "params"), [("/", {}), ("/v1/a", {"id": "a"})])
def test_a_handler_for_options(path: str, params: dict[str, str]) -> None:
    """A handler of the table is used in place of the usual answer."""
    assert OWN_OPTIONS.find("OPTIONS", path) == (second, params)
    refused, _ = OWN_OPTIONS.find("PUT", path)
    assert isinstance(refused, Reply)
    assert refused.headers == (("Allow", "GET, HEAD, OPTIONS"),)


def test_options_of_the_whole_server() -> None:
    """`*` is not a path, so `OPTIONS *` has no handler."""
    reply, _ = OWN_OPTIONS.find("OPTIONS", "*")
    assert isinstance(reply, Reply)
    assert (reply.status, reply.headers) == (204, (("Allow", "GET, HEAD, OPTIONS"),))
