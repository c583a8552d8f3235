"""The command `workshop verdict -- COMMAND`: judges a client of the OpenAI API by what it does.

    $ workshop verdict -- python app.py
    ✓  healthy answer      1 request, read to the end
    ✓  429*1               asked again after 1.01 s (Retry-After: 1)
    ✗  503*1               asked again after 0.02 s (Retry-After: 1)
    …
    fail: retry-after-ignored  (503*1)
      seen: It asked again 0.02 s after a 503 that said Retry-After: 1.
      …

It starts the simulated LLM, and runs COMMAND several times: first with healthy answers, then once
for each fault of the plan. COMMAND finds the server in OPENAI_BASE_URL and OPENAI_API_KEY. It may
be a program that asks one question, or a whole test suite.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO

import msgspec
from rich.console import Console
from rich.markup import escape

from servers.http.command import seconds
from servers.llm.faults import parse
from servers.llm.verdict.attempts import Control, attempts, waited
from servers.llm.verdict.exchange import Exchange, VerdictLimits
from servers.llm.verdict.judging import Finding
from servers.llm.verdict.rules import (
    GRADES,
    HEARTBEATS,
    LEGAL,
    MALFORMED,
    RULES,
    SILENT,
    Grade,
)

from .simulated import PATIENCE, SimulatedLLM, report_of

__all__ = ["PLAN", "main"]

PLAN = (
    *("429*1", "503*1", "500", "401", "no-head*1"),
    *("rst@5", "clean-cut@5", "stall@5", "error-open@5", "broken-json@5"),
    *("split-utf8-segments", "comments", "keepalive-event", "open-after-done"),
)
"""The faults that the command meets, one in each run."""

TAIL = 20  # lines of the command's output that are shown if it fails without a fault
MAX_OUTPUT = 1 << 20  # bytes of that output that are read

NOT_SEEN = """\
A server cannot see what your users are told: whether half an answer was shown as a whole one. If
the exit code of the command says that, add --exit-code-tells."""

HEALTHY, FOUND, USAGE, STOPPED = 0, 1, 2, 130


class Round(msgspec.Struct):
    """One run of the command.

    Args:
        fault: The fault of this run; "" for healthy answers.
        exit_code: The command's exit code, or None if it did not end in time.
        requests: Number of requests that it sent.
        seen: What it did, in words.
        findings: What was wrong.
    """

    fault: str
    exit_code: int | None
    requests: int
    seen: str
    findings: list[Finding]


class Verdict(msgspec.Struct):
    """The object of `--json`."""

    verdict: str
    rounds: list[Round]
    findings: list[Finding]


def main(argv: Sequence[str] | None = None) -> int:
    """Judge a client.

    Returns:
        0 if the client is healthy, 1 if it broke a rule of this grade, 2 if it cannot be judged.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:cut])
    command = arguments[cut + 1 :]
    if not command:
        parser.error("what to run? For example: workshop verdict -- python app.py")
    console = Console(soft_wrap=True, highlight=False, stderr=options.json)
    try:
        return _judge(command, options, console)
    except KeyboardInterrupt:
        return STOPPED


def _judge(command: list[str], options: argparse.Namespace, console: Console) -> int:
    limits = VerdictLimits(patience=options.patience)
    console.print(f"{len(options.faults) + 1} runs of  {escape(shlex.join(command))}")
    rounds: list[Round] = []
    control: Control | None = None
    with SimulatedLLM(limits=limits) as llm:
        for fault in ("", *options.faults):
            llm.reset()
            llm.fault(fault)
            try:
                exit_code, tail = _run(command, llm, options)
            except OSError as error:
                print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)
                return USAGE
            if options.exit_code_tells and exit_code is not None and fault and llm.requests:
                llm.saw(outcome="error" if exit_code else "complete")
            verdict = llm.verdict(control)
            exchanges = llm.exchanges()
            seen = _describe(exchanges, fault, limits, control)
            if exit_code is None:
                seen += f"; stopped after {options.timeout:g} s"
            rounds.append(Round(fault, exit_code, len(exchanges), seen, verdict.findings))
            _show(rounds[-1], console)
            if not fault:
                control = Control.of(exchanges)
                if not exchanges:
                    console.print("It asked nothing. Does it use OPENAI_BASE_URL?")
                if exit_code or not exchanges:
                    console.print(escape(tail), style="dim")
                if not exchanges:
                    return USAGE
    return _conclude(rounds, options, console)


def _run(
    command: list[str], llm: SimulatedLLM, options: argparse.Namespace
) -> tuple[int | None, str]:
    """Run the command. Returns its exit code, or None if it took too long, and the end of its
    output."""
    local = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1,localhost"]))
    environment = os.environ | {
        "OPENAI_BASE_URL": llm.base_url,
        "OPENAI_API_BASE": llm.base_url,  # its older name, which LangChain reads
        "OPENAI_API_KEY": "sk-verdict",
        "NO_PROXY": local,
        "no_proxy": local,
    }
    with tempfile.TemporaryFile() as output:
        target = None if options.show else output
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=target,
            stderr=target,
            start_new_session=True,
        )
        try:
            exit_code: int | None = process.wait(options.timeout)
        except subprocess.TimeoutExpired:
            exit_code = None
        finally:
            # What the command has started and left behind would ask in the next run, too.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
            process.wait()
        return exit_code, _tail(output)


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - MAX_OUTPUT))
    return "\n".join(output.read().decode(errors="replace").splitlines()[-TAIL:])


# ---- What is shown


def _show(one: Round, console: Console) -> None:
    mark = "[bold red]✗[/]" if one.findings else "[green]✓[/]" if one.requests else "[yellow]?[/]"
    name = one.fault or "healthy answer"
    console.print(f"{mark}  {name:20} {escape(one.seen)}")


def _conclude(rounds: list[Round], options: argparse.Namespace, console: Console) -> int:
    found: dict[str, Finding] = {}
    for one in rounds:
        for finding in one.findings:
            found.setdefault(finding.code, finding)
    worse: tuple[Grade, ...] = GRADES[GRADES.index(options.min_grade) :]
    findings = [found[code] for code in RULES if code in found]
    counted = [finding for finding in findings if finding.grade in worse]
    verdict = max((each.grade for each in findings), key=GRADES.index, default="healthy")
    if options.json:
        print(msgspec.json.encode(Verdict(verdict, rounds, findings)).decode())
    console.print()
    if findings:
        console.print(escape(report_of(findings)))
    if not counted:
        met = sum(1 for one in rounds if one.fault and one.requests)
        asked = sum(one.requests for one in rounds)
        console.print(
            f"[bold green]healthy[/]: it met {met} faults in {asked} requests, and broke no rule"
            f"{f' of grade {worse[0]}' if findings else ''}."
        )
        if not options.exit_code_tells:
            console.print(NOT_SEEN)
    return FOUND if counted else HEALTHY


def _describe(
    exchanges: list[Exchange], fault: str, limits: VerdictLimits, control: Control | None
) -> str:
    """What the client did with this fault, in words."""
    if not exchanges:
        return "no request came"
    groups = attempts(exchanges, control or Control(), limits.retry_window)
    if not fault:
        streams = sum(each.streams for each in exchanges)
        whole = sum(each.streams and each.whole for each in exchanges)
        plural = "s" * (len(exchanges) != 1)
        return f"{len(exchanges)} request{plural}; {whole} of {streams} streams read to the end"
    group = next((group for group in groups if group[0].fault), None)
    if group is None:
        return "it asked for no stream, so it did not meet this fault"
    first = group[0]
    again = group[1] if len(group) > 1 else None
    told = f" (Retry-After: {first.retry_after:g})" if first.retry_after else ""
    if again:
        more = f", {len(group)} attempts in all" if len(group) > 2 else ""
        return f"asked again after {max(waited(first, again), 0):.2f} s{told}{more}"
    name = first.fault_name
    if name in LEGAL:
        return "read to the end" if first.whole else "did not read to the end"
    held = 0.0
    if first.injected is not None and first.gone is not None:
        held = first.gone - first.injected
    if name in SILENT | HEARTBEATS:
        if first.announced is not None and first.announced > limits.patience:
            return f"not judged: it announces a read timeout of {first.announced:g} s"
        return f"kept the connection for {held:.1f} s"
    if name == "open-after-done":
        return f"closed the connection {1000 * held:.0f} ms after [DONE]"
    if name == "error-open":
        return f"closed the connection {1000 * held:.0f} ms after the error event"
    if name in MALFORMED and not first.whole:
        return f"closed the connection {1000 * held:.0f} ms after the broken event"
    return f"did not ask again{told}"


def _faults(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        try:
            parse(name)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="workshop verdict",
        usage="%(prog)s [FLAGS] -- COMMAND…",
        description="Run your client against the simulated LLM, once for each fault, and say what "
        "it does wrong. The command finds the server in OPENAI_BASE_URL and OPENAI_API_KEY.",
        epilog="Exit code 0: healthy; 1: a rule was broken; 2: it could not be judged.",
    )
    add = parser.add_argument
    add(
        "--min-grade",
        choices=GRADES,
        default=GRADES[0],
        help="the least harmful grade that makes exit code 1 (default: %(default)s)",
    )
    add(
        "--faults",
        type=_faults,
        default=list(PLAN),
        metavar="A,B,…",
        help=f"the plan (default: {','.join(PLAN)})",
    )
    add(
        "--patience",
        type=seconds,
        default=PATIENCE,
        metavar="S",
        help="seconds of silence after which a client must have given up (default: %(default)g)",
    )
    add(
        "--timeout",
        type=seconds,
        default=120.0,
        metavar="S",
        help="longest time for one run of the command (default: %(default)g)",
    )
    add(
        "--exit-code-tells",
        action="store_true",
        help="the command ends with 0 only if it got a whole answer",
    )
    add("--show", action="store_true", help="show the command's output")
    add("--json", action="store_true", help="print one JSON object; words go to standard error")
    return parser


# What this file does not do: start the command in an environment of its own, or understand its
# output.
