"""How long errors of an upstream delay the other streams: characters are counted, not seconds.

Every byte of an error is searched for keys. The slowest text consists of keys and escapes.
"""

import gzip

import pytest
import trio

from protocol.secret import redact
from servers.openai_proxy.handlers import MAX_ERROR_SIZE

from ..turns import counted_turns
from .fake_api import KEY, fake_api, proxied, whole
from .test_relay import JSON, parts, post

CLIENTS = 10
ESCAPED = "".join(f"%{ord(letter):02x}" for letter in KEY).encode()
HOSTILE = b'{"error":{"message":"' + ESCAPED * ((1 << 20) // len(ESCAPED))


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_one_error_is_searched_per_turn(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many errors at once, each longer than the limit: every byte that is relayed was searched."""
    body = gzip.compress(HOSTILE) if coding == "gzip" else HOSTILE
    replies = []
    with counted_turns() as turns:

        def counting(text: str) -> str:
            turns.did(len(text))
            return redact(text)

        monkeypatch.setattr("servers.openai_proxy.error_body.redact", counting)
        sent = whole(body, "429 Too Many Requests", JSON, f"Content-Encoding: {coding}")
        async with fake_api(sent) as api, proxied(api.port) as proxy, trio.open_nursery() as tasks:

            async def ask() -> None:
                replies.append(parts(await proxy.ask(post())))

            for _ in range(CLIENTS):
                tasks.start_soon(ask)
    assert turns.total == CLIENTS * MAX_ERROR_SIZE
    assert turns.most_in_pass <= MAX_ERROR_SIZE <= 32 << 10
    for head, said in replies:
        assert head.startswith(b"HTTP/1.1 429 ")
        assert said.startswith(b'{"error":{"message":"[redacted][redacted]')
        assert ESCAPED[:36] not in said
