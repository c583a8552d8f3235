"""The request that a handler gets."""

import pytest

from servers.http.reply import Request


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_header_equals_its_method(name: str) -> None:
    """A request has the `get` of a dict in place of its method `header`."""
    request = Request("GET", "/", headers=(("a", "first"), ("b", ""), ("a", "second")))
    assert request.header(name) == Request.header(request, name)
    assert request.header(name) == {"a": "first", "b": ""}.get(name)
