"""Masks keys in the bytes that x-ray shows and saves. Each byte keeps its offset.

    GET /v1/models?key=sk-proj-abc123 HTTP/1.1      GET /v1/models?key=************** HTTP/1.1
    Authorization: Bearer sk-proj-abc123            Authorization: Bearer **************
    Cookie: session=0123456789                      Cookie: ******************

    {"error":"no such key: sk-proj-abc123"}         {"error":"no such key: **************"}
    {"api_key":"abc123","stream":true}              {"api_key":"******","stream":true}

Each byte of a key is replaced by one `*`, so no size, chunk-size or offset changes, and masked
bytes give the same measurements. The bytes that a tap relays are never changed.

The rules this file keeps:

1. These are masked: the values of the header fields in FIELDS, the values of the parameters in
   PARAMETERS of a URL or a form, names and passwords in a URL, the JSON members that members.py
   knows, and everything that looks like an OpenAI key.
2. A value that was masked once is a known key. From then on, the key is masked wherever it appears
   on this connection, in every form that protocol/secret.py knows (in JSON, percent-encoded, in
   base64, in hex …), even if the key is split between two reads or two chunks. If a compressed body
   quotes a key, the whole rest of the body is masked (coded.py).
3. Nothing is held back: `mask` returns as many bytes as it was given. If the last bytes of a read
   may be the beginning of a key, they are masked at once, even if the next read shows that they
   were not. So a few harmless bytes may be masked, but at most the first three characters of a key
   are shown.
4. The memory for each connection is limited: MAX_LINE bytes of an unfinished line, and the last
   `max_keys` keys.
"""

import re
from base64 import b64decode
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal
from urllib.parse import unquote, unquote_plus

import msgspec

from protocol.recording import RecordedRead
from protocol.secret import (
    MIN_CUT,
    MIN_SIZE,
    Forms,
    Range,
    Secret,
    find_keys,
    find_unfinished_key,
    key_forms,
    redact,
)

from .coded import CodedBodies
from .members import find_members

__all__ = ["Masker", "mask_message", "mask_reads"]

Sender = Literal["client", "server"]

MASK = "*"
MAX_LINE = 16 << 10  # bytes of an unfinished line that are searched again with the next read
KEPT = 64  # the same for any other line, enough for a name or the first characters of a key

# Names without their hyphens and underscores, in lower case.
PARAMETERS = re.compile(
    r"(?:x?(?:goog)?(?:api|access|subscription)?key)|(?:access|auth|session|refresh|id)?token"
    r"|auth(?:orization)?|(?:client)?secret|passw(?:or)?d|pwd|sig(?:nature)?|credential"
    r"|xamz(?:signature|credential|securitytoken)"
)
FIELDS = (
    r"(?:proxy-)?authorization|(?:set-)?cookie2?|(?:x-(?:goog-)?)?api-?key"
    r"|ocp-apim-subscription-key|x-auth-token|x-amz-security-token"
)
URL_FIELDS = r"(?:content-)?location|referer|origin|link|refresh"

# Header lines are searched for everywhere, also in a body, because a server may send back the
# request's head. A line that begins with a space continues a field ("obs-fold", RFC 9112 §5.2).
LINE = re.compile(
    rf"[\r\n](?i:(?:(?P<field>{FIELDS})|(?P<url_field>{URL_FIELDS}))[ \t]*:[ \t]*"
    r"(?P<value>[^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*)"
    r"|(?P<method>[a-z]{3,20})[ ]+(?P<target>[^\r\n]*))"
)
# credentials = auth-scheme [ 1*SP ( token68 / … ) ] (RFC 9110 §11.4). Some clients send the key
# alone.
SCHEME = re.compile(r"[A-Za-z][\w-]{0,19}[ \t]+(?=\S)")

# A URL inside a parameter of another URL is percent-encoded.
USERINFO = re.compile(r"//([^/?#\s]*)@|%2f%2f((?:(?!%2f|%40)[^/?#&\s])*)%40", re.IGNORECASE)
PARAMETER = re.compile(r"[?&#]([^=&#?\s]{1,80})=([^&#\s]*)")
INNER_PARAMETER = re.compile(
    r"%(?:3f|26)((?:(?!%3d|%26)[^=&#?\s]){1,80})%3d((?:(?!%26|%23)[^&#\s])*)", re.IGNORECASE
)
# In the body of a form: name=value&name=value.
FORM = re.compile(r"(?:^|&)([\w.\[\]-]{2,60})=([^&#\s]*)", re.MULTILINE)
# A key of OpenAI's form, or the beginning of one at the end of a read.
SUSPECT = re.compile(r"[sS](?<!\w.)[kK]-(?:[\w-]{16,}|[\w-]*\Z)")

# chunk-data CRLF chunk-size CRLF (RFC 9112 §7.1). This may come in the middle of a key.
CHUNK_BORDER = re.compile(r"(\r\n[0-9a-fA-F]{1,8}\r\n|\r(?:\n(?:[0-9a-fA-F]{1,8}\r?)?)?\Z)")


@dataclass
class Direction:
    """The state that is kept for the bytes of one sender.

    Attributes:
        carry: The last bytes before masking. They are searched again together with the next read.
        in_long_line: Whether a line with a key is longer than MAX_LINE, so that the rest of it is
            masked.
    """

    carry: str = ""
    in_long_line: bool = False


class Masker:
    """Masks the keys in the bytes of one connection.

    Args:
        secrets: Keys that are known at the start, such as those from the command line.
        max_keys: Largest number of known keys. A new key evicts the oldest.
    """

    def __init__(self, secrets: Iterable[str] = (), *, max_keys: int = 32) -> None:
        self._keys: dict[str, None] = {}  # used as a set that keeps the order of insertion
        self._max_keys = max_keys
        self._directions = {"client": Direction(), "server": Direction()}
        self._coded = CodedBodies()
        self._forms: Forms = ()
        self._formed: frozenset[str] = frozenset()  # the keys from which `_forms` was made
        self._learn(secrets)

    def mask(self, sender: Sender, data: bytes) -> bytes:
        """Mask the keys in the next bytes of one sender.

        Returns:
            As many bytes as were given. Each byte of a key, or of a possible beginning of a key, is
            replaced by "*".
        """
        direction = self._directions[sender]
        window = direction.carry + data.decode("latin-1")
        unchunked = Unchunked(window)
        text = unchunked.text
        found, unfinished = self._find_values(text, direction, is_request=sender == "client")
        forms = self._current_forms()
        if forms:
            found += find_keys(text, forms)
            # Most reads end with a line end. A key cannot go on after it, so there is nothing to
            # search for.
            start = len(text) if text.endswith("\n") else find_unfinished_key(text, forms)
            found.append((start, len(text)))
            unfinished = min(unfinished, start)
        ranges = [part for start, end in found for part in unchunked.ranges(start, end)]
        if sender == "client":
            self._coded.receive_request(data)
        else:
            size = len(direction.carry)
            coded = self._coded.find(data, forms)
            ranges += [(size + start, size + end) for start, end in coded]
        shown = _masked(window, ranges)[len(direction.carry) :]
        kept = min(unchunked.place(unfinished), max(0, len(window) - KEPT))
        direction.carry = window[kept:]
        return shown.encode("latin-1")

    def mask_url(self, url: str) -> str:
        """Mask the keys in a URL. From then on these keys are known."""
        return _masked(url, self._find_in_url(url, 0) + find_keys(url, self._current_forms()))

    # ---- Values of keys

    def _find_values(
        self, text: str, direction: Direction, *, is_request: bool
    ) -> tuple[list[Range], int]:
        """Find the values of fields and parameters. Complete values become known keys.

        Returns:
            The ranges of the values, and the offset of a line or key that may continue in the next
            read. If there is none, the offset is the size of the text.
        """
        ranges: list[Range] = []
        unfinished = len(text)
        if direction.in_long_line:
            rest = re.match(r"[^\r\n]*", text)
            end = rest.end() if rest else 0
            direction.in_long_line = end == len(text)
            ranges.append((0, end))
        for line in LINE.finditer("\n" + text):
            group = "target" if line["method"] else "value"
            start, end = (offset - 1 for offset in line.span(group))
            if line["method"] and not is_request:
                continue
            # The line may end in the next read, or be continued on the next line.
            may_go_on = not text[end:].strip("\r\n")
            if may_go_on and len(text) - line.start() <= MAX_LINE:
                unfinished = line.start()
            elif may_go_on and not line["url_field"]:
                direction.in_long_line = True
            is_complete = "\n" in text[end : end + 2]
            if line["field"]:
                name = line["field"].lower()
                scheme = SCHEME.match(text, start, end) if "authorization" in name else None
                start = scheme.end() if scheme else start
                ranges.append((start, end))
                self._learn(_keys_in(name, text[start:end]) if is_complete else [])
            else:
                ranges += self._find_in_url(text[start:end], start, learn=is_complete)
        for member in find_members(text, is_request=is_request):
            ranges.append((member.start, member.end))
            self._learn(_keys_in(member.name, member.value) if member.is_complete else [])
            if not member.is_complete and len(text) - member.begin > MAX_LINE:
                direction.in_long_line = True
            elif not member.is_complete:
                unfinished = min(unfinished, member.begin)
        for parameter in FORM.finditer(text) if is_request else ():
            if _is_secret(parameter[1]):
                ranges.append(parameter.span(2))
                if parameter.end() < len(text):
                    self._learn([parameter[2], unquote_plus(parameter[2])])
                else:
                    unfinished = min(unfinished, parameter.start())
        for suspect in SUSPECT.finditer(text):
            ranges.append(suspect.span())
            if suspect.end() < len(text):
                self._learn([suspect[0]])
            else:
                unfinished = min(unfinished, suspect.start())
        return ranges, max(unfinished, len(text) - MAX_LINE)

    def _find_in_url(self, url: str, offset: int, *, learn: bool = True) -> list[Range]:
        found, keys = [], []
        for userinfo in USERINFO.finditer(url):
            found.append(userinfo.span(userinfo.lastindex or 0))
            name, _, password = unquote(userinfo[userinfo.lastindex or 0]).partition(":")
            keys += [name, password]
        for parameter in (*PARAMETER.finditer(url), *INNER_PARAMETER.finditer(url)):
            if _is_secret(parameter[1]):
                found.append(parameter.span(2))
                keys += [parameter[2], unquote_plus(parameter[2])]
        self._learn(keys if learn else [])
        return [(offset + start, offset + end) for start, end in found]

    # ---- Known keys

    def _learn(self, keys: Iterable[str]) -> None:
        for key in keys:
            if len(key) >= MIN_SIZE and key.strip(MASK):
                self._keys.pop(key, None)
                self._keys[key] = None
                if len(self._keys) > self._max_keys:
                    del self._keys[next(iter(self._keys))]

    def _current_forms(self) -> Forms:
        keys = self._keys.keys() | Secret.known
        if keys != self._formed:
            self._formed = frozenset(keys)
            self._forms = key_forms(self._formed)
        return self._forms


class Unchunked:
    """The text of a window without the chunked coding, and the offset that each part has in the
    window."""

    def __init__(self, window: str) -> None:
        parts = CHUNK_BORDER.split(window)  # data and chunked coding in turn
        self.text = "".join(parts[::2])
        # The offset at which each part of the data ends, in the text and in the window.
        self._ends = list(accumulate(map(len, parts[::2])))
        self._places = list(accumulate(map(len, parts)))[::2]

    def place(self, offset: int) -> int:
        """Convert an offset in the text to an offset in the window."""
        index = min(bisect_right(self._ends, offset), len(self._ends) - 1)
        return offset + self._places[index] - self._ends[index]

    def ranges(self, start: int, end: int) -> Iterator[Range]:
        """Convert a range of the text, which is not empty, to ranges of the window."""
        while start < end:
            index = bisect_right(self._ends, start)
            shift = self._places[index] - self._ends[index]
            stop = min(end, self._ends[index])
            yield start + shift, stop + shift
            start = stop


def mask_reads(reads: Iterable[RecordedRead]) -> Iterator[RecordedRead]:
    """Mask the keys of a whole recording, in its bytes and URLs. Each connection has a Masker."""
    maskers: dict[int, Masker] = {}
    for read in reads:
        masker = maskers.setdefault(read.connection, Masker())
        url = masker.mask_url(read.url)
        yield msgspec.structs.replace(read, bytes=masker.mask(read.sender, read.bytes), url=url)


def mask_message(text: str) -> str:
    """Mask the keys in a message for the user, which may quote a URL or a flag."""
    return redact(Masker().mask_url(text))


def _is_secret(parameter: str) -> bool:
    """Whether the value of this parameter of a URL or a form is a key."""
    name = re.sub(r"[-_.\[\]]", "", unquote(parameter)).lower()
    return PARAMETERS.fullmatch(name) is not None


def _keys_in(name: str, value: str) -> list[str]:
    """Return the keys in the value of a field. Each of them may appear alone in another place."""
    keys = [value.strip()]
    if "cookie" in name:
        pairs = value.split(";")
        # Set-Cookie: name=value; Path=/ (RFC 6265 §4.1). The attributes are not secret.
        pairs = pairs[:1] if name.startswith("set-") else pairs
        values = [pair.partition("=")[2].strip(' "') for pair in pairs]
        # A short value (`theme=darkmode`) would also be masked in ordinary text.
        keys = [text for text in values if len(text) >= MIN_CUT]
    elif "authorization" in name:
        value = SCHEME.sub("", value, count=1)
        keys.append(value.strip())
        try:
            decoded = b64decode(value, validate=True).decode()
        except ValueError:
            pass
        else:  # user-pass = user-id ":" password (RFC 7617 §2)
            keys += [decoded, decoded.partition(":")[2]]
    return keys


def _masked(text: str, ranges: list[Range]) -> str:
    parts, last = [], 0
    for start, end in sorted(ranges):
        if end > last:
            start = max(start, last)
            parts += [text[last:start], MASK * (end - start)]
            last = end
    return "".join([*parts, text[last:]])


# What this file does not do: find a key that a model says token by token, each in an event of its
# own; one in a body that is compressed with br or zstd; or one in a body that has neither OpenAI's
# form nor a name that says that it is a key.
