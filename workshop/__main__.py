"""The command: `workshop`, or `python -m workshop` in a clone.

Each subcommand is a function in a module: `main(argv)`, unless another one is named. The module is
imported only when its command is used. So `aha` and `doctor` run on a Python without any packages.
"""

from __future__ import annotations  # so that an old Python can print our message

import io
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

from . import __version__

ROOT = os.path.dirname(os.path.dirname(__file__))
PARTS = {"workshop", "protocol", "servers", "clients"}

COMMANDS = {
    "serve": ("workshop.serve", "all servers on this machine, and the map (the default)"),
    "aha": ("workshop.aha", "ten seconds: the same answer in three ways, byte for byte"),
    "learn": ("workshop.runner.learn", "the exercises, one after the other, checked on each save"),
    "list": ("workshop.runner.commands:list_lessons", "the exercises, and your progress"),
    "check": ("workshop.runner.commands:check", "check an exercise: check 3, or check --all"),
    "hint": ("workshop.runner.commands:hint", "the next hint for an exercise; there are three"),
    "solution": ("workshop.runner.commands:solution", "the solution, once yours passes"),
    "reset": ("workshop.runner.commands:reset", "start an exercise again; your file is kept"),
    "course": ("workshop.course.build", "the lessons and the annotated source, as web pages"),
    "chat": ("workshop.chat", "talk to the simulated LLM, or to any OpenAI-compatible API"),
    "xray": ("workshop.xray.command", "the layers of a stream, and the hop that holds it"),
    "nc": ("clients.nc", "netcat: bytes between a connection and this terminal"),
    "spec": ("workshop.spec", "judge a running server (needs the clone), or a client"),
    "verdict": ("workshop.verdict", "what a client of the OpenAI API does wrong with each fault"),
    "vectors": ("workshop.vectors", "score a parser, of any language (needs the clone)"),
    "sse-client-service": (
        "workshop.contract.service",
        "our event source, as the contract tests of clients want it",
    ),
    "doctor": ("workshop.doctor", "what is installed on this machine, and how to get the rest"),
    "bench": ("workshop.bench", "measure this project on your machine (needs the clone)"),
}

USAGE = """\
usage: workshop [COMMAND] [ARGUMENTS]

Every byte of a streamed AI answer, from `yield` to the pixel.

commands:
{commands}

`workshop COMMAND --help` says more. Start the course with `workshop learn`, and read
workshop/01_generator_basics.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand. Returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if sys.stdin is None:  # standard input is closed: `<&-`
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without 你 gets \\u4f60
    if arguments == ["--version"]:
        print(f"workshop {__version__}")
        return 0
    if arguments[:1] in (["-h"], ["--help"], ["help"]):
        lines = [f"  {name:18} {text}" for name, (_, text) in COMMANDS.items()]
        print(USAGE.format(commands="\n".join(lines)), end="")
        return 0
    if not arguments or arguments[0].startswith("-"):
        arguments.insert(0, "serve")
    name, *rest = arguments
    if name not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(COMMANDS)}"
        print(f"workshop: no command {name!r}. {hint}", file=sys.stderr)
        return 2
    if sys.version_info < (3, 11) and name != "doctor":
        version = ".".join(map(str, sys.version_info[:3]))
        print(f"The workshop needs Python 3.11 or newer; this is {version}.", file=sys.stderr)
        return 1
    try:
        return _run(COMMANDS[name][0], rest)
    except KeyboardInterrupt:
        return 130  # the exit code for an end by SIGINT: 128 + 2
    except BrokenPipeError:  # `workshop doctor | head`: else Python reports it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # the exit code for an end by SIGPIPE: 128 + 13


def _run(command: str, arguments: Sequence[str]) -> int:
    """Import MODULE or MODULE:FUNCTION, and call it."""
    module, _, function = command.partition(":")
    for name in sorted(PARTS):
        found = find_spec(name)
        if found and os.path.dirname(os.path.dirname(found.origin or "")) != ROOT:
            print(
                f"Another package named {name} hides the one of the workshop: {found.origin}\n"
                "Start it in another folder, or in an environment of its own.",
                file=sys.stderr,
            )
            return 1
    try:
        run = getattr(import_module(module), function or "main")
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] in PARTS:
            raise  # this is a bug in the workshop
        print(
            f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate\n"
            "or make it:  python3 -m venv .venv && .venv/bin/pip install -c .ci/locked.txt -e .",
            file=sys.stderr,
        )
        return 1
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # set by workshop/__init__.py
        signal.signal(signal.SIGINT, signal.default_int_handler)
    exit_code: int = run(arguments)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
