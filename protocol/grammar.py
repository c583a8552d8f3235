"""The grammar of chunked bodies and heads, as regular expressions and as a table.

Rules have the names that the RFCs give them. `chunked.py` steps through the table byte by byte;
`head.py` matches whole lines.
"""

import re
from enum import Enum

# token = 1*tchar (RFC 9110 §5.6.2)
TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

# field-value = *field-content: VCHAR and obs-text, with SP and HTAB between (RFC 9110 §5.5)
FIELD_VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff]+(?:[\t ]+[\x21-\x7e\x80-\xff]+)*)?")


class State(Enum):
    """A state of the chunked grammar. Its value says in error messages what may come next."""

    __hash__ = object.__hash__  # Enum's own is slow Python code; each byte needs two look-ups

    SIZE_START = "a hex digit of the chunk-size"
    SIZE = "a hex digit, ';' or CRLF after the chunk-size"
    EXT_BWS = "';' and a chunk-ext-name"
    EXT_NAME_START = "a chunk-ext-name"
    EXT_NAME = "more of the chunk-ext-name, '=', ';' or CRLF"
    EXT_NAME_BWS = "'=' or ';' after the chunk-ext-name"
    EXT_VALUE_START = "a chunk-ext-val"
    EXT_TOKEN = "more of the chunk-ext-val, ';' or CRLF"
    EXT_QUOTED = "the closing quote of the chunk-ext-val"
    EXT_ESCAPE = "a character after the backslash of a quoted-pair"
    EXT_QUOTED_END = "';' or CRLF after the chunk-ext-val"
    SIZE_LF = "LF after the CR of the chunk-size line"
    DATA = "chunk-data"
    DATA_CR = "CRLF after the chunk-data"
    DATA_LF = "LF after the CR that follows the chunk-data"
    TRAILER_START = "a trailer field or the final CRLF"
    TRAILER_NAME = "':' after the field-name of a trailer field"
    TRAILER_VALUE = "more of a trailer's field-value, or CRLF"
    TRAILER_LF = "LF after the CR of a trailer field"
    END_LF = "LF after the final CR"
    COMPLETE = "nothing: the body is complete"


# The terminals (RFC 9110 §5.6, RFC 5234), as classes of bytes that do not overlap. A hex digit is
# also a tchar, so "tchar" is written "ht" below. Control characters (CTL) are in no class, because
# no rule allows them.
BYTES: dict[str, bytes] = {
    "h": b"0123456789abcdefABCDEF",
    "t": b"ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~",
    "b": b" \t",
    "r": b"\r",
    "n": b"\n",
    **{character: character.encode() for character in ';="\\:'},
}
# x: the rest of VCHAR, and obs-text.
BYTES["x"] = bytes({*range(0x21, 0x7F), *range(0x80, 0x100)} - set(b"".join(BYTES.values())))

# The grammar as a table: in a state, bytes of these classes lead to the next state.
#
#   chunk          = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
#   chunk-size     = 1*HEXDIG
#   chunk-ext      = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
#   chunk-ext-name = token
#   chunk-ext-val  = token / quoted-string
#   trailer-section = *( field-line CRLF )
#   field-line     = field-name ":" OWS field-value OWS
#
# A byte without an entry is an error. Each of these inputs, which the table refuses, is or was
# accepted by a parser in use: b"0x3a\r\n" and b"0_0\r\n" (Python's int()), b"5 \r\n" (h11),
# b"5;a\nb\r\n" (in Go and Kestrel a bare LF ended the line), b"5\r\r;a\r\n" (in Node a bare CR
# ended it), b'5;a="b\r\n' (a quoted-string that continues after the line end).
S = State
GRAMMAR: dict[State, dict[str, State]] = {
    S.SIZE_START: {"h": S.SIZE},
    S.SIZE: {"h": S.SIZE, "b": S.EXT_BWS, ";": S.EXT_NAME_START, "r": S.SIZE_LF},
    S.EXT_BWS: {"b": S.EXT_BWS, ";": S.EXT_NAME_START},
    S.EXT_NAME_START: {"b": S.EXT_NAME_START, "ht": S.EXT_NAME},
    S.EXT_NAME: {
        "ht": S.EXT_NAME,
        "b": S.EXT_NAME_BWS,
        ";": S.EXT_NAME_START,
        "=": S.EXT_VALUE_START,
        "r": S.SIZE_LF,
    },
    S.EXT_NAME_BWS: {"b": S.EXT_NAME_BWS, ";": S.EXT_NAME_START, "=": S.EXT_VALUE_START},
    S.EXT_VALUE_START: {"b": S.EXT_VALUE_START, "ht": S.EXT_TOKEN, '"': S.EXT_QUOTED},
    S.EXT_TOKEN: {"ht": S.EXT_TOKEN, "b": S.EXT_BWS, ";": S.EXT_NAME_START, "r": S.SIZE_LF},
    S.EXT_QUOTED: {"htbx;=:": S.EXT_QUOTED, "\\": S.EXT_ESCAPE, '"': S.EXT_QUOTED_END},
    S.EXT_ESCAPE: {'htbx;=:"\\': S.EXT_QUOTED},
    S.EXT_QUOTED_END: {"b": S.EXT_BWS, ";": S.EXT_NAME_START, "r": S.SIZE_LF},
    S.SIZE_LF: {"n": S.DATA},  # or TRAILER_START, when the size is 0
    S.DATA_CR: {"r": S.DATA_LF},
    S.DATA_LF: {"n": S.SIZE_START},
    S.TRAILER_START: {"ht": S.TRAILER_NAME, "r": S.END_LF},
    S.TRAILER_NAME: {"ht": S.TRAILER_NAME, ":": S.TRAILER_VALUE},
    S.TRAILER_VALUE: {'htbx;=:"\\': S.TRAILER_VALUE, "r": S.TRAILER_LF},
    S.TRAILER_LF: {"n": S.TRAILER_START},
    S.END_LF: {"n": S.COMPLETE},
}
STEP: dict[State, dict[int, State]] = {
    state: {byte: to for classes, to in row.items() for name in classes for byte in BYTES[name]}
    for state, row in GRAMMAR.items()
}

# The label that an observer gets for a byte that leads to a state; CR and LF are always "CRLF".
LABEL: dict[State, str] = {
    State.SIZE: "chunk-size",
    **{state: "chunk-ext" for state in State if state.name.startswith("EXT_")},
    State.TRAILER_NAME: "field-name",
    State.TRAILER_VALUE: "field-value",
}
