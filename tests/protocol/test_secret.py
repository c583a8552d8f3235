"""Keys are kept out of messages, in whatever form a program may write them."""

import html
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from time import process_time
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.secret import (
    MIN_CUT,
    MIN_SIZE,
    Secret,
    find_keys,
    find_unfinished_key,
    key_forms,
    quoted,
    redact,
)

KEY = "a-key-of-no-known-form"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The secrets of one test."""
    secrets = {KEY}
    monkeypatch.setattr(Secret, "known", secrets)
    return secrets


def test_a_secret_shows_nothing() -> None:
    secret = Secret("another-key-of-no-known-form")
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]}"):
        assert secret.reveal() not in shown
    assert redact(secret.reveal()) == "[redacted]"


@pytest.mark.parametrize("names", [("one-key-", "one-key-too"), ("one-key-too", "one-key-")])
def test_a_key_that_begins_with_another(names: tuple[str, ...], known: set[str]) -> None:
    """No end of the longer key is left, whatever the order of the known keys."""
    for name in names:
        Secret(name)
    assert redact("one-key-, one-key-too") == "[redacted], [redacted]"
    assert redact("one-key-one-key-") == "[redacted][redacted]"


@pytest.mark.parametrize("size", [0, 1, MIN_SIZE - 1])
def test_a_short_key_is_not_searched_for(size: int) -> None:
    """For example, "x" would be found in every text."""
    text = "xxxxxxxx, and x"
    assert Secret("x" * size).reveal() == "x" * size
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nothing here", "nothing here"),
        (f"no such key: {KEY}!", "no such key: [redacted]!"),
        ("Incorrect API key: sk-proj-abc_123.", "Incorrect API key: [redacted]."),
        ("SK-abcdef", "[redacted]"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ("Authorization: BEARER  abc=", "Authorization: BEARER  [redacted]"),
        ("proxy-authorization: basic bWU6eA==", "proxy-authorization: basic [redacted]"),
        ("http://me:pw@proxy:3128", "http://[redacted]@proxy:3128"),
        ("http://me:p@w@proxy:3128", "http://[redacted]@proxy:3128"),
        ("http://a/b, me@example", "http://a/b, me@example"),
        ("a task-force, risk-averse, disk-abcdef", "a task-force, risk-averse, disk-abcdef"),
    ],
)
def test_redact(text: str, shown: str) -> None:
    assert redact(text) == shown


# ---- escaped


def each_as(form: str) -> Callable[[str], str]:
    """Writes every character as its number."""
    return lambda text: "".join(form.format(ord(letter)) for letter in text)


ESCAPED: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", r"\/"),
    "JSON of Go": lambda text: (
        json.dumps(text)[1:-1].replace("<", r"\u003c").replace("&", r"\u0026")
    ),
    "JSON, each character": each_as(r"\u{:04x}"),
    "JSON, in capitals": each_as(r"\u{:04X}"),
    "repr": lambda text: repr(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "repr, each character": each_as(r"\x{:02x}"),
    "a path": quote,
    "a query": lambda text: quote(text, safe=""),
    "a query, in small letters": lambda text: "".join(
        letter if letter.isalnum() else f"%{ord(letter):02x}" for letter in text
    ),
    "a query, each character": each_as("%{:02X}"),
    "HTML": html.escape,
    "HTML, each character": each_as("&#{:d};"),
    "HTML, each in hex": each_as("&#x{:02X};"),
}
escapes = st.sampled_from(sorted(ESCAPED))
# A key is printable ASCII (servers/http/access.py), and may hold the characters of escapes.
keys = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=12, max_size=30)
nasty = st.text(st.sampled_from("\\'\"%&;/<x41u0abz"), min_size=12, max_size=30)


@given(key=(keys | nasty).map(lambda key: key + "."), first=escapes, second=escapes)
@example(key=r"""key\of'all"kinds<&>/""", first="JSON", second="JSON")
@example(key=r"""key\of'all"kinds<&>/""", first="JSON", second="a query")
@example(key=r"""key\of'all"kinds<&>/""", first="repr", second="JSON of Go")
@example(key="percent%41and&lt;entity", first="a query", second="HTML")
def test_a_key_is_found_however_it_is_escaped(key: str, first: str, second: str) -> None:
    """It may be escaped once or twice. The text around it is unchanged, so JSON stays JSON."""
    escaped = ESCAPED[second](ESCAPED[first](key))
    Secret.known.clear()
    Secret(key)
    assert (
        redact(f'{{"error": "no such key: {escaped}"}}') == '{"error": "no such key: [redacted]"}'
    )
    assert redact(f"{escaped} {escaped}") == "[redacted] [redacted]"


def test_a_key_may_be_escaped_three_times_at_most(known: set[str]) -> None:
    known.add('key"of all\\kinds')
    text = 'key"of all\\kinds'
    shown = []
    for _ in range(4):
        text = json.dumps(text)[1:-1]
        shown.append(redact(text))
    assert shown == ["[redacted]"] * 3 + [text]


@pytest.mark.parametrize("escape", ESCAPED)
def test_a_key_that_ends_in_an_escape_character(escape: str) -> None:
    """At most that last character is left."""
    key = "ends-with-a-\\"
    Secret(key)
    shown = redact(f'no: "{ESCAPED[escape](key)}"!')
    assert shown.removeprefix('no: "[redacted]').strip("\\") == '"!'


@given(
    key=keys,
    before=st.binary(max_size=10),
    behind=st.binary(max_size=10),
    encode=st.sampled_from([b64encode, urlsafe_b64encode]),
    escape=escapes,
)
def test_in_base64(
    key: str, before: bytes, behind: bytes, encode: Callable[[bytes], bytes], escape: str
) -> None:
    """The key may begin at any of three bytes, and the base64 may be escaped once more. At most one
    character at each end is left: it shares its six bits with a neighbour of the key."""
    Secret.known.clear()
    Secret(key)
    whole = encode(before + key.encode() + behind).decode()
    start, end = len(before) * 4 // 3, -(-(len(before) + len(key)) * 4 // 3)
    left = redact(ESCAPED[escape](whole))
    assert left.count("[redacted]") == 1
    assert ESCAPED[escape](whole[start + 1 : end - 1]) not in left


@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_in_hex(case: Callable[[str], str]) -> None:
    assert redact(f"0x{case(KEY.encode().hex())}") == "0x[redacted]"


def test_a_password_that_is_not_ascii() -> None:
    """It is found as text, as UTF-8 that was read as Latin-1, and percent-encoded."""
    password = "pässwörd-你好"
    Secret(password)
    for form in (password, password.encode().decode("latin-1"), quote(password)):
        assert redact(f"no: {form}!") == "no: [redacted]!"
    assert quoted(password.encode()) == "b'[redacted]'"


# ---- cut


@pytest.mark.parametrize("escape", ESCAPED)
def test_a_key_that_was_cut(escape: str) -> None:
    """Fewer than MIN_CUT characters may be a word; MIN_CUT or more are a key."""
    for size in range(len(KEY)):
        cut = ESCAPED[escape](KEY[:size])
        expected = "[redacted]" if size >= MIN_CUT else cut
        assert redact(f"no such key: {cut}… (cut)") == f"no such key: {expected}… (cut)"


def test_two_keys_that_begin_alike_and_were_cut(known: set[str]) -> None:
    known |= {"a-key-of-one-person", "a-key-of-one-program"}
    assert redact("a-key-of-one-pro, a-key-of-one-pers") == "[redacted], [redacted]"


def test_bytes_are_redacted_before_they_are_cut() -> None:
    assert quoted(b"HTTP/1.1 \xff\r\n") == r"b'HTTP/1.1 \xff\r\n'"
    assert quoted(b"x" * 100, 8) == "b'xxxxxx…"
    line = b"bad line: " + b"z" * 60 + KEY.encode() + b" and more of it"
    assert quoted(line, 80) == repr(b"bad line: " + b"z" * 60)[:-1] + "[redacte…"
    for place in range(30):
        assert "a-key" not in quoted(b"x" * place + KEY.encode() + b"yz", 20)


# ---- what it costs


@pytest.mark.parametrize("part", [KEY[:MIN_CUT], KEY, '\\"', "x"])
def test_the_cost_is_linear(part: str) -> None:
    """The text consists of halves of keys. Sixteen times the text cost 16 to 25 times as much, and
    250 times if each find copied the rest. Processor time is measured, so that other processes do
    not count."""

    def cost(size: int) -> float:
        text = part * (size // len(part))
        begun = process_time()
        redact(text)
        return process_time() - begun

    cost(1000)  # fills the caches
    assert cost(16 << 14) < 100 * min(cost(1 << 14) for _ in range(5))


# ---- Keys whose place in a text is asked for


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


WRITTEN = [
    KEY,
    quote(KEY, safe="").replace("-", "%2D"),
    escaped(KEY),
    json.dumps(escaped(KEY))[1:-1],
    "".join(f"&#x{ord(char):x};" for char in KEY),
    KEY.encode().hex(),
    b64encode(KEY.encode()).decode().rstrip("="),
]


@pytest.mark.parametrize("written", WRITTEN)
def test_the_place_of_a_key_is_found(written: str, known: set[str]) -> None:
    found = find_keys(f"no {written}!", key_forms(frozenset(known)))
    assert [(start, round(end, -1)) for start, end in found] == [(3, round(3 + len(written), -1))]


@pytest.mark.parametrize("written", WRITTEN)
def test_the_beginning_of_a_key_at_the_end_of_a_text_is_found(
    written: str, known: set[str]
) -> None:
    """From its fourth character on, wherever its escapes are cut."""
    forms = key_forms(frozenset(known))
    first = next(
        size for size in range(1, len(written)) if find_unfinished_key(written[:size], forms) == 0
    )
    assert first <= 4 * len(escaped("x") + "\\")
    for size in range(first, len(written) - 4):
        text = "a text, " + written[:size]
        assert find_unfinished_key(text, forms) == len("a text, "), text


@pytest.mark.parametrize(
    "text", ["", "a-ke", "a-key-of-nothing", f"{KEY}", "a-k", "x\\u00", "a-a-"]
)
def test_what_is_not_the_beginning_of_a_key(text: str, known: set[str]) -> None:
    """The first four characters are the least, and a whole key does not go on."""
    forms = key_forms(frozenset(known))
    assert find_unfinished_key(text, forms) == (0 if text == "a-ke" else len(text))


def test_a_text_that_was_escaped_too_often(known: set[str]) -> None:
    """Three times is the limit here, too."""
    forms = key_forms(frozenset(known))
    places = [find_unfinished_key("%" + "25" * times + "61-key-of", forms) for times in range(5)]
    assert places == [0, 0, 0, *[len("%25252561-key-of"), len("%2525252561-key-of")]]


def test_a_long_text_is_searched_at_its_end(known: set[str]) -> None:
    forms = key_forms(frozenset(known))
    assert find_unfinished_key("x" * 100_000 + KEY[:9], forms) == 100_000
