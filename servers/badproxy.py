"""8009: a proxy that misbehaves on purpose, as real hops do without saying so.

    $ python -m servers.badproxy --mode buffer
    $ curl -N http://localhost:8009/chat/hello           …silence, and then all of it at once

    server          data: {"text":"你"}          data: {"text":"好"}          0
    buffer                                                                  data: … data: … 0
    rechunk=32                                data: {"text":"你"}␊␊data: {"t     …the rest, 0
    gzip-nosync     1f 8b 08 …                                              73 49 2c … 0
    truncate=30     data: {"text":"你"}          data: {"t ✂

Each fault in a body is a small class (`receive_data`, `receive_eof`), and faults can be combined:
`--mode strip-no-transform,gzip`. The rules this file keeps in every mode:

1. It confesses: the `Via` of a response names the mode. Real hops do not.
2. It relays everything else properly: fields, back pressure, the client's disconnect.
3. If the upstream truncates a body, the client's body is truncated too. Only `http10` cannot show
   this: there a body ends with its connection, and a truncated body looks complete.
"""

import argparse
import logging
import math
import re
import sys
import zlib
from collections.abc import Sequence
from contextlib import AsyncExitStack

import msgspec
import trio

import clients.http.client
from clients.http.client import Response
from clients.http.errors import RequestError
from clients.streams.tcp import Connect, connect

from .http.body import BodyWriter
from .http.command import arguments, base_url, run, seconds
from .http.forwarding import end_to_end, status_of, target_of
from .http.reply import CutOff, Handler, Headers, Reply, Request, StreamingReply
from .http.routes import Routes

__all__ = ["Modes", "modes", "routes"]

log = logging.getLogger("servers")

MAX_HELD = 16 << 20  # largest buffer of `buffer` in bytes; when it is full, it is sent
HALF_SECONDS = 0.01  # between the halves of a character, so that the reader needs two reads
MAX_HOPS = 10  # bad proxies in a row; more mean a loop (RFC 9110 §7.6.3)

MODE_HELP = {
    "none": "relays everything at once, unchanged",
    "buffer": "holds the body until it is complete (a relay that reads before it writes)",
    "rechunk=N": "sends only full pieces of N bytes (a buffered writer)",
    "gzip": "compresses, with a sync flush after each piece: this is correct",
    "gzip-nosync": "compresses without the flush: the compressor waits for more",
    "idle=S": "closes a connection after S silent seconds; heartbeats keep it open",
    "http10": "answers in HTTP/1.0: no chunks, and a truncated body looks complete",
    "strip-accel": "drops X-Accel-Buffering, so that nginx as the next hop buffers",
    "strip-no-transform": "drops Cache-Control, so that every compressor may compress",
    "split-utf8": "splits chunks inside characters (legal; breaks clients that decode each chunk)",
    "truncate=N": "closes after N bytes of body, without a last chunk",
}


class Modes(msgspec.Struct, frozen=True):
    """The faults to inject into each response.

    Args:
        text: the value of `--mode`.
        gather: send full pieces of so many bytes; 0: send each piece as it comes.
        gzip: compress for clients that accept it, unless the response says no-transform.
        sync: flush the compressor after each piece.
        idle: close the connection after so many seconds of silence.
        http10: answer in HTTP/1.0.
        strip_accel, strip_no_transform: drop the field that would prevent a fault.
        split_utf8: split pieces inside characters.
        truncate: close the connection after so many bytes of body.
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


def modes(text: str) -> Modes:
    """The type of `--mode`: names from the list, separated by commas.

    Raises:
        argparse.ArgumentTypeError: unknown name, bad number, or two modes that contradict.
    """
    chosen: dict[str, object] = {}
    for word in text.split(","):
        fields = _fields_of(word)
        if fields.keys() & chosen.keys():
            raise argparse.ArgumentTypeError(f"{word} contradicts an earlier mode: {text}")
        chosen |= fields
    return msgspec.convert({"text": text, **chosen}, Modes)


def _fields_of(word: str) -> dict[str, object]:
    name, equals, value = word.partition("=")
    match name if re.fullmatch("[a-z0-9.=-]+", word) else "":  # it is sent in Via
        case "rechunk" if equals:
            return {"gather": _count(value, 1)}
        case "idle" if equals:
            return {"idle": seconds(value)}
        case "truncate" if equals:
            return {"truncate": _count(value, 0)}
        case "none" if not equals:
            return {}
        case "buffer" if not equals:
            return {"gather": MAX_HELD}
        case "gzip" | "gzip-nosync" if not equals:
            return {"gzip": True, "sync": name == "gzip"}
        case "http10" | "strip-accel" | "strip-no-transform" | "split-utf8" if not equals:
            return {name.replace("-", "_"): True}
    raise argparse.ArgumentTypeError(f"not a mode: {word!r}; the modes are {', '.join(MODE_HELP)}")


def _count(text: str, least: int) -> int:
    if not re.fullmatch("[0-9]{1,8}", text) or not least <= int(text) <= MAX_HELD:
        raise argparse.ArgumentTypeError(f"not a number of bytes ({least} to {MAX_HELD}): {text}")
    return int(text)


# ---- Faults in a body: bytes in, pieces out


class Gather:
    """`buffer` and `rechunk`: send only full pieces, until the end of the body."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = bytearray()

    def receive_data(self, data: bytes) -> list[bytes]:
        self._held += data
        full = len(self._held) // self._size * self._size
        pieces = [bytes(self._held[at : at + self._size]) for at in range(0, full, self._size)]
        del self._held[:full]
        return pieces

    def receive_eof(self) -> list[bytes]:
        return [bytes(self._held)] if self._held else []


class SplitCharacters:
    """`split-utf8`: split each piece in two, inside its first character of several bytes."""

    # Between the first byte of a character and its second (RFC 3629 §4).
    INSIDE = re.compile(rb"(?<=[\xc2-\xf4])(?=[\x80-\xbf])")

    def receive_data(self, data: bytes) -> list[bytes]:
        return self.INSIDE.split(data, maxsplit=1)

    def receive_eof(self) -> list[bytes]:
        return []


# region flush
class Compress:
    """`gzip` and `gzip-nosync`: the difference is one call.

    A compressor waits for more input, because more input compresses better. A sync flush makes it
    write out what it has: the reader can decode everything up to here (an empty block, RFC 1951
    §3.2.4).
    """

    def __init__(self, sync: bool) -> None:
        self._sync = sync
        self._compressor = zlib.compressobj(wbits=31)  # 31: gzip format (RFC 1952)

    def receive_data(self, data: bytes) -> list[bytes]:
        compressed = self._compressor.compress(data)
        if self._sync:
            compressed += self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return [compressed] if compressed else []

    def receive_eof(self) -> list[bytes]:
        return [self._compressor.flush()]
# endregion


Stage = Gather | SplitCharacters | Compress


def run_stages(stages: Sequence[Stage], data: bytes) -> list[bytes]:
    """Pass these bytes through all stages. Returns what the last one sends."""
    pieces = [data]
    for stage in stages:
        pieces = [out for piece in pieces for out in stage.receive_data(piece)]
    return pieces


def end_stages(stages: Sequence[Stage]) -> list[bytes]:
    """End all stages in turn. Returns what the last one sends."""
    return [
        piece
        for number, stage in enumerate(stages, 1)
        for held in stage.receive_eof()
        for piece in run_stages(stages[number:], held)
    ]


# ---- The fields of a message

# Each server of this project sends its own.
OWN_FIELDS = {"content-type", "date", "server", "x-content-type-options"}


def _may_compress(request: Request, headers: Headers) -> bool:
    """The client accepts gzip (RFC 9110 §12.5.3), and the response does not say no-transform
    (RFC 9111 §5.2.2.6)."""
    members = (request.header("accept-encoding") or "").lower().replace(" ", "").split(",")
    codings = [member.partition(";") for member in members]
    accepted = any(name == "gzip" and weight.strip("0.") != "q=" for name, _, weight in codings)
    return accepted and not any(
        name == "content-encoding" or (name == "cache-control" and "no-transform" in value.lower())
        for name, value in headers
    )


# ---- The proxy


def routes(to: str, how: Modes, connect: Connect = connect) -> Routes:
    """Relay every path to this base URL, with these faults injected."""
    return BadProxy(to.rstrip("/"), how, connect)


class BadProxy(Routes):
    """A route table with one handler for every method and path."""

    def __init__(self, to: str, how: Modes, connect: Connect) -> None:
        super().__init__({})
        self._to, self._how, self._connect = to, how, connect

    def find(self, method: str, path: str) -> tuple[Handler | Reply, dict[str, str]]:
        if path == "*":
            return super().find(method, path)
        # The path may contain a prompt. As a parameter of the route it is not in the log, which
        # shows "/{path}" in its place.
        return self._pass_on, {"path": path[1:]}

    async def _pass_on(self, request: Request) -> Reply | StreamingReply:
        hops = sum(value.count("badproxy") for name, value in request.headers if name == "via")
        if hops >= MAX_HOPS:
            return Reply(f"508 Loop Detected\n\n{hops} bad proxies in a row\n", 508)
        url = self._to + target_of(request)
        fields = (*end_to_end(request.headers), ("Via", "1.1 badproxy"))
        async with AsyncExitStack() as connection:
            try:
                with trio.move_on_after(self._how.idle):
                    asking = clients.http.client.request(
                        request.method, url, fields, request.body, connect=self._connect
                    )
                    response = await connection.enter_async_context(asking)
                    headers = self._headers(response)
                    status, reason = status_of(response.head)
                    if status in (204, 304):  # these have no body
                        empty = Reply(b"", status, headers=headers)
                        empty.reason = reason
                        return empty
                    return FaultyReply(request, response, headers, self._how, connection.pop_all())
            except RequestError as error:
                return Reply(f"502 Bad Gateway\n\n{error}\n", 502)
        silence = f"The upstream was silent for {self._how.idle:g} s."
        return Reply(f"504 Gateway Timeout\n\n{silence}\n", 504)

    def _headers(self, response: Response) -> Headers:
        """The fields for the client: without those that a mode drops, and with our Via."""
        dropped = {"x-accel-buffering"} if self._how.strip_accel else set()
        dropped |= {"cache-control"} if self._how.strip_no_transform else set()
        dropped |= OWN_FIELDS
        kept = (field for field in end_to_end(response.headers) if field[0] not in dropped)
        version = "1.0" if response.head.is_http10 else "1.1"
        return (*kept, ("Via", f"{version} badproxy ({self._how.text.replace(',', ' ')})"))


class FaultyReply(StreamingReply):
    """Relays the upstream's response, with faults injected.

    Args:
        response: the upstream's response, after its head.
        headers: the header fields for the client.
        how: the faults to inject.
        connection: the connection to the upstream; closed at the end.
    """

    def __init__(
        self,
        request: Request,
        response: Response,
        headers: Headers,
        how: Modes,
        connection: AsyncExitStack,
    ) -> None:
        self._response = response
        self._how = how
        self._connection = connection
        self._bytes_left = how.truncate  # bytes of body until we close
        self._stages: list[Stage] = []
        if how.gather:
            self._stages.append(Gather(how.gather))
        if how.split_utf8:
            self._stages.append(SplitCharacters())
        if how.gzip and _may_compress(request, headers):
            self._stages.append(Compress(how.sync))
            headers += (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
        kind = dict(end_to_end(response.headers)).get("content-type", "application/octet-stream")
        status, self.reason = status_of(response.head)
        super().__init__(self, status, kind, headers)
        if how.http10:
            self.until_close = True
            self.edit_head = lambda head: head.replace(b"HTTP/1.1", b"HTTP/1.0", 1)

    async def send_to(self, body: BodyWriter) -> None:
        """Send the body and its end; a truncated body gets no end."""
        whole = await self._pass_pieces(body)
        await self._send(body, end_stages(self._stages))
        if not whole and not self._how.http10:
            raise CutOff
        await body.end()

    async def _pass_pieces(self, body: BodyWriter) -> bool:
        """Returns whether the upstream sent the whole body."""
        try:
            while True:
                with trio.move_on_after(self._how.idle) as waiting:
                    piece = await anext(self._response, b"")
                if waiting.cancelled_caught:
                    log.info("closed: the upstream was silent for %g s", self._how.idle)
                    return False
                if not piece:
                    return True
                await self._send(body, run_stages(self._stages, piece))
        except RequestError as error:
            log.info("the upstream failed: %s", error)
            return False

    async def _send(self, body: BodyWriter, pieces: Sequence[bytes]) -> None:
        for number, piece in enumerate(pieces):
            if number and self._how.split_utf8:
                await trio.sleep(HALF_SECONDS)
            if len(piece) >= self._bytes_left:
                await body.send(piece[: int(self._bytes_left)])
                raise CutOff
            self._bytes_left -= len(piece)
            await body.send(piece)

    async def aclose(self) -> None:
        await self._connection.aclose()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server alone."""
    parser = arguments("servers.badproxy", "A proxy that misbehaves on purpose.", 8009)
    here = "http://localhost:8000"
    about = "base URL of the upstream (default: %(default)s)"
    parser.add_argument("--to", type=base_url, default=here, metavar="URL", help=about)
    about = "faults to inject into each response (default: none)"
    parser.add_argument("--mode", type=modes, default=Modes(), metavar="MODE[,MODE…]", help=about)
    lines = [f"  {name:20}{about}" for name, about in MODE_HELP.items()]
    parser.epilog = "\n".join(["modes:", *lines])
    options = parser.parse_args(argv)
    return run(options, "servers.badproxy", routes(options.to, options.mode))


if __name__ == "__main__":
    sys.exit(main())


# What this file does not do: pass on trailers, upgrades or a request's body before it is whole.
