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
from .language import LANGUAGES, N_, UnknownLanguageError, _, take_flag
from .output import discard_output, output_error

ROOT = os.path.dirname(os.path.dirname(__file__))
PARTS = {"workshop", "protocol", "servers", "clients"}

COMMANDS = {
    "serve": ("workshop.serve", N_("all servers on this machine, and the map (the default)")),
    "aha": ("workshop.aha", N_("ten seconds: the same answer in three ways, byte for byte")),
    "learn": (
        "workshop.runner.learn",
        N_("the exercises, one after the other, checked on each save"),
    ),
    "list": ("workshop.runner.commands:list_lessons", N_("the exercises, and your progress")),
    "check": ("workshop.runner.commands:check", N_("check an exercise: check 3, or check --all")),
    "hint": ("workshop.runner.commands:hint", N_("the next hint for an exercise; there are three")),
    "solution": ("workshop.runner.commands:solution", N_("the solution, once yours passes")),
    "reset": ("workshop.runner.commands:reset", N_("start an exercise again; your file is kept")),
    "course": ("workshop.course.build", N_("the lessons and the annotated source, as web pages")),
    "chat": ("workshop.chat", N_("talk to the simulated LLM, or to any OpenAI-compatible API")),
    "xray": ("workshop.xray.command", N_("the layers of a stream, and the hop that holds it")),
    "nc": ("clients.nc", N_("netcat: bytes between a connection and this terminal")),
    "spec": ("workshop.spec", N_("judge a running server (needs the clone), or a client")),
    "verdict": (
        "workshop.verdict",
        N_("what a client of the OpenAI API does wrong with each fault"),
    ),
    "vectors": ("workshop.vectors", N_("score a parser, of any language (needs the clone)")),
    "sse-client-service": (
        "workshop.contract.service",
        N_("our event source, as the contract tests of clients want it"),
    ),
    "doctor": ("workshop.doctor", N_("what is installed on this machine, and how to get the rest")),
    "bench": ("workshop.bench", N_("measure this project on your machine (needs the clone)")),
}

USAGE = N_(
    """\
usage: workshop [COMMAND] [ARGUMENTS]

Every byte of a streamed AI answer, from `yield` to the pixel.

commands:
{commands}

`workshop COMMAND --help` says more. Start the course with `workshop learn`, and read
workshop/01_generator_basics. `workshop --lang LANGUAGE` speaks one of: {languages}.
"""
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand. Returns the exit code."""
    try:
        exit_code = _main(list(sys.argv[1:] if argv is None else argv))
        error = output_error(end="")
    except KeyboardInterrupt:
        return 130  # the exit code for an end by SIGINT: 128 + 2
    except BrokenPipeError as broken:  # `workshop doctor | head`
        error = broken
    except SystemExit:  # after --help
        error = output_error(end="")
        if error is None:
            raise
    except Exception:
        error = output_error()
        if error is None:
            raise
    if error is None:
        return exit_code
    discard_output()
    if isinstance(error, BrokenPipeError):
        return 141  # the exit code for an end by SIGPIPE: 128 + 13
    why = _("cannot write the output: {problem}", problem=error.strerror)
    print(f"workshop: {why}", file=sys.stderr)
    return 1


def _main(arguments: list[str]) -> int:
    if sys.stdin is None:  # standard input is closed: `<&-`
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without 你 gets \\u4f60
    try:
        arguments = take_flag(arguments)
    except UnknownLanguageError as error:
        print(f"workshop: {error}", file=sys.stderr)
        return 2
    if arguments == ["--version"]:
        print(f"workshop {__version__}")
        return 0
    if arguments[:1] in (["-h"], ["--help"], ["help"]):
        lines = [f"  {name:18} {_(text)}" for name, (module, text) in COMMANDS.items()]
        names = ", ".join(LANGUAGES)
        print(_(USAGE, commands="\n".join(lines), languages=names), end="")
        return 0
    if not arguments or arguments[0].startswith("-"):
        arguments.insert(0, "serve")
    name, *rest = arguments
    if name not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(name, COMMANDS, n=1)
        if near:
            hint = _("no command {name!r}. Did you mean {near}?", name=name, near=near[0])
        else:
            commands = ", ".join(COMMANDS)
            hint = _("no command {name!r}. There are: {commands}", name=name, commands=commands)
        print(f"workshop: {hint}", file=sys.stderr)
        return 2
    if sys.version_info < (3, 11) and name != "doctor":
        version = ".".join(map(str, sys.version_info[:3]))
        needs = _("The workshop needs Python 3.11 or newer; this is {version}.", version=version)
        print(needs, file=sys.stderr)
        return 1
    return _run(COMMANDS[name][0], rest)


def _run(command: str, arguments: Sequence[str]) -> int:
    """Import MODULE or MODULE:FUNCTION, and call it."""
    module, function = command.split(":") if ":" in command else (command, "main")
    for name in sorted(PARTS):
        found = find_spec(name)
        if found and os.path.dirname(os.path.dirname(found.origin or "")) != ROOT:
            hides = _(
                "Another package named {name} hides the one of the workshop: {path}\n"
                "Start it in another folder, or in an environment of its own.",
                name=name,
                path=found.origin,
            )
            print(hides, file=sys.stderr)
            return 1
    try:
        run = getattr(import_module(module), function)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] in PARTS:
            raise  # this is a bug in the workshop
        how = _(
            "{package} is not installed here. Activate it:  . .venv/bin/activate\n"
            "or make it:  python3 -m venv .venv && .venv/bin/pip install -c .ci/locked.txt -e .",
            package=missing.name,
        )
        print(how, file=sys.stderr)
        return 1
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # set by workshop/__init__.py
        signal.signal(signal.SIGINT, signal.default_int_handler)
    exit_code: int = run(arguments)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
