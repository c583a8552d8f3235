"""Scores any parser with the test vectors: `workshop vectors --parser 'COMMAND'`.

    $ workshop vectors --kind sse --parser 'python tests/vectors/adapters/httpx_sse.py'
    bom         9 of 9
    line-end    8 of 10
    …
    sse-mixed-all-three, byte by byte: events
        expected  [{"event":"message","data":"1\\n2\\n3\\n4"}]
        came      []
    92 of 99 passed

The parser is a program in any language. It reads one JSON object from each line of its input, and
immediately answers each object with one line:

    {"id":"sse-bom/whole","kind":"sse","bytes":"ZGF0YTogYQoK","splits":[],"last_event_id":""}
    {"id":"sse-bom/whole","events":[{"event":"message","data":"a","id":""}]}

tests/vectors/README.md describes the fields of each kind of answer. The rules this file keeps:

1. Each vector is sent in several ways: whole, byte by byte, and cut at the vector's own splits. It
   passes only if the answer is right each time.
2. An answer may omit the fields that its parser does not know. These fields are not compared.
3. If a parser crashes, hangs or prints something else, only the current vector fails, not the
   following ones.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from .runner.verdict import printable

__all__ = ["KINDS", "feedings", "load", "main", "mismatch", "score"]

FOLDER = Path(__file__).parent.parent / "tests" / "vectors"
KINDS = ("sse", "chunked", "head", "deltas")
SECONDS = 10.0  # timeout for one answer, in seconds
MAX_ANSWER = 64 << 20  # largest size of one answer, in bytes
MAX_SHOWN = 300  # largest number of characters of an outcome in a message

Vector = dict[str, Any]

# The fields of an answer about a body, each with the vector's field that it is compared with.
B64 = {
    "body": "body_b64",
    "trailers": "trailers",
    "leftover": "leftover_b64",
    "framing": "framing",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Score a parser.

    Returns:
        0 if all vectors pass, 1 if one fails, 2 if the command line or the parser cannot be used.
    """
    options = _parser().parse_args(argv)
    try:
        every = load(options.kind)
    except OSError:
        print("the vectors are not installed: run this in a clone of the project", file=sys.stderr)
        return 2
    vectors = [one for one in every if all(word in one["id"] for word in options.k)]
    if not vectors:
        print(f"no vector has {' and '.join(options.k)} in its id", file=sys.stderr)
        return 2
    try:
        command = shlex.split(options.parser)
        failures = trio.run(score, command, options.kind, vectors, options.seconds)
    except (OSError, ValueError) as error:
        print(f"cannot start {options.parser!r}: {error}", file=sys.stderr)
        return 2
    _show(vectors, failures)
    if options.json:
        found = {"kind": options.kind, "vectors": len(vectors), "failures": failures}
        try:
            Path(options.json).write_text(json.dumps(found, ensure_ascii=False), "utf-8")
        except OSError as error:
            print(f"cannot write {options.json}: {error.strerror}", file=sys.stderr)
            return 2
    return 1 if failures else 0


def _show(vectors: Sequence[Vector], failures: dict[str, str]) -> None:
    categories: dict[str, list[bool]] = {}
    for vector in vectors:
        categories.setdefault(vector["category"], []).append(vector["id"] not in failures)
    for name, passed in categories.items():
        print(f"{name:24} {sum(passed)} of {len(passed)}")
    for why in failures.values():
        print(why)
    print(f"{len(vectors) - len(failures)} of {len(vectors)} passed")


# ---- What is sent


def load(kind: str) -> list[Vector]:
    """Read the vectors of one kind. Raises OSError if their file is missing."""
    vectors: list[Vector] = json.loads((FOLDER / f"{kind}.json").read_text("utf-8"))
    return vectors


def feedings(kind: str, vector: Vector) -> Iterator[tuple[str, Vector]]:
    """Yield each way of sending a vector to a parser: its name, and the object to send."""
    base: Vector = {"kind": kind}
    if kind == "deltas":
        if "body" in vector:
            yield "whole", base | {"body": vector["body"]}
        else:
            events = [
                one if isinstance(one, dict) else {"event": "message", "data": one}
                for one in vector["events"]
            ]
            yield "whole", base | {"events": events}
        return
    data = vector.get("input_b64", "")
    size = len(data) // 4 * 3 - data.count("=")
    base |= {"bytes": data}
    if kind == "sse":
        base |= {"last_event_id": vector.get("initial_last_event_id", "")}
    yield "whole", base | {"splits": []}
    yield "byte by byte", base | {"splits": list(range(1, size))}
    if vector.get("splits"):
        yield "at its splits", base | {"splits": vector["splits"]}


# ---- What comes back


def mismatch(kind: str, answer: Vector, vector: Vector) -> str:
    """Compare an answer with the vector's outcomes.

    Returns:
        "" if the answer equals one of the outcomes. Otherwise the name of a field that differs from
        the preferred outcome.
    """
    wrong: list[str] = [
        _difference(kind, answer, vector["expect"] | other)
        for other in ({}, *vector.get("alt", []))
    ]
    return "" if "" in wrong else wrong[0]


def _difference(kind: str, answer: Vector, expect: Vector) -> str:
    if kind == "sse":
        return _sse_difference(answer, expect)
    if kind == "deltas":
        names = sorted({*answer, *expect} - {"id"})
        told, wanted = _without_empty(answer), _without_empty(expect)
        return next((name for name in names if told.get(name) != wanted.get(name)), "")
    if answer.get("ok") is not expect["ok"]:
        return "ok"
    if not expect["ok"]:
        # An "invalid" input must be refused at once, but an "incomplete" one only at its end.
        at_end = {"invalid": False, "incomplete": True}.get(expect["kind"])
        return "" if at_end is None or answer.get("at_end", at_end) is at_end else "at_end"
    for name, key in B64.items():
        if name in answer and answer[name] != expect.get(key):
            return name
    return "" if "body" in answer else "body"


def _without_empty(value: Any) -> Any:
    """Drop the empty fields, because "" and a missing field mean the same."""
    if isinstance(value, list):
        return [_without_empty(one) for one in value]
    if isinstance(value, dict):
        return {name: _without_empty(one) for name, one in value.items() if one not in ("", None)}
    return value


def _sse_difference(answer: Vector, expect: Vector) -> str:
    events, wanted = answer.get("events"), expect["events"]
    if not isinstance(events, list) or len(events) != len(wanted):
        return "events"
    for came, one in zip(events, wanted, strict=True):
        if any(came[name] != one[name] for name in ("event", "data", "id") if name in came):
            return "events"
        if "data" not in came:
            return "events"
    if answer.get("last_event_id", expect["last_event_id"]) != expect["last_event_id"]:
        return "last_event_id"
    time = expect["reconnect_ms"]  # for "any", or a note of an `alt`, every value is right
    if not isinstance(time, str) and answer.get("reconnect_ms", time) != time:
        return "reconnect_ms"
    return ""


# ---- The program


class Broken(Exception):
    """The parser gave no answer."""


class Program:
    """A parser that runs as a process. It is started again when it has ended.

    Args:
        command: The parser's command line.
        seconds: Timeout for one answer.
    """

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command = command
        self._seconds = seconds
        self._process: trio.Process | None = None
        self._unread = bytearray()

    async def start(self) -> trio.Process:
        """Start it.

        Raises:
            OSError: There is no such program.
        """
        if self._process is None:
            self._unread.clear()
            self._process = await trio.lowlevel.open_process(
                list(self._command), stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        return self._process

    async def ask(self, question: Vector) -> Vector:
        """Send a line, and wait for the answer.

        Raises:
            Broken: The parser sent no valid answer.
        """
        process = await self.start()
        line = b""
        with trio.move_on_after(self._seconds) as waiting:
            # the process has ended, so its exit code tells more
            with suppress(trio.BrokenResourceError):
                assert process.stdin is not None
                await process.stdin.send_all(json.dumps(question).encode() + b"\n")
            line = await self._read_line(process)
        if waiting.cancelled_caught:
            await self.stop()
            raise Broken(f"no answer in {self._seconds:g} s")
        if not line:
            code = await self.stop()
            raise Broken(f"the parser ended with exit code {code}")
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or answer.get("id") != question["id"]:
            await self.stop()  # its next line may be the late answer to this question
            raise Broken(
                f"not an answer to {question['id']}: {_cut(line.decode(errors='replace'))}"
            )
        return answer

    async def _read_line(self, process: trio.Process) -> bytes:
        assert process.stdout is not None
        while b"\n" not in self._unread:
            data = await process.stdout.receive_some()
            self._unread += data
            if not data:
                return b""
            if len(self._unread) > MAX_ANSWER:
                await self.stop()
                raise Broken(f"an answer over {MAX_ANSWER} bytes")
        line, _, rest = bytes(self._unread).partition(b"\n")
        self._unread = bytearray(rest)
        return line

    async def stop(self) -> int:
        """End the process. Returns its exit code."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        with trio.CancelScope(shield=True):
            assert process.stdin is not None
            await process.stdin.aclose()
            with trio.move_on_after(1.0):
                await process.wait()
            if process.returncode is None:
                process.kill()
            code = await process.wait()
            assert process.stdout is not None
            await process.stdout.aclose()
        return code


async def score(
    command: Sequence[str], kind: str, vectors: Sequence[Vector], seconds: float
) -> dict[str, str]:
    """Feed vectors to a parser.

    Args:
        command: The parser's command line.
        kind: The kind of the vectors.
        vectors: The vectors.
        seconds: Timeout for one answer.

    Returns:
        The ids of the vectors that fail, each with the reason.

    Raises:
        OSError: There is no such program.
    """
    failures: dict[str, str] = {}
    program = Program(command, seconds)
    await program.start()
    try:
        for vector in vectors:
            for way, question in feedings(kind, vector):
                why = await _try(program, kind, vector, {"id": f"{vector['id']}/{way}"} | question)
                if why:
                    failures[vector["id"]] = f"{vector['id']}, {way}: {why}"
                    break
    finally:
        await program.stop()
    return failures


async def _try(program: Program, kind: str, vector: Vector, question: Vector) -> str:
    try:
        answer = await program.ask(question)
    except Broken as error:
        return str(error)
    try:
        field = mismatch(kind, answer, vector)
    except (AttributeError, KeyError, TypeError):
        return f"an answer of another form: {_json(answer)}"
    if not field:
        return ""
    expect = vector["expect"]
    wanted = expect.get(B64.get(field, field))
    wanted = expect.get("kind") if field == "at_end" else wanted
    return f"{field}\n    expected  {_json(wanted)}\n    came      {_json(answer.get(field))}"


def _json(value: object) -> str:
    return _cut(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _cut(text: str) -> str:
    return printable(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="workshop vectors",
        description="Score a parser with the test vectors. tests/vectors/README.md says what the "
        "parser reads and answers, and tests/vectors/adapters has examples.",
    )
    about = "the command that starts the parser, in quotes"
    parser.add_argument("--parser", required=True, metavar="COMMAND", help=about)
    about = "which vectors (default: %(default)s)"
    parser.add_argument("--kind", choices=KINDS, default="sse", help=about)
    about = "only vectors with this text in their id; may be repeated"
    parser.add_argument("-k", action="append", default=[], metavar="TEXT", help=about)
    about = "seconds to wait for one answer (default: %(default)g)"
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help=about)
    parser.add_argument("--json", metavar="FILE", help="write the results to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())


# What this file does not do: call a parser directly. Each parser needs an adapter of about 20 lines
# (adapters/).
