"""Recordings: the bytes that passed through a connection, and their times, as one JSON line for
each read.

    {"at":0.0,"sender":"client","bytes":"UE9TVCAv…","url":"http://localhost:8000/v1/chat/completions"}
    {"at":2.1,"sender":"server","bytes":"SFRUUC8x…"}
    {"at":503.4,"sender":"server","bytes":"MTkNCmRh…"}
    {"at":613.9,"sender":"server","end":"fin"}

A recording is a text file that every language reads: `bytes` is base64 (RFC 4648 §4), `at` is in
milliseconds. Bytes are kept as they were read, so a recording shows how a stream was cut into
reads. A hop may change these cuts, and an HTTP client does not show them.

The rules this file keeps:

1. The bytes of one sender on one connection, joined in order, are all the bytes that it sent.
2. A reader ignores fields that it does not know, and empty lines. It refuses times over 300 years,
   and values that are nested too deeply.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec

__all__ = ["RecordedRead", "RecordingError", "read_recording", "write_recording"]

End = Literal["", "fin", "reset", "truncated", "silent"]

# Milliseconds of 300 years. A sum or difference of such times is never infinite.
MAX_TIME = 1e13

Time = Annotated[float, msgspec.Meta(ge=-MAX_TIME, le=MAX_TIME)]

_Bytes = bytes  # in the class below, `bytes` is the name of a field


class RecordedRead(msgspec.Struct, frozen=True, omit_defaults=True):
    """Bytes that one read brought, or the end of one direction of a connection.

    Args:
        at: Time in milliseconds since the recording began, up to `MAX_TIME`.
        sender: The end of the connection that sent the bytes.
        bytes: The bytes, which are base64 in JSON. Empty if this is an end.
        end: How this direction ended: "fin" (closed), "reset" (RST), "truncated" (TLS without
            close_notify), "silent" (the recorder stopped waiting), or "" if it did not end.
        connection: Number of the connection, if a recording holds several.
        url: The URL that was asked for, on the first line of a connection, if it is known.
    """

    at: Time
    sender: Literal["client", "server"]
    bytes: _Bytes = b""
    end: End = ""
    connection: int = 0
    url: str = ""


class RecordingError(ValueError):
    """A line is not part of a recording. The message names the line."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(RecordedRead)


def write_recording(reads: Iterable[RecordedRead]) -> Iterator[bytes]:
    """Encode each read as a line of JSON, with its LF."""
    for read in reads:
        yield _encoder.encode(read) + b"\n"


def read_recording(lines: Iterable[bytes]) -> Iterator[RecordedRead]:
    """Decode the lines of a recording.

    Raises:
        RecordingError: A line is not JSON, or not a read.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _decoder.decode(line)
        except RecursionError:  # [[[[… in a field that we do not know
            raise RecordingError(
                f"line {number} is not part of a recording: it is nested too deeply"
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RecordingError(f"line {number} is not part of a recording: {error}") from error


# What this file does not do: measure times, or mask keys (workshop/xray/recordings/masking.py).
