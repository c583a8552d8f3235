"""No key is shown, however the bytes are cut, and nothing else changes."""

import json
from base64 import b64encode
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.recording import RecordedRead
from protocol.secret import MIN_UNFINISHED, Secret
from workshop.xray.recordings.masking import KEPT, MAX_LINE, Masker, Sender, mask_reads

KEY = "canary+key/of'no\"form-0123456789"
COOKIE = "canary-session-0123456789"
ENCODED = quote(KEY, safe="")


@pytest.fixture(autouse=True)
def _no_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Secret, "known", set())


def masked(parts: list[tuple[Sender, bytes]], size: int = 1 << 20) -> str:
    """Return all bytes, masked in reads of at most this size."""
    masker, shown = Masker(), b""
    for sender, data in parts:
        for start in range(0, len(data), size):
            read = data[start : start + size]
            shown += masker.mask(sender, read)
        assert len(shown) >= len(data)
    assert len(shown) == sum(len(data) for _, data in parts)
    return shown.decode("latin-1")


FIELDS = [
    ("Authorization: Bearer KEY", "Authorization: Bearer ***"),
    ("authorization:KEY", "authorization:***"),
    ("Authorization: Bearer\tKEY", "Authorization: Bearer\t***"),
    ("Proxy-Authorization: Basic KEY", "Proxy-Authorization: Basic ***"),
    ("Cookie: a=KEY; b=c", "Cookie: *** **"),
    ("Set-Cookie: a=KEY; Path=/", "Set-Cookie: *** **"),
    ("x-api-key: KEY", "x-api-key: ***"),
    ("API-Key: KEY", "API-Key: ***"),
    ("X-Goog-Api-Key: KEY", "X-Goog-Api-Key: ***"),
    ("Authorization: Bearer\r\n KEY", "Authorization: ******"),
    ("Location: /x?api_key=KEY&a=b", "Location: /x?api_key=***&a=b"),
    ("Referer: https://KEY@host/x", "Referer: https://***@host/x"),
    ("Host: KEY.example", "Host: KEY.example"),
    ("X-Key-Id: abc", "X-Key-Id: abc"),
]


@pytest.mark.parametrize("sender", ["client", "server"])
@pytest.mark.parametrize(("line", "shown"), FIELDS)
def test_a_field(line: str, shown: str, sender: Sender) -> None:
    key = "0123456789abcdefghij"
    data = f"X / HTTP/1.1\r\n{line}\r\nAccept: */*\r\n\r\n".replace("KEY", key)
    left, _, right = shown.partition("*")
    text = masked([(sender, data.encode())])
    assert (key in text) == ("KEY" in shown)
    assert text.startswith(f"X / HTTP/1.1\r\n{left}".replace("KEY", key))
    assert text.endswith(right.lstrip("* ") + "\r\nAccept: */*\r\n\r\n")


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/v1?key=abcdef", "/v1?key=******"),
        ("/v1?a=b&%6Bey=a%2Fb#c", "/v1?a=b&%6Bey=*****#c"),
        ("/v1?x-goog-api-key=abc&api_key=&token=1", "/v1?x-goog-api-key=***&api_key=&token=*"),
        ("http://me:pw@proxy/", "http://*****@proxy/"),
        ("/x?to=http%3A%2F%2Fme%3Apw%40proxy", "/x?to=http%3A%2F%2F*******%40proxy"),
        ("/x?to=%2Fy%3Fkey%3Dabc%26b", "/x?to=%2Fy%3Fkey%3D***%26b"),
        ("/x?max_tokens=5&keys=a&monkey=b", "/x?max_tokens=5&keys=a&monkey=b"),
    ],
)
def test_a_target(target: str, shown: str) -> None:
    assert masked([("client", f"GET {target} HTTP/1.1\r\n\r\n".encode())]) == (
        f"GET {shown} HTTP/1.1\r\n\r\n"
    )
    assert Masker().mask_url(target) == shown
    assert masked([("server", f"GET {target} HTTP/1.1\r\n\r\n".encode())]) == (
        f"GET {target} HTTP/1.1\r\n\r\n"
    )


HEAD = (
    f"POST /v1?key={ENCODED} HTTP/1.1\r\nHost: a\r\n"
    f"Cookie: session={COOKIE}\r\nAuthorization: Basic {b64encode(f'me:{KEY}'.encode()).decode()}"
    "\r\n\r\n"
).encode()
ECHOES = {
    "plain": KEY,
    "JSON": json.dumps({"error": KEY}),
    "JSON in JSON": json.dumps({"error": json.dumps(KEY)}),
    "every character escaped": "".join(f"\\u{ord(char):04x}" for char in KEY),
    "percent-encoded": ENCODED,
    "repr": repr(KEY.encode()),
    "HTML": KEY.replace("'", "&#39;").replace('"', "&quot;"),
    "hex": KEY.encode().hex(),
    "base64": b64encode(f"x{KEY}".encode()).decode(),
    "base64 of user and password": b64encode(f"me:{KEY}".encode()).decode(),
    "cookie": COOKIE,
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 1 << 20])
@pytest.mark.parametrize("form", ECHOES)
def test_an_echo(form: str, size: int) -> None:
    """The server quotes a key. If reads are tiny, its first three characters may be seen."""
    echo = ECHOES[form]
    answer = f"HTTP/1.1 401 No\r\nContent-Length: 99\r\n\r\nno such key: {echo}, sorry"
    text = masked([("client", HEAD), ("server", answer.encode())], size)
    before, _, after = text.partition("no such key: ")
    assert "canary" not in text
    assert ENCODED not in text
    assert after.endswith(", sorry")
    shown = after.removesuffix(", sorry").replace("*", "")
    # What is around the key, and the first characters of it, each perhaps a whole escape.
    assert len(shown) <= 12 + 2 * 7 * MIN_UNFINISHED, shown
    for start in range(len(echo) - 40):
        assert echo[start : start + 40] not in text
    assert before.startswith("POST /v1?key=***")


@given(
    cuts=st.lists(st.integers(0, 400), max_size=12),
    chunks=st.lists(st.integers(1, 60), max_size=8),
    form=st.sampled_from(sorted(ECHOES)),
)
def test_a_key_that_reads_and_chunks_share(cuts: list[int], chunks: list[int], form: str) -> None:
    """However a chunked body is cut, the sizes of its chunks stay, and the key does not."""
    body, rest = b"", f"no such key: {ECHOES[form]}, sorry".encode()
    borders = b""
    for size in [*chunks, 1000]:
        data, rest = rest[:size], rest[size:]
        if data:
            body += b"%x\r\n%b\r\n" % (len(data), data)
            borders += b"%x\r\n%b\r\n" % (len(data), b"?" * len(data))
    masker = Masker()
    masker.mask("client", HEAD)
    places = sorted({0, *(cut for cut in cuts if cut < len(body)), len(body)})
    shown = b"".join(masker.mask("server", body[start:end]) for start, end in pairwise(places))
    assert len(shown) == len(body)
    assert b"canary" not in shown
    for index, byte in enumerate(shown):
        if borders[index : index + 1] != b"?":
            assert byte == body[index]


@given(st.lists(st.tuples(st.sampled_from(["client", "server"]), st.binary(max_size=90))))
def test_any_bytes(parts: list[tuple[Sender, bytes]]) -> None:
    """The number of bytes stays the same, and the only new byte is "*"."""
    masker = Masker([KEY])
    for sender, data in parts:
        shown = masker.mask(sender, data)
        assert len(shown) == len(data)
        assert all(new in (old, ord("*")) for old, new in zip(data, shown, strict=True))


@pytest.mark.parametrize("size", [1, 10, 64, 65, 1000])
def test_a_long_value(size: int) -> None:
    """A line is searched from its beginning, even if it arrives in many reads."""
    key, cookie = "key" * 100, "cookie" * 50
    head = f"GET /{'x' * 300}?key={key} HTTP/1.1\r\nCookie: a={cookie}\r\n\r\n"
    shown = masked([("client", head.encode()), ("server", (key + cookie).encode())], size)
    assert "keyk" not in shown
    assert "cook" not in shown


def test_the_password_of_basic_authentication() -> None:
    """The password is masked alone, and also together with its name."""
    based = b64encode(b"me:a-password").decode()
    head = f"GET / HTTP/1.1\r\nAuthorization: Basic {based}\r\n\r\n".encode()
    answer = f"a-password me:a-password {based}".encode()
    text = masked([("client", head), ("server", answer)])
    assert text.endswith(f"\r\n\r\n{'*' * 10} {'*' * 13} {'*' * len(based)}")


def test_ordinary_bytes_stay() -> None:
    """A model's text in whole events is not changed."""
    answer = b'1c\r\ndata: {"text": "task-risk"}\n\n\r\n'
    text = masked([("client", HEAD), ("server", answer * 3)], len(answer))
    assert text.endswith(answer.decode() * 3)


def test_a_read_that_ends_like_a_key() -> None:
    """The end of the read is masked, although other bytes follow (rule 3)."""
    masker = Masker(["canary-key-0123"])
    assert masker.mask("server", b"a cana") == b"a ****"
    assert masker.mask("server", b"l in Panama") == b"l in Panama"
    assert masker.mask("server", b"a can") == b"a can"
    assert masker.mask("server", b"ary-key-01") == b"**********"


def test_a_key_of_openai_is_known_by_its_form() -> None:
    masker = Masker()
    body = b'{"key": "sk-proj-0123456789abcdef", "task": "sk-abc", "mask-'
    shown = masker.mask("client", body + b"sk-")
    assert shown == b'{"key": "************************", "task": "sk-abc", "mask-***'
    assert masker.mask("client", b"learn this") == b"learn this"
    assert masker.mask("server", b"sk-proj-0123456789abcdef") == b"*" * 24
    assert masker.mask("server", b" ab sk-proj-01234") == b" ab *************"
    assert masker.mask("server", b"56789abcdef g") == b"*" * 11 + b" g"


def test_a_line_longer_than_its_limit() -> None:
    """A long line is masked to its end, but not kept in memory."""
    masker = Masker()
    masker.mask("client", b"GET / HTTP/1.1\r\nCookie: a=" + b"k" * MAX_LINE)
    assert masker.mask("client", b"more of it") == b"*" * 10
    assert masker.mask("client", b"rest\r\nHost: a\r\n") == b"****\r\nHost: a\r\n"
    assert masker.mask("client", b"Accept: */*\r\n") == b"Accept: */*\r\n"


def test_a_long_line_without_a_key_is_not_masked() -> None:
    masker = Masker()
    for _ in range(5):
        text = b"Link in a text without line ends: " + b"x" * MAX_LINE
        assert masker.mask("server", text) == text


def test_the_number_of_keys_is_limited() -> None:
    masker = Masker(["first-key-0", "second-key-0", "third-key-0"], max_keys=2)
    shown = masker.mask("server", b"first-key-0 second-key-0 third-key-0")
    assert shown == b"first-key-0 ************ ***********"


def test_secrets_of_the_process_are_known() -> None:
    Secret("a-secret-of-the-process")
    assert Masker().mask("server", b"a-secret-of-the-process!") == b"*" * 23 + b"!"


def test_what_is_masked_already_is_not_a_key() -> None:
    masker = Masker()
    masker.mask("client", b"GET / HTTP/1.1\r\nx-api-key: **********\r\n\r\n")
    assert masker.mask("server", b"a ******** b") == b"a ******** b"


def test_little_is_kept_of_a_line() -> None:
    masker = Masker()
    masker.mask("server", b"x" * 100_000)
    assert len(masker._directions["server"].carry) == KEPT


def test_a_recording() -> None:
    """Each connection has its own known keys. The URL is masked, too."""
    url = "http://a/?key=0123456789"
    reads = [
        RecordedRead(0.0, "client", b"GET /?key=0123456789 HTTP/1.1\r\n\r\n", url=url),
        RecordedRead(1.0, "server", b"0123456789"),
        RecordedRead(2.0, "server", b"0123456789", connection=1),
        RecordedRead(3.0, "server", end="fin"),
    ]
    assert list(mask_reads(reads)) == [
        RecordedRead(
            0.0, "client", b"GET /?key=********** HTTP/1.1\r\n\r\n", url="http://a/?key=**********"
        ),
        RecordedRead(1.0, "server", b"**********"),
        reads[2],
        reads[3],
    ]
