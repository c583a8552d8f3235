"""A known head means the same as one that is read, however its bytes are cut."""

import pytest

from protocol.head import Head, HeadReader
from servers.http.request_head import KnownHeads, RequestHead, read_request_head
from servers.http.routes import Routes

from ...streams import receive_until
from ..driving import connected, echo, text

RAW = b"POST /echo HTTP/1.1\r\nHost: A:80\r\nX-Key: 1\r\nContent-Length: 3\r\n\r\n"


def checked(raw: bytes) -> Head:
    head = HeadReader().receive_data(raw)
    assert head is not None
    return head


def known(*raws: bytes, most: int = 64, max_size: int = 2048) -> KnownHeads:
    heads = KnownHeads(most, max_size)
    for raw in raws:
        heads.add(raw, read_request_head(checked(raw)))
    return heads


def of(number: int) -> bytes:
    return b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number


def test_a_known_head_equals_a_read_one() -> None:
    found = known(RAW).find(RAW + b"abcGET")
    assert found == (read_request_head(checked(RAW)), b"abcGET")
    head = found[0]
    assert (head.method, head.target.path, head.target.host) == ("POST", "/echo", "a")
    assert head.headers == (("host", "A:80"), ("x-key", "1"), ("content-length", "3"))


WITH_KEYS = b"""GET / HTTP/1.1\r
Authorization: Bearer sk-secret-1\r
Host: a\r
X-Api-Key:sk-secret-2\r
Accept: \ttext/plain \r
Cookie: \t id=sk-secret-3; b=\xe9 \t\r
X-Empty: \r
User-Agent:\r
\r
"""


@pytest.mark.parametrize("raw", [WITH_KEYS, b"GET / HTTP/1.0\r\n\r\n", of(1)])
def test_values_that_are_not_kept_are_read_again(raw: bytes) -> None:
    found = known(raw).find(raw)
    assert found == (read_request_head(checked(raw)), b"")


def test_no_known_head_keeps_a_key() -> None:
    """Neither in a field nor in the target. An unknown field may hold one, too."""
    heads = known(WITH_KEYS, b"GET /?key=sk-secret-4 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert "user-agent" in repr(vars(heads))
    assert "secret" not in repr(vars(heads))
    other = WITH_KEYS.replace(b"secret-1", b"secret-9")
    assert heads.find(other) is None


@pytest.mark.parametrize("length", [b"0", b"7", b"000", b"123456789012345678"])
@pytest.mark.parametrize("line", [b"Content-Length: %b", b"content-length: %b", b"X-Key: 1"])
def test_a_known_head_with_another_length(line: bytes, length: bytes) -> None:
    """Only the length differs, in the framing and in the field. A secret may stand on either
    side."""
    before, after = WITH_KEYS.split(b"Accept", 1)
    lines = [before + (line % digits if b"%" in line else line) for digits in (b"98", length)]
    first, second = (each + b"\r\nAccept" + after for each in lines)
    assert known(first).find(second + b"abc") == (read_request_head(checked(second)), b"abc")


@pytest.mark.parametrize("length", [b"+7", b"0x7", b"7 ", b"7, 7", b"1234567890123456789", b""])
def test_a_length_that_is_not_one_is_not_known(length: bytes) -> None:
    assert known(RAW).find(RAW.replace(b"Length: 3", b"Length: " + length)) is None
    twice = RAW.replace(b"Length: 3\r\n", b"Length: 3\r\nContent-Length: 3\r\n")
    assert known(RAW).find(twice) is None


OTHERS = [RAW[:-1], b"\r\n" + RAW, RAW.replace(b"1", b"2"), b"", b"\r\n"]


@pytest.mark.parametrize("data", OTHERS)
def test_another_head_is_not_known(data: bytes) -> None:
    assert known(RAW).find(data) is None


def test_heads_are_limited() -> None:
    """In number, where the oldest is evicted, and in size."""
    heads = known(*map(of, range(4)), most=3)
    assert [heads.find(of(number)) is not None for number in range(4)] == [False, True, True, True]
    assert known(RAW, max_size=len(RAW) - 1).find(RAW) is None
    assert known(RAW, max_size=len(RAW)).find(RAW) is not None


async def test_the_same_head_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, in one read with its body, pipelined, or byte by byte: the replies are the same."""
    read: list[Head] = []

    def reading(head: Head) -> RequestHead:
        read.append(head)
        return read_request_head(head)

    monkeypatch.setattr("servers.http.incoming.read_request_head", reading)
    async with connected(Routes({"POST /echo": echo})) as memory:
        for writes in ([RAW + b"abc"], [RAW, b"abc"], [RAW + b"abc" + RAW + b"abc"]):
            for data in writes:
                await memory.client.send_all(data)
            expected = text(b"abc") * b"".join(writes).count(RAW)
            received = b""
            while len(received) < len(expected):  # two replies may come in one read, or in two
                received += await receive_until(memory.client, b"abc")
            assert received == expected
        assert len(read) == 1
        for index in range(len(RAW) + 3):
            await memory.client.send_all((RAW + b"abc")[index : index + 1])
        assert await receive_until(memory.client, b"abc") == text(b"abc")
    assert [head.raw for head in read] in ([RAW], [RAW, RAW])
