r"""The command `workshop spec`: find out whether a running server streams, and keeps the rules.

    $ workshop spec http://localhost:9000/stream
    GET http://localhost:9000/stream: 30 reads in 3.0 s, an event stream, chunked. Profile sse
    PASS  chunked.ends-with-last-chunk                 MUST   RFC 9112 §8
    …
    FAIL  live.not-held-to-the-end
      All of the body came in one moment, 3.0 s after the request.
      sent    printf 'GET /stream HTTP/1.1\r\nHost: localhost:9000\r\n\r\n' | nc localhost 9000
      came    …
      rule    custom, …
      cause   …
      lesson  workshop/09_proxies_and_buffering/README.md

The cases are in tests/spec, which says how they judge. This file reads the flags, asks once to see
what the server does, and starts pytest on the cases. `--sse-client` tests a client instead
(workshop/contract).
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from rich.console import Console

from clients.chat import LOOPBACK
from clients.http.client import URLParts
from clients.streams.tls import client_context
from protocol.secret import Secret
from servers.http.access import read_keys

from . import __version__
from .output import output_error
from .xray.asking.curl_flags import CurlFlags, UsageError, asking_of

if TYPE_CHECKING:
    from tests.spec.answer import Answer
    from tests.spec.plugin import SpecPlugin
    from tests.spec.target import Target

__all__ = ["judge", "main"]

NEEDS_CLONE = (
    "workshop spec needs the clone, which has tests/spec: "
    "run `python -m workshop spec` in its top folder."
)
NEEDS_PYTEST = "workshop spec needs pytest: pip install -c .ci/locked.txt -e '.[test]'"
PROFILES = ("http", "sse", "openai", "responses")
PATHS = {"openai": "/v1/chat/completions", "responses": "/v1/responses"}
"""The path that is asked if the URL has none."""

POLITE = 30
"""Requests to a host that is not this machine, without --yes."""

FAILED, USAGE, UNREACHABLE = 1, 2, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Judge a server.

    Returns:
        0 if no case fails, 1 if one does, 2 if none was selected or the command line cannot be
        used, 3 if the server cannot be reached.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if any(one.partition("=")[0] == "--sse-client" for one in arguments):
        from .contract.command import main as test_client

        return test_client(arguments)
    options = _parser().parse_args(arguments)
    try:
        import tests.spec.plugin  # noqa: F401
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("tests", "pytest"):
            raise
        return _refuse(NEEDS_CLONE if missing == "tests" else NEEDS_PYTEST)
    if options.why:
        return _why(options.why)
    console = Console(soft_wrap=True, highlight=False)
    if options.list:
        return _list(options, console)
    if options.url is None:
        return _refuse("which server? For example: workshop spec http://localhost:9000/stream")
    try:
        return _judge(options, console)
    except (UsageError, ValueError) as error:
        return _refuse(str(error))
    except OSError as error:
        if output_error():
            raise
        return _refuse(f"{error.filename or 'a file'}: {error.strerror or error}")


def _refuse(message: str, code: int = USAGE) -> int:
    print(message, file=sys.stderr)
    return code


# ---- Without a server


def _why(slug: str) -> int:
    """Print the rule of a case, our code, its test and its lesson."""
    import difflib

    from tests.spec.case import CASES
    from tests.spec.mutants import MUTANTS, every
    from tests.spec.show import why

    assert every
    if slug not in CASES:
        near = difflib.get_close_matches(slug, CASES, n=1)
        hint = f"Did you mean {near[0]}?" if near else "--list shows them all."
        return _refuse(f"no case {slug!r}. {hint}")
    print(why(CASES[slug], [one.name for one in MUTANTS.values() if slug in one.fails]))
    return 0


def _list(options: argparse.Namespace, console: Console) -> int:
    from tests.spec.plugin import SpecPlugin

    plugin = SpecPlugin(options.profile or "", None)
    code = _pytest(plugin, options, "--collect-only")
    for case in plugin.selected:
        console.print(f"{case.slug:44} {case.level:6} {case.section}", markup=False)
    return code


# ---- With a server


def _judge(options: argparse.Namespace, console: Console) -> int:
    from tests.spec.result import Skipped
    from tests.spec.show import show_summary

    target = _target(options)
    try:
        answer = trio.run(target.ask)
    except Skipped as error:
        return _refuse(f"{options.url} cannot be reached: {error}", UNREACHABLE)
    if not answer.raw:
        return _refuse(f"{options.url} accepts connections, but does not answer", UNREACHABLE)
    what = f"{target.method} {target.parts.target}"
    if answer.status >= 400:
        hint = {401: "--key-file FILE sends a key", 403: "--key-file FILE sends a key"}.get(
            answer.status, "give the path that streams (--path), and what it needs (--body, -H)"
        )
        return _refuse(f"{what} was answered with {answer.status}: {hint}")
    target.share(answer)
    profile = options.profile or _profile(target, answer)
    if profile != "http" and not (answer.is_event_stream or b"data:" in answer.body):
        kind = answer.field("content-type") or "no Content-Type"
        message = (
            f"{what} was answered with {kind}, not with an event stream: give --path or --body"
        )
        return _refuse(message, UNREACHABLE)
    console.print(f"{what}: {_describe(target, answer)}. Profile {profile}", markup=False)
    plugin = judge(target, profile, options, console, is_here=target.parts.host in LOOPBACK)
    if plugin.outcomes:
        show_summary(console, plugin.outcomes)
    _write(options, target, profile, plugin)
    if target.lost:  # a case that found no connection was skipped: is the server still there?
        try:
            trio.run(target.ask)
        except Skipped:
            return _refuse(f"{options.url} does not answer any more", UNREACHABLE)
    return plugin.code


def judge(
    target: "Target",
    profile: str,
    options: argparse.Namespace,
    console: Console,
    *,
    is_here: bool = True,
) -> "SpecPlugin":
    """Run the cases of a profile, and print the results.

    Args:
        target: The server.
        profile: Name of the profile.
        options: The flags.
        console: The terminal.
        is_here: Whether the server runs on this machine, so that cases may run side by side.
    """
    from tests.spec.plugin import SpecPlugin
    from tests.spec.runner import WORKERS, Runner
    from tests.spec.show import show_failures, show_line

    workers = WORKERS if is_here or options.yes else 1
    plugin = SpecPlugin(profile, Runner(target, strict=options.strict, workers=workers))
    plugin.show = lambda outcome: show_line(console, outcome)  # type: ignore[method-assign]
    plugin.code = _pytest(plugin, options)
    show_failures(console, plugin.outcomes)
    for error in plugin.errors:
        print(error, file=sys.stderr)
    return plugin


def _pytest(plugin: "SpecPlugin", options: argparse.Namespace, *flags: str) -> int:
    """Start pytest on the cases. Returns our exit code."""
    import pytest

    from tests.spec.case import ROOT
    from tests.spec.plugin import FOLDER

    arguments = [str(FOLDER), "-c", os.devnull, f"--rootdir={ROOT}", f"--confcutdir={FOLDER}"]
    for name in ("terminal", "cacheprovider", "faulthandler", "logging", "capture"):
        arguments += ["-p", f"no:{name}"]
    arguments += flags
    arguments += ["-k", options.k] if options.k else []
    arguments += [f"--junitxml={options.junitxml}"] if options.junitxml else []
    # Plugins that are installed here are for the tests of other projects.
    before = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        code = pytest.main(arguments, plugins=[plugin])
    finally:
        if before is None:
            del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        else:
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = before
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        return _refuse(f"no case of this profile has {options.k} in its name: see --list")
    if code == pytest.ExitCode.USAGE_ERROR:
        return _refuse(f"pytest cannot select with -k {options.k!r}")
    return FAILED if code else 0


def _target(options: argparse.Namespace) -> "Target":
    """Build the target from the flags."""
    from tests.spec.openai_asking import usual_body
    from tests.spec.target import Target

    url = options.url
    if options.path:
        if not options.path.startswith("/"):
            raise UsageError(f"--path begins with a slash: {options.path!r}")
        parts = URLParts.parse(url)
        url = f"{parts.scheme}://{parts.authority}{options.path}"
    elif URLParts.parse(url).target == "/" and options.profile in PATHS:
        url = url.rstrip("/") + PATHS[options.profile]
    is_here = URLParts.parse(url).host in LOOPBACK
    fields = ["Accept:", "Accept-Encoding:"]
    fields += ["User-Agent:" if is_here else f"User-Agent: workshop-spec/{__version__}"]
    body = Path(options.body).read_bytes() if options.body else None
    if body is None and options.request in ("", "POST"):
        body = usual_body(URLParts.parse(url).target, options.model)
    key = Secret(read_keys(options.key_file)[0]) if options.key_file else None
    flags = CurlFlags(
        method=options.request or ("POST" if body is not None else ""),
        fields=[*fields, *options.header],
        model=options.model,
        key=key,
        ca_file=options.ca_file,
    )
    client_context(options.ca_file)  # a bad file is reported now
    asking = asking_of(url, flags)
    return Target(
        asking.url,
        method=asking.method,
        headers=asking.headers,
        body=asking.body if body is None else body,
        connect=asking.connect,
        ca_file=options.ca_file,
        budget=None if is_here or options.yes else POLITE,
        secrets=asking.secrets,
        model=options.model,
    )


def _profile(target: "Target", answer: "Answer") -> str:
    """Choose the profile by the path of the URL or, if it does not tell, by the answer."""
    path = target.parts.target.partition("?")[0]
    if path.endswith("/chat/completions"):
        return "openai"
    if path.endswith("/responses"):
        return "responses"
    return "sse" if answer.is_event_stream else "http"


def _describe(target: "Target", answer: "Answer") -> str:
    pace = target.pace_of(answer)
    what = "an event stream" if answer.is_event_stream else answer.field("content-type") or "a body"
    framing = answer.framing.coding.name.lower().replace("_", "-") if answer.framing else "no head"
    came = f"{len(answer.pieces)} reads in {pace.total:.1f} s"
    return f"status {answer.status}, {came}, {what}, {framing}"


def _write(
    options: argparse.Namespace, target: "Target", profile: str, plugin: "SpecPlugin"
) -> None:
    from tests.spec.show import to_html, to_json

    facts: dict[str, object] = {"url": target.url, "profile": profile, "requests": target.requests}
    writers: list[tuple[str | None, Callable[[], str]]] = [
        (options.json, lambda: to_json(facts, plugin.outcomes)),
        (options.html, lambda: to_html(target.url, plugin.outcomes)),
    ]
    for name, write in writers:
        if name:
            Path(name).write_text(write(), "utf-8")


EPILOG = """\
The profiles nest: openai and responses include sse, and sse includes http. By default the path
(/chat/completions, /responses) or the Content-Type of the answer decides.
The request needs to make the server stream for about 3 seconds; shorter answers skip some cases.
Exit code: 0 no case fails, 1 one does, 2 nothing selected or usage, 3 server not reached.
To test a client of event streams: workshop spec --sse-client URL
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="workshop spec",
        description="Find out whether a running server streams, and keeps the rules.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", nargs="?", metavar="URL", help="the server, with the path that streams")
    add("--profile", choices=PROFILES, help="which cases; default: found out")
    about = "the path that streams, in place of the URL's (openai: /v1/chat/completions)"
    add("--path", metavar="P", help=about)
    about = "the method (default: GET, or POST with a body)"
    add("-X", "--request", default="", metavar="METHOD", help=about)
    add("--body", metavar="FILE", help="the body of the request that streams")
    about = "a further field of the request: 'Name: value'"
    add("-H", "--header", action="append", default=[], metavar="FIELD", help=about)
    add("--model", default="", help="model in the body that is added for /v1/… without --body")
    add("--key-file", type=Path, metavar="FILE", help="send the key in this file")
    add("--ca-file", metavar="FILE", help="certificates (PEM) to trust in place of the system's")
    about = "only the cases with this in their name; also 'chunked or head', 'not cancel'"
    add("-k", metavar="SLUG", help=about)
    add("--list", action="store_true", help="list the cases, and stop")
    add("--why", metavar="SLUG", help="the rule, our code, the test and the lesson of a case")
    add("--strict", action="store_true", help="a warning is a failure")
    add("--json", metavar="FILE", help="write the results as JSON")
    add("--junitxml", metavar="FILE", help="write the results as pytest does, for a CI")
    add("--html", metavar="FILE", help="write the results as a page")
    about = f"send more than {POLITE} requests to a host that is not this machine"
    add("--yes", action="store_true", help=about)
    return parser


if __name__ == "__main__":
    sys.exit(main())


# What this file does not do: judge. The cases do (tests/spec/cases).
