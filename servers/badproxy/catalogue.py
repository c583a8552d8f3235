"""The modes of the bad proxy: their names, and the parser of `--mode`.

    modes("strip-no-transform,gzip")     drops Cache-Control, and compresses with sync flushes
    modes("rechunk=512,idle=60")         lumps of 512 bytes, and an idle timeout of a minute
    modes("buffer,rechunk=3")            an error: both say how to gather bytes
"""

import argparse
import math
import re

import msgspec

from ..http.command import seconds

__all__ = ["MAX_HELD", "MODE_HELP", "Modes", "modes"]

MAX_HELD = 16 << 20
"""Largest number of bytes of a body that a mode may hold. When a body is larger, all held bytes are
sent. Only `measure` cannot do this, because it must know the length first. It answers 502."""

MODE_HELP = {
    "none": "relays everything at once, unchanged",
    "buffer": "holds the body until it is complete (a relay that reads before it writes)",
    "rechunk=N": "sends only full pieces of N bytes (a buffered writer)",
    "coalesce=MS": "sends together what came within MS milliseconds (a flush timer)",
    "lag=N": "holds the last N events until the next one comes (a line-reading relay)",
    "hold-head": "sends the head only with the first byte of the body (a lazy writer)",
    "measure": "holds the whole response, and sends it with Content-Length and ETag",
    "only-type=TYPE": "streams only this Content-Type, and holds the body of any other",
    "only-method=METHOD": "streams only answers to this method, and holds those to any other",
    "gzip": "compresses, with a sync flush after each piece: this is correct",
    "gzip-nosync": "compresses without the flush: the compressor waits for more",
    "idle=S": "closes a connection after S silent seconds; heartbeats keep it open",
    "total=S": "closes a connection S seconds after its request, heartbeats or not",
    "deaf=S": "after S seconds sends nothing more and does not close; reads the upstream on",
    "blackhole=S": "after S seconds is gone: sends nothing, reads nothing, acknowledges nothing",
    "replay=N": "asks the upstream again after N events; the answer starts from the beginning",
    "rewrite": "spoils events: drops event lines, and `data: ` beside and after the usage",
    "http10": "answers in HTTP/1.0: no chunks, and a truncated body looks complete",
    "strip-accel": "drops X-Accel-Buffering, so that nginx as the next hop buffers",
    "strip-no-transform": "drops Cache-Control, so that every compressor may compress",
    "split-utf8": "splits chunks inside characters (legal; breaks clients that decode each chunk)",
    "truncate=N": "closes after N bytes of body, without a last chunk",
}


class Modes(msgspec.Struct, frozen=True):
    """The faults to inject into each response. All times are in seconds.

    Args:
        text: The value of the flag `--mode`.
        gather: Size of the blocks to send, in bytes. 0 means that each piece is sent as it arrives.
        gzip: Whether to compress for clients that accept gzip, unless the response says
            no-transform.
        sync: Whether to flush the compressor after each piece.
        idle: Seconds of silence after which the connection is closed.
        http10: Whether to answer in HTTP/1.0.
        strip_accel, strip_no_transform: Whether to drop the header field that would prevent a
            fault.
        split_utf8: Whether to split pieces inside characters.
        truncate: Number of bytes of body after which the connection is closed.
        coalesce: Number of seconds, after the first piece arrives, in which all bytes are collected
            and then sent together, or 0.
        lag: Number of events that are held until the next event arrives.
        hold_head: Whether to send the head only when the first byte of the body has arrived.
        measure: Whether to hold the whole response, and send it with its length.
        only_type: Responses of all other media types are held. "" holds nothing.
        only_method: Responses to all other methods are held. "" holds nothing.
        total: Seconds after the request at which the connection is closed.
        quiet: Seconds after the request after which nothing more is sent. The connection stays
            open.
        vanishes: Whether a quiet proxy also stops reading and acknowledging. Otherwise the proxy
            continues to read the upstream's answer.
        replay: Number of events after which the upstream is asked again, or 0 for never.
        rewrite: Whether to change events as they pass.
    """

    text: str = "none"
    gather: int = 0
    gzip: bool = False
    sync: bool = False
    idle: float = math.inf
    http10: bool = False
    strip_accel: bool = False
    strip_no_transform: bool = False
    split_utf8: bool = False
    truncate: float = math.inf
    coalesce: float = 0
    lag: int = 0
    hold_head: bool = False
    measure: bool = False
    only_type: str = ""
    only_method: str = ""
    total: float = math.inf
    quiet: float = math.inf
    vanishes: bool = False
    replay: int = 0
    rewrite: bool = False


def modes(text: str) -> Modes:
    """Read the value of `--mode`: names from the list, separated by commas.

    Raises:
        argparse.ArgumentTypeError: A name is unknown, a number is bad, or two modes contradict each
            other.
    """
    chosen: dict[str, object] = {}
    for word in text.split(","):
        fields = _fields_of(word)
        if fields.keys() & chosen.keys():
            raise argparse.ArgumentTypeError(f"{word} contradicts an earlier mode: {text}")
        chosen |= fields
    return msgspec.convert({"text": text, **chosen}, Modes)


WORD = re.compile("[A-Za-z0-9.=/+-]+")
"""Characters that are allowed in the text of a mode, because the text is sent in the comment of a
Via field (RFC 9110 §5.6.5)."""

MEDIA_TYPE = re.compile("[a-z0-9.+-]+/[a-z0-9.+-]+")


def _fields_of(word: str) -> dict[str, object]:
    name, equals, value = word.partition("=")
    match name if WORD.fullmatch(word) else "":
        case "rechunk" | "truncate" if equals:
            least, field = (1, "gather") if name == "rechunk" else (0, "truncate")
            return {field: _count(value, least, MAX_HELD, "bytes")}
        case "lag" | "replay" if equals:
            return {name: _count(value, 1, 1000, "events")}
        case "coalesce" if equals:
            return {"coalesce": _count(value, 1, 60_000, "milliseconds") / 1000}
        case "idle" | "total" if equals:
            return {name: seconds(value)}
        case "deaf" | "blackhole" if equals:
            return {"quiet": seconds(value), "vanishes": name == "blackhole"}
        case "only-type" if MEDIA_TYPE.fullmatch(value.lower()):
            return {"only_type": value.lower()}
        case "only-method" if re.fullmatch("[A-Za-z]{1,20}", value):
            return {"only_method": value.upper()}
        case "none" if not equals:
            return {}
        case "buffer" if not equals:
            return {"gather": MAX_HELD}
        case "gzip" | "gzip-nosync" if not equals:
            return {"gzip": True, "sync": name == "gzip"}
        case (
            "http10"
            | "strip-accel"
            | "strip-no-transform"
            | "split-utf8"
            | "hold-head"
            | "measure"
            | "rewrite"
        ) if not equals:
            return {name.replace("-", "_"): True}
    raise argparse.ArgumentTypeError(f"not a mode: {word!r}; the modes are {', '.join(MODE_HELP)}")


def _count(text: str, least: int, most: int, what: str) -> int:
    if not re.fullmatch("[0-9]{1,8}", text) or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"not a number of {what} ({least} to {most}): {text}")
    return int(text)
