"""What the events of an answer say: its text, how it ended, and which of its lines are wrong.

    data: {"choices":[{"delta":{"content":"Hi"}}]}            text
    data: {"choices":[{"delta":{},"finish_reason":"stop"}]}   the answer is finished
    data: [DONE]                                              and no event follows
    data: {"error":{"message":"…"}}                           or it failed
    {"error":{"message":"…"}}                                 a bad line: a field named `{"error"`

It takes the labels of `protocol.anatomy`: a line is never parsed a second time. It knows the events
of `/v1/chat/completions`, of `/v1/responses`, and of this project's `/chat/{text}`.
"""

from collections import deque

from protocol.anatomy import FIELDS
from protocol.openai.lenient import as_list, as_object, as_text, read_json

__all__ = ["Answer"]

# Types of the event that ends a stream of the Responses API, and what they say.
ENDS = {
    "response.completed": "stop",
    "response.incomplete": "length",
    "response.failed": "failed",
}


class Answer:
    """Takes the parts of an event stream's lines, and notes what the answer says.

    Args:
        history: Number of events kept to compare later ones with.

    Attributes:
        api: "chat", "responses" or "text"; "" for events of another kind.
        finish: Why the answer ended, such as "stop", "length" or "tool_calls"; "" if it has not.
        done: The event [DONE] has come.
        error: Message of an error event, or "".
        heartbeats: Number of comment lines.
        repeats: Number of events, in a row, that repeat the beginning of the answer.
        duplicates: Number of events that equal the event before them, sequence number included.
        lost: Number of events that are missing by their sequence numbers.
        bare: Lines of JSON without `data:`, by what they are: "error" or "event".
        broken: Number of events whose data looks like JSON and is not.
        bom, cr, id_trap: A byte order mark; lines that end in CR; an `id` followed by a comment
            with a blank line, which some parsers take for an empty event.
        damaged: Number of tokens with U+FFFD or bytes that are not UTF-8.
    """

    def __init__(self, history: int = 64) -> None:
        self.api = self.finish = self.error = ""
        self.done = False
        self.heartbeats = 0
        self.repeats = self.duplicates = self.lost = self.broken = self.damaged = 0
        self.bare = {"error": 0, "event": 0}
        self.bom = self.cr = self.id_trap = False
        self.text = ""  # its beginning
        self._first: deque[bytes] = deque(maxlen=history)
        self._last = b""
        self._sequence = -1
        self._id = ""  # of the completion
        # The line and the event that are arriving.
        self._field = bytearray()
        self._value = bytearray()
        self._token = bytearray()
        self._comment = self._blank_comment = False
        self._data: list[bytes] = []
        self._type = ""
        self._has_id = False
        self._after_cr = False

    @property
    def complete(self) -> bool:
        """Whether the answer says that it has ended, well or badly."""
        return bool(self.finish or self.error or self.done)

    def take(self, label: str, data: bytes) -> bool:
        """Take the next part of a line. Returns whether it dispatched an event."""
        if label in ("json", "token", "field-value"):
            self._value += data
            self._token += data if label == "token" else b""
        elif label == "field-name":
            self._field += data
        elif label in ("end-of-line", "blank-line"):
            return self._end_line(label, data)
        elif label == "comment":
            self._comment = True
        elif label == "BOM":
            self.bom = True
        return False

    def _end_line(self, label: str, data: bytes) -> bool:
        if self._after_cr and data[:1] == b"\n":  # the LF of a CRLF: the line has ended before
            self._after_cr = False
            return False
        self.cr |= self._after_cr
        self._after_cr = data[-1:] == b"\r"
        if label == "blank-line":
            return self._end_event()
        field, value = bytes(self._field), bytes(self._value)
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._type = value.decode("utf-8", "replace")
        elif field == b"id":
            self._has_id = True
        elif field.startswith(b"{") or field == b"[DONE]":
            self._bare_line(field)
        elif self._comment:
            self.heartbeats += 1
        self._blank_comment = self._comment and field not in FIELDS
        self._end_token()
        self._field.clear()
        self._value.clear()
        self._comment = False
        return False

    def _end_token(self) -> None:
        if self._token:
            text = self._token.decode("utf-8", "replace")
            self.damaged += "\ufffd" in text or "\\ufffd" in text.lower()
            self.text += text if len(self.text) < 500 else ""
            self._token.clear()

    def _bare_line(self, start: bytes) -> None:
        self.bare["error" if b"error" in start else "event"] += 1

    def _end_event(self) -> bool:
        data, kind = b"\n".join(self._data), self._type
        if not self._data:
            self.id_trap |= self._has_id and self._blank_comment
            return False
        self._data, self._type = [], ""
        if data == b"[DONE]":
            self.done = True
        elif data.startswith(b"{"):
            try:
                value = as_object(read_json(data))
            except ValueError:
                self.broken += 1
            else:
                self._read(kind, value)
        self._last = data
        return True

    def _read(self, kind: str, value: dict[str, object]) -> None:
        name = as_text(value.get("type")) or kind
        if name == "error" or value.get("error"):
            error = as_object(value.get("error")) or value
            self.error = as_text(error.get("message")) or as_text(value.get("error")) or "error"
        elif "choices" in value:
            self.api = "chat"
            for choice in as_list(value["choices"]):
                reason = as_text(as_object(choice).get("finish_reason"))
                self.finish = reason or self.finish
        elif name.startswith("response."):
            self.api = "responses"
            self.finish = ENDS.get(name, self.finish)
        elif "finish_reason" in value:
            self.finish = as_text(value["finish_reason"])
        elif "text" in value:
            self.api = self.api or "text"


# What this file does not do: keep the whole text, or judge the answer (verdicts.py).
