"""Keys in JSON are found by the names of their members, wherever the JSON is cut."""

import json

import pytest

from workshop.xray.recordings.masking import Masker
from workshop.xray.recordings.members import find_members

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"

KEYS = [
    ('{"api_key":"abc"}', ["abc"]),
    ('{"apiKey" : "abc", "a": 1}', ["abc"]),
    ('{"OPENAI_API_KEY":\n  "abc"}', ["abc"]),
    ('{"password":12345678}', ["12345678"]),
    ('{"client-secret":"a\\"b\\\\"}', ['a"b\\']),
    ('{"headers":{"Authorization":"Bearer abc"}}', ["Bearer abc"]),
    (json.dumps({"arguments": json.dumps({"access_token": 'a"b', "x": "y"})}), ['a\\"b']),
    (json.dumps({"a": json.dumps({"b": json.dumps({"secret": "abc"})})}), ["abc"]),
    # The end has not come.
    ('{"api_key":"ab', ["ab"]),
    ('{"api_key":"ab\\', ["ab"]),
    # Not keys.
    ('{"password":{"type":"string"},"required":["password"]}', []),
    ('{"api_key":null,"max_tokens":5,"keys":"abc","monkey":"abc","token_type":"bearer"}', []),
    ('{"password', []),
]


@pytest.mark.parametrize(("text", "keys"), KEYS)
def test_the_values_that_are_keys(text: str, keys: list[str]) -> None:
    for is_request in (True, False):
        found = list(find_members(text, is_request=is_request))
        assert [member.value for member in found] == keys
        assert all(member.is_complete == text.endswith("}") for member in found)


def test_a_token_is_a_key_only_in_a_request() -> None:
    """Some APIs stream their text in members of that name."""
    text = '{"token":"Hello"}'
    assert [member.value for member in find_members(text, is_request=True)] == ["Hello"]
    assert not list(find_members(text, is_request=False))


def test_arguments_that_stream_keep_their_quotes() -> None:
    """The value of a member in a tool call comes in later events. The JSON stays whole."""
    event = json.dumps({"delta": {"arguments": '{"password":"'}})
    text = f"data: {event}\n\n".encode()
    assert Masker().mask("server", text) == text


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_body_in_any_reads(size: int) -> None:
    """The key is masked, and so is its echo by the server."""
    body = b'{"stream":true,"api_key":"canary-0123456789","user":"me"}'
    request, masker = HEAD + body, Masker()
    shown = b"".join(
        masker.mask("client", request[start : start + size])
        for start in range(0, len(request), size)
    )
    assert shown == HEAD + body.replace(b"canary-0123456789", b"*" * 17)
    assert masker.mask("server", b"no such key: canary-0123456789\n").count(b"*") == 17


def test_authorization_is_known_without_its_scheme() -> None:
    masker = Masker()
    masker.mask("client", HEAD + b'{"authorization":"Bearer canary-0123456789"}')
    assert masker.mask("server", b"canary-0123456789\n") == b"*" * 17 + b"\n"


@pytest.mark.parametrize("size", [1, 1000])
def test_a_form(size: int) -> None:
    request, masker = HEAD + b"q=hello&api_key=canary+012345&max_tokens=5", Masker()
    shown = b"".join(
        masker.mask("client", request[start : start + size])
        for start in range(0, len(request), size)
    )
    assert shown == HEAD + b"q=hello&api_key=*************&max_tokens=5"
    assert masker.mask("server", b"canary 012345\n") == b"*" * 13 + b"\n"


def test_a_value_longer_than_its_limit() -> None:
    """It is masked to the end of its line, without being kept."""
    masker = Masker()
    masker.mask("client", HEAD + b'{"api_key":"' + b"k" * 20_000)
    assert masker.mask("client", b'kkk"}') == b"*****"
