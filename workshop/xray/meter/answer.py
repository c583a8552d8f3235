"""Reads the content of an answer's events: its text, its end, and its faulty lines.

    data: {"choices":[{"delta":{"content":"Hi"}}]}            text
    data: {"choices":[{"delta":{},"finish_reason":"stop"}]}   the answer is finished
    data: [DONE]                                              no event follows
    data: {"error":{"message":"…"}}                           the answer failed
    {"error":{"message":"…"}}                                 a bare line: a field named `{"error"`

The class takes the labels of `protocol.anatomy`, so no line is parsed a second time. It knows the
events of `/v1/chat/completions`, of `/v1/responses`, of Anthropic's `/v1/messages`, and of
`/chat/{text}`.
"""

import hashlib
import re

from protocol.anatomy import FIELDS
from protocol.openai.lenient import as_list, as_object, as_text, read_json

__all__ = ["Answer"]

# For each type of event that ends an answer, the reason of the end.
ENDS = {
    "response.completed": "stop",
    "response.incomplete": "length",
    "response.failed": "failed",
    "message_stop": "stop",
}
LENGTH = {"length", "max_tokens"}  # the finish reasons of an answer that was cut at its limit
HEARTBEATS = {"keepalive", "ping"}  # types of events that carry no content

# U+FFFD is what a decoder writes in place of bytes that are not UTF-8.
DAMAGE_AT_START = re.compile(r"\ufffd|\\u[fF]{3}[dD]")
DAMAGE_AT_END = re.compile(r"(?:\ufffd|\\u[fF]{3}[dD])\Z")
WORD = re.compile(r"[^\W\d_]{4}")  # a word of four letters is rarely repeated at once

MAX_TEXT = 500


class Answer:
    """Takes the parts of an event stream's lines, and notes what the answer says.

    Attributes:
        api: "chat", "responses", "messages" or "text"; "" for events of another kind.
        text: The first characters of the text, with JSON's escapes.
        finish: The reason why the answer ended, such as "stop", "length" or "tool_calls", or "" if
            it has not ended.
        done: Whether the event [DONE] has arrived.
        error: Message of an error event, or "".
        heartbeats: Number of comment lines, and of events that only keep the connection open.
        silent_heartbeats: Number of heartbeats since the last text.
        restarts: Number of times that the answer began again.
        duplicates: Number of events with the sequence number of the event before them.
        twins: Number of events that equal the event before them and have no sequence number.
        lost: Number of missing events, according to the sequence numbers.
        unnamed: Number of events without the `event` line that their API gives them.
        bare_errors, bare_events: Number of lines of JSON without `data:` that are errors, and that
            are events.
        strange: The first line that is neither a field, a comment nor JSON, or "".
        broken: Number of events whose data should be JSON but is not.
        empty: Number of events with empty data.
        retry_alone: Number of blocks with a `retry` line and no data.
        bom: Whether there was a byte order mark.
        cr: Number of lines that ended in CR alone.
        id_trap: Whether a comment with a blank line followed an `id`. Some parsers take this for an
            empty event.
        replaced: Number of places where U+FFFD stands at the end of one event's text and at the
            start of the next.
        invalid: Number of events that are not UTF-8.
    """

    def __init__(self) -> None:
        self.api = self.text = self.finish = self.error = self.strange = ""
        self.done = self.bom = self.id_trap = False
        self.heartbeats = self.silent_heartbeats = 0
        self.restarts = self.duplicates = self.twins = self.lost = self.unnamed = 0
        self.bare_errors = self.bare_events = self.broken = self.empty = self.retry_alone = 0
        self.cr = self.replaced = self.invalid = 0
        self._hash = hashlib.sha256()
        # The line, the event and the token that are arriving.
        self._field = bytearray()
        self._value = bytearray()
        self._token = bytearray()
        self._comment = self._after_cr = False
        self._data: list[bytes] = []
        self._type = ""
        self._block: set[str] = set()  # the content of the present block of lines
        # The previous events, needed to find repetitions.
        self._id = b""
        self._created = False
        self._named = False  # the events of `/chat/{text}`, which end with `event: done`
        self._last = b""
        self._last_token = ""
        self._first_id = self._last_id = b""
        self._sequence: float = -1
        self._roles: set[object] = set()  # indexes of the choices that have begun
        self._without_role = False

    @property
    def complete(self) -> bool:
        """Whether the answer says that it has ended, successfully or not."""
        return bool(self.finish or self.error or self.done)

    @property
    def unfinished(self) -> bool:
        """Whether the answer is of a kind that reports its end, but has not reported it."""
        says_end = self.api in ("chat", "responses", "messages") or self._named
        return says_end and not self.complete

    @property
    def at_limit(self) -> bool:
        """Whether the answer ended because it reached its length limit."""
        return self.finish in LENGTH

    @property
    def digest(self) -> str:
        """The SHA-256 of the whole text so far, with JSON's escapes. It is used to compare
        answers."""
        return self._hash.hexdigest()

    def take(self, label: str, data: bytes) -> bool:
        """Take the next part of a line. Returns whether it dispatched an event."""
        if label in ("end-of-line", "blank-line"):
            return self._end_line(label, data)
        if label == "token":
            self._value += data
            self._token += data
        elif label in ("json", "field-value"):
            self._value += data
        elif label == "field-name":
            self._field += data
        elif label == "comment":
            self._comment = True
        elif label == "data":
            self._add_text(data)
        elif label == "BOM":
            self.bom = True
        return False

    def _add_text(self, data: bytes) -> None:
        self._hash.update(data)
        if len(self.text) < MAX_TEXT:
            self.text += data.decode("utf-8", "replace")[: MAX_TEXT - len(self.text)]

    # ---- Lines

    def _end_line(self, label: str, data: bytes) -> bool:
        if self._after_cr and data == b"\n":  # a LF after a CR does not end another line
            self._after_cr = False
            return False
        self.cr += self._after_cr
        self._after_cr = data == b"\r"
        if label == "blank-line":
            return self._end_event()
        field, value = bytes(self._field), bytes(self._value)
        if self._comment:
            self._block.add("comment")
            self._add_heartbeat()
        elif field in FIELDS:
            self._take_field(field.decode(), value)
        elif field == b"[DONE]" or field.startswith(b"{"):
            self.bare_errors += b"error" in field
            self.bare_events += b"error" not in field
        elif b" " in field:  # no field name has a space, so this is stray text
            self.strange = self.strange or field[:80].decode("utf-8", "replace")
        self._field.clear()
        self._value.clear()
        self._comment = False
        return False

    def _take_field(self, field: str, value: bytes) -> None:
        self._block.add(field)
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._type = value.decode("utf-8", "replace")
        elif field == "id":
            self._id = value

    def _add_heartbeat(self) -> None:
        self.heartbeats += 1
        self.silent_heartbeats += 1

    # ---- Events

    def _end_event(self) -> bool:
        block, data, kind = self._block, b"\n".join(self._data), self._type
        self._block, self._data, self._type = set(), [], ""
        if "data" not in block:
            self.id_trap |= self._id != b"" and block == {"comment"}
            self.retry_alone += "retry" in block
            return False
        self.invalid += not (data.isascii() or _is_utf8(data))
        if self._token:
            self._end_token()
        if data == b"[DONE]":
            self.done = True
        elif not data:
            self.empty += 1
        elif data.startswith(b"{"):
            try:
                value = as_object(read_json(data))
            except ValueError:
                self.broken += 1
                self._sequence = -1
            else:
                self._read(kind, value)
        elif self.api:
            self.broken += 1
        self._find_repetition(data)
        return True

    def _end_token(self) -> None:
        data = bytes(self._token)
        self._token.clear()
        self._add_text(data)
        self.silent_heartbeats = 0
        text = data.decode("utf-8", "replace")
        if not text.isascii() or "\\u" in text:
            starts = DAMAGE_AT_START.match(text) is not None
            self.replaced += starts and DAMAGE_AT_END.search(self._last_token) is not None
        self._last_token = text

    def _read(self, kind: str, value: dict[str, object]) -> None:
        """Read the JSON of an event."""
        name = as_text(value.get("type")) or kind
        if name == "error" or value.get("error"):
            nested = as_object(value.get("error"))
            words = nested.get("message") or value.get("error") or value.get("message")
            self.error = as_text(words) or "an error without a message"
        elif "choices" in value:
            self.api = "chat"
            for choice in as_list(value["choices"]):
                self._read_choice(as_object(choice))
        elif name in HEARTBEATS:
            self._add_heartbeat()
            self._number(value.get("sequence_number"))
        elif name.startswith("response."):
            self.api = "responses"
            self.unnamed += not kind
            self.restarts += name == "response.created" and self._created and not self.finish
            self.finish = ENDS.get(name, self.finish)
            self._created |= name == "response.created"
            self._number(value.get("sequence_number"))
        elif name.startswith("message_"):
            self.api = "messages"
            reason = as_text(as_object(value.get("delta")).get("stop_reason"))
            self.finish = reason or self.finish or ENDS.get(name, "")
        elif "finish_reason" in value:
            self.finish = as_text(value["finish_reason"])
            self.unnamed += self._id.endswith(b"-end") and not kind  # `event: done` is lost
        elif "text" in value:
            self.api = self.api or "text"
            self._named |= kind == "thinking"

    def _read_choice(self, choice: dict[str, object]) -> None:
        self.finish = as_text(choice.get("finish_reason")) or self.finish
        # Some servers send the role in every delta. It is a restart only after deltas without it.
        index = choice.get("index")
        key = index if isinstance(index, int) else 0
        if not as_object(choice.get("delta")).get("role"):
            self._without_role = True
        elif key in self._roles and self._without_role:
            self.restarts += not self.finish  # another message begins after the end of the first
            self._without_role = False
        self._roles.add(key)

    def _number(self, number: object) -> None:
        if not isinstance(number, int):
            return
        if number == self._sequence:
            self.duplicates += 1
        elif self._sequence >= 0 and number > self._sequence + 1:
            self.lost += int(number - self._sequence - 1)
        self._sequence = number

    def _find_repetition(self, data: bytes) -> None:
        """Compare an event with the one before it, and its id with the first one.

        A text that repeats its beginning is not enough, because songs and lists do this too.
        """
        if data == self._last and self.api == "chat" and WORD.search(self._last_token):
            self.twins += 1
        self._last = data
        if self._id and self._id != self._last_id:
            self.restarts += self._id == self._first_id
            self._first_id = self._first_id or self._id
            self._last_id = self._id


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


# What this file does not do: keep the whole text, or judge the answer (verdicts.py).
