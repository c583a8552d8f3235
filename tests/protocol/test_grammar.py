"""The table of the chunked grammar: a case here for each of its rows and each of its gaps."""

import re

import pytest

from protocol.grammar import BYTES, FIELD_VALUE, GRAMMAR, STEP, TOKEN, State

from .feeding import feedings, read_body

# ---- one row for each rule: the bytes, and the exact message and offset of the error

REFUSED = [
    # chunk-size = 1*HEXDIG, and Python's int() would take half of these
    (b"\r\n", "expected a hex digit of the chunk-size, not b'\\r' (at byte 0)"),
    (b"+5\r\n", "expected a hex digit of the chunk-size, not b'+' (at byte 0)"),
    (b" 5\r\n", "expected a hex digit of the chunk-size, not b' ' (at byte 0)"),
    (b"0x3a\r\n", "expected a hex digit, ';' or CRLF after the chunk-size, not b'x' (at byte 1)"),
    (b"0_0\r\n", "expected a hex digit, ';' or CRLF after the chunk-size, not b'_' (at byte 1)"),
    (b"5\n", "expected a hex digit, ';' or CRLF after the chunk-size, not b'\\n' (at byte 1)"),
    (b"5 \r\n", "expected ';' and a chunk-ext-name, not b'\\r' (at byte 2)"),
    (b"5\r\r;a\r\n", "expected LF after the CR of the chunk-size line, not b'\\r' (at byte 2)"),
    # chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
    (b"5;\r\n", "expected a chunk-ext-name, not b'\\r' (at byte 2)"),
    (b"5;;a\r\n", "expected a chunk-ext-name, not b';' (at byte 2)"),
    (
        b"5;a\nb\r\n",
        "expected more of the chunk-ext-name, '=', ';' or CRLF, not b'\\n' (at byte 3)",
    ),
    (b"5;a \r\n", "expected '=' or ';' after the chunk-ext-name, not b'\\r' (at byte 4)"),
    (b"5;a=\r\n", "expected a chunk-ext-val, not b'\\r' (at byte 4)"),
    (b"5;a=b\x7f", "expected more of the chunk-ext-val, ';' or CRLF, not b'\\x7f' (at byte 5)"),
    (b'5;a=b"', "expected more of the chunk-ext-val, ';' or CRLF, not b'\"' (at byte 5)"),
    # A quoted-string may not run over the line end: b'5;a="b\r\nhello\r\n0\r\n\r\n"\r\n'.
    (b'5;a="b\r\n', "expected the closing quote of the chunk-ext-val, not b'\\r' (at byte 6)"),
    (
        b'5;a="\\\0',
        "expected a character after the backslash of a quoted-pair, not b'\\x00' (at byte 6)",
    ),
    (b'5;a="b"c\r\n', "expected ';' or CRLF after the chunk-ext-val, not b'c' (at byte 7)"),
    # the two bytes after chunk-data, which some parsers skip without checking them
    (b"3\r\nabcXX1\r\n", "expected CRLF after the chunk-data, not b'X' (at byte 6)"),
    (b"3\r\nabc\n", "expected CRLF after the chunk-data, not b'\\n' (at byte 6)"),
    (b"3\r\nabc\rX", "expected LF after the CR that follows the chunk-data, not b'X' (at byte 7)"),
    # field-line = field-name ":" OWS field-value OWS
    (b"0\r\n A: b\r\n", "expected a trailer field or the final CRLF, not b' ' (at byte 3)"),
    (b"0\r\n: b\r\n", "expected a trailer field or the final CRLF, not b':' (at byte 3)"),
    (b"0\r\nA : b", "expected ':' after the field-name of a trailer field, not b' ' (at byte 4)"),
    (b"0\r\nA\r\n", "expected ':' after the field-name of a trailer field, not b'\\r' (at byte 4)"),
    (
        b"0\r\nA: \0",
        "expected more of a trailer's field-value, or CRLF, not b'\\x00' (at byte 6)",
    ),
    (b"0\r\nA: b\n", "expected more of a trailer's field-value, or CRLF, not b'\\n' (at byte 7)"),
    (b"0\r\nA:\rX", "expected LF after the CR of a trailer field, not b'X' (at byte 6)"),
    (b"0\r\n\rX", "expected LF after the final CR, not b'X' (at byte 4)"),
]


@pytest.mark.parametrize(("data", "message"), REFUSED)
def test_bytes_that_break_the_grammar_are_refused_at_once(data: bytes, message: str) -> None:
    good = b"2\r\nok\r\n" if data[:1] != b"0" else b""
    offset = int(message.rpartition(" ")[2].rstrip(")"))
    later = message.replace(f"byte {offset}", f"byte {offset + len(good)}")
    for pieces in feedings(good + data + b"5\r\nhello\r\n0\r\n\r\n"):
        body = read_body(pieces)
        assert body.failure is not None
        assert (body.failure.text, body.failure.status) == (later, 400)
        assert body.data[: len(b"ok")] == (b"ok" if good else b"")
        assert (body.complete, body.trailing_data) == (False, b"")


# Each prefix ends in one state, whose value says what should have followed.
UNFINISHED = [
    (b"", State.SIZE_START),
    (b"5", State.SIZE),
    (b"5\t", State.EXT_BWS),
    (b"5 ; ", State.EXT_NAME_START),
    (b"5;a", State.EXT_NAME),
    (b"5;a ", State.EXT_NAME_BWS),
    (b"5;a = ", State.EXT_VALUE_START),
    (b"5;a=b", State.EXT_TOKEN),
    (b'5;a="b', State.EXT_QUOTED),
    (b'5;a="\\', State.EXT_ESCAPE),
    (b'5;a="\\""', State.EXT_QUOTED_END),
    (b"5\r", State.SIZE_LF),
    (b"5\r\n", State.DATA),
    (b"5\r\nhello", State.DATA_CR),
    (b"5\r\nhello\r", State.DATA_LF),
    (b"5\r\nhello\r\n", State.SIZE_START),
    (b"0\r\n", State.TRAILER_START),
    (b"0\r\nA", State.TRAILER_NAME),
    (b"0\r\nA: b", State.TRAILER_VALUE),
    (b"0\r\nA: b\r", State.TRAILER_LF),
    (b"0\r\n\r", State.END_LF),
]


@pytest.mark.parametrize(("data", "state"), UNFINISHED)
def test_an_unfinished_body_is_an_error_not_an_end(data: bytes, state: State) -> None:
    """ "A message body that uses the chunked transfer coding is incomplete if the zero-sized
    chunk that terminates the encoding has not been received." (RFC 9112 §8)"""
    text = f"the chunked body ended early: expected {state.value} (at byte {len(data)})"
    for pieces in feedings(data):
        failure = read_body(pieces).failure
        assert failure is not None
        assert (failure.text, failure.at_eof) == (text, True)


def test_every_state_has_its_unfinished_body() -> None:
    assert {state for _, state in UNFINISHED} == set(State) - {State.COMPLETE}


# ---- the terminals, written twice: as regular expressions and as classes of bytes

CTLS = {*range(0x20), 0x7F}


def test_the_classes_of_bytes_do_not_overlap_and_hold_no_control_character() -> None:
    every = b"".join(BYTES.values())
    assert len(every) == len(set(every))
    # Of the CTLs, only HTAB, CR and LF are in a rule.
    assert set(every) == set(range(256)) - CTLS | set(b"\t\r\n")


def test_the_table_and_the_expressions_agree() -> None:
    for byte in range(256):
        is_tchar = TOKEN.fullmatch(bytes([byte])) is not None
        assert is_tchar == bool(re.match(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]", chr(byte)))
        for state in (State.EXT_NAME_START, State.EXT_NAME, State.EXT_TOKEN, State.TRAILER_START):
            assert (
                STEP[state].get(byte) in (State.EXT_NAME, State.EXT_TOKEN, State.TRAILER_NAME)
            ) == (is_tchar)
        may_stand_in_a_value = FIELD_VALUE.fullmatch(b"a%cb" % byte) is not None
        assert (STEP[State.TRAILER_VALUE].get(byte) is State.TRAILER_VALUE) == may_stand_in_a_value


def test_every_state_has_a_row_and_can_be_reached() -> None:
    # In DATA, bytes are counted without the table; after COMPLETE there is no next state.
    assert set(GRAMMAR) == set(State) - {State.DATA, State.COMPLETE}
    reached = {to for row in GRAMMAR.values() for to in row.values()}
    # DATA_CR is reached when all chunk-data has been counted.
    assert reached == set(State) - {State.DATA_CR}
