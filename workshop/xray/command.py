"""`workshop xray`: sends one request or several, and reports what is wrong with the stream.

    $ workshop xray http://localhost:8000/chat/hello       the bytes while they come, then a summary
    $ workshop xray URL --json                             one object, for a script
    $ workshop xray --compare server=URL nginx=URL         which hop spoils it
    $ workshop xray yesterday.jsonl                        a recording, once more

The results go to standard output. Progress messages and errors go to standard error, so the output
of `--json` can be piped.
"""

import argparse
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import trio
from rich.console import Console

from clients.chat import LOOPBACK
from clients.http.client import URLParts
from clients.http.errors import RequestError
from clients.streams.tcp import Connect, connect
from protocol.anatomy import ByteSpan
from protocol.recording import RecordedRead

from .asking.ask import Asking, StoppedError, Watch, ask
from .asking.compare import SURE, Comparison, Way, ask_by_turns, compare
from .asking.comparison_view import ComparisonView
from .asking.curl_flags import UsageError, asking_of
from .asking.probe import conclude, probes_of
from .asking.refusal import MAX_KEPT, explained
from .asking.ways import compared_addresses, compared_urls
from .flags import parser
from .judge.cures import with_cures
from .judge.verdicts import report
from .meter.address import heading_of, url_of
from .meter.exchange import exchanges
from .meter.measure import Meter
from .outputs import Exports, Outputs
from .picture.live import live
from .picture.summary import summary
from .picture.view import View, play
from .recordings.files import Recording, Saver, load
from .recordings.masking import mask_message
from .report import Report, Verdict, json_line
from .tap.tap import listen
from .usage import check_usage, curl_flags, tap_options

__all__ = ["Command", "exit_code", "main"]

USAGE, NO_CONNECTION, UNSURE, STOPPED = 2, 3, 4, 130
ROUNDS = 3  # requests on each path

Result = TypeVar("Result")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit code."""
    options = parser().parse_args(argv)
    command = Command(options, Output(highlight=False))
    return trio.run(command.run)


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """The exit code: 0 for a live stream, 1 for a fault, 4 if no verdict is sure."""
    if verdicts[0].code == "live":
        return 0 if verdicts[0].sure > SURE else UNSURE
    return 1 if any(one.sure > SURE and one.code != "unsure" for one in verdicts) else UNSURE


class Output(Console):
    """Our standard output. If the reader has closed the pipe, rich itself would call `sys.exit`, in
    whatever task is printing."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Command:
    """One run of the command.

    Args:
        options: The flags.
        console: Standard output.
        connect: Opens connections, by default over TCP.
    """

    def __init__(
        self, options: argparse.Namespace, console: Console, connect: Connect = connect
    ) -> None:
        self._options = options
        self._console = console
        self._connect = connect
        self._stop = trio.CancelScope()  # the scope of the request that is running
        self._stopped = False
        self._exports = Exports(options.html, options.har, options.pcap)
        self._beginning = bytearray()  # of the response that is told of

    async def run(self) -> int:
        """Do what the flags say. Returns the exit code."""
        try:
            return await self._run()
        except UsageError as error:
            return _fail(str(error), USAGE)
        except RequestError as error:
            return _fail(str(error), NO_CONNECTION)
        except StoppedError:
            return STOPPED
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:  # the file cannot be used
            return _fail(_words(error), USAGE)

    async def _run(self) -> int:
        options = self._options
        check_usage(options, parser())
        if options.listen is not None or options.to is not None:
            return await self._listen()
        if options.compare and (options.via or options.target):
            raise UsageError("give --compare NAME=URL …, or one URL with --via, not both")
        if options.compare:
            return await self._compare(
                compared_urls(options.compare, curl_flags(options), self._connect)
            )
        if options.target is None:
            raise UsageError("give a URL, or a FILE with a recording; --help shows examples")
        if options.via:
            url, flags = options.target, curl_flags(options)
            return await self._compare(compared_addresses(url, options.via, flags, self._connect))
        if "://" not in options.target:
            return await self._replay(Path(options.target))
        asking = asking_of(options.target, curl_flags(options), self._connect)
        return await (self._probe(asking) if options.probe else self._ask(asking))

    # ---- One request

    async def _ask(self, asking: Asking) -> int:
        meter = await self._stoppable(partial(self._look, asking))
        return self._tell(stopped(report(meter), meter), meter)

    async def _look(self, asking: Asking) -> Meter:
        """Send one request, and pass its reads to the files and to the screen."""
        async with AsyncExitStack() as opened:
            saver = screen = None
            if self._options.save:
                saver = opened.enter_context(Saver(self._options.save))
            if not self._is_quiet:
                view = View(self._console, hex=self._options.hex)
                screen = await opened.enter_async_context(live(view))
            outputs = Outputs(screen, saver, self._exports)
            self._beginning = outputs.beginning
            meter = await self._request(asking, outputs.watch)
            outputs.finish()
            return meter

    async def _request(self, asking: Asking, watch: Watch, silence: float = 0.0) -> Meter:
        if self._stopped:
            raise StoppedError
        self._stop = trio.CancelScope()
        silence, longest = max(silence, self._options.silence), self._options.max_time
        return await ask(asking, watch, silence=silence, max_seconds=longest, stop=self._stop)

    async def _stoppable(self, run: Callable[[], Awaitable[Result]]) -> Result:
        """Run the function. Ctrl-C ends the present request, and the part of the response that has
        arrived is judged."""

        async def obey(signals: AsyncIterator[int]) -> None:
            async for _ in signals:
                self._stopped = True
                self._stop.cancel()

        with trio.open_signal_receiver(signal.SIGINT) as signals:
            raised: Exception | None = None
            async with trio.open_nursery() as nursery:
                nursery.start_soon(obey, signals)
                try:
                    result = await run()
                except Exception as error:  # the nursery would wrap this error in an ExceptionGroup
                    raised = error
                nursery.cancel_scope.cancel()
        if raised is not None:
            raise raised
        return result

    @property
    def _is_quiet(self) -> bool:
        return bool(self._options.json or self._options.summary)

    def _tell(self, said: Report, meter: Meter) -> int:
        """Write the files, and print the findings. Returns the exit code."""
        said = explained(with_cures(said, meter), bytes(self._beginning), meter.method)
        self._exports.write()
        if self._exports.dropped:
            _note("the recording is longer than the files can hold: its last reads are missing")
        if self._options.json:
            self._print_json(said)
        else:
            self._console.print(summary(said, meter))
        if said.status == 401:
            _note("the server wants a key: --key-file FILE, or --key to send it OPENAI_API_KEY")
        return STOPPED if self._stopped else exit_code(said.verdicts)

    def _print_json(self, found: Report | Comparison) -> None:
        self._console.file.write(json_line(found))
        self._console.file.flush()

    # ---- One request, and others like it

    async def _probe(self, asking: Asking) -> int:
        probes = probes_of(asking)
        parts = URLParts.parse(asking.url)
        changes = ", ".join(probe.change for probe in probes)
        _note(f"{1 + len(probes)} requests to {parts.authority}: yours, and again with {changes}")
        self._confirm(parts.host)

        async def run() -> tuple[Meter, list[Meter]]:
            first = await self._look(asking)
            meters: list[Meter] = []
            for probe in probes:
                try:
                    meter = await self._request(probe.asking, _unseen)
                except StoppedError:
                    break
                if self._stopped:  # what came of it proves nothing
                    break
                meters.append(meter)
                _progress(f"{probe.change}: {_codes(report(meter))}")
            return first, meters

        first, meters = await self._stoppable(run)
        if len(meters) < len(probes):
            _note(f"stopped after {1 + len(meters)} of {1 + len(probes)} requests")
        said = stopped(conclude(first, probes[: len(meters)], meters), first)
        return self._tell(said, first)

    def _confirm(self, host: str) -> None:
        """Ask the user for permission before several requests go to a server on another machine."""
        if self._options.yes or host in LOOPBACK:
            return
        if not sys.stdin.isatty():
            raise UsageError("an answer may cost money: add --yes to send these requests")
        print("An answer may cost money. Send them? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise UsageError("nothing was sent")

    # ---- Several ways

    async def _compare(self, ways: Sequence[Way]) -> int:
        if len(ways) < 2:
            raise UsageError("a comparison needs two ways or more, nearest to the server first")
        if self._options.save or self._exports.wanted:
            message = "a comparison writes no files: --save, --html, --har and --pcap take one URL"
            raise UsageError(message)
        _progress(f"{ROUNDS * len(ways)} requests: {ROUNDS} by each of {len(ways)} ways, by turns")

        patience = 0.0
        failed: dict[str, ConnectionFailed] = {}

        async def once(way: Way, number: int) -> Meter | None:
            nonlocal patience
            if way.name in failed:
                return None
            try:
                meter = await self._request(way.asking, _unseen, patience)
            except RequestError as error:
                failed[way.name] = ConnectionFailed(f"{way.name}: {error}")
                return None
            if self._stopped:  # what came of it proves nothing
                raise StoppedError
            # A hop that holds the whole answer sends nothing until the answer is complete.
            patience = max(patience, 1.5 * (meter.last_ms or 0.0) / 1000)
            _progress(f"{way.name}, {number} of {ROUNDS}: {_codes(report(meter))}")
            return meter

        measured = await self._stoppable(partial(ask_by_turns, ways, once, ROUNDS))
        found = [(way, meters) for way, meters in zip(ways, measured, strict=True) if meters]
        if len(found) < 2:
            raise next(iter(failed.values())) if failed and not self._stopped else StoppedError
        for error in failed.values():
            _note(f"left out: {error}")
        comparison = compare(*zip(*found, strict=True))
        if self._options.json:
            self._print_json(comparison)
        else:
            self._console.print(ComparisonView(comparison))
        if self._stopped:
            _note(f"stopped after {sum(map(len, measured))} of {ROUNDS * len(ways)} requests")
            return STOPPED
        code = exit_code(comparison.verdicts)
        return NO_CONNECTION if failed and not code else code

    # ---- A recording, a tap

    async def _replay(self, path: Path) -> int:
        reads = _load(path)
        for note in reads.notes:
            _note(note)
        found = exchanges(reads)
        if not found:
            raise UsageError(f"{path} holds no response")
        with ExitStack() as opened:
            save = self._options.save
            saver = opened.enter_context(Saver(save)) if save else None
            for read in reads:
                self._exports.keep(read)
                if saver is not None:
                    saver.write(read)
        codes = []
        for number, exchange in enumerate(found, 1):
            if len(found) > 1 and not self._options.json:
                self._console.print(heading_of(exchange, number, len(found)), style="dim")
            meter = Meter(
                url=url_of(exchange),
                method=exchange.method,
                request=exchange.request,
                began=exchange.began,
                exact=reads.exact,
            )
            await self._play(exchange.reads, meter)
            self._beginning = bytearray(b"".join(read.bytes for read in exchange.reads)[:MAX_KEPT])
            if exchange.left:
                _note(f"response {number}: the client disconnected before its end")
            codes.append(self._tell(report(meter), meter))
        return max(codes, key=[0, UNSURE, 1].index)

    async def _play(self, reads: Sequence[RecordedRead], meter: Meter) -> None:
        if not self._is_quiet:
            view = View(self._console, hex=self._options.hex)
            usual = 1.0 if self._console.is_terminal else 0.0
            speed = usual if self._options.speed is None else self._options.speed
            await play(reads, view, speed, meter=meter)
            return
        for read in reads:
            if read.bytes:
                meter.receive_data(read.at, read.bytes)
            if read.end:
                meter.receive_end(read.at, read.end)

    async def _listen(self) -> int:
        options = self._options
        if options.listen is None or options.to is None:
            raise UsageError("a tap needs both: --listen PORT --to URL")
        if options.target or options.compare or options.via or options.probe:
            raise UsageError("a tap asks nothing itself: give --listen PORT --to URL without these")
        return await listen(tap_options(options), self._console, connect=self._connect)


def stopped(said: Report, meter: Meter) -> Report:
    """The report on a response that was just asked for. Without an end, x-ray stopped reading."""
    return said if meter.end or meter.complete else msgspec.structs.replace(said, end="stopped")


class ConnectionFailed(RequestError):
    """One path of a comparison could not be measured. The message names the path."""


def _load(path: Path) -> Recording:
    if str(path) != "-" and not path.exists():
        raise UsageError(f"{path} is neither a file nor a URL; a URL begins with http://")
    return load(path)


def _unseen(read: RecordedRead, spans: list[ByteSpan]) -> None:
    """A `Watch` that shows nothing."""


def _codes(said: Report) -> str:
    return ", ".join(one.code for one in said.verdicts)


def _note(text: str) -> None:
    print(f"x-ray: {mask_message(text)}", file=sys.stderr, flush=True)


def _progress(text: str) -> None:
    """Print a note for a user who is waiting."""
    if sys.stderr.isatty():
        _note(text)


def _fail(message: str, code: int) -> int:
    print(f"workshop xray: {mask_message(message)}", file=sys.stderr)
    return code


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)
