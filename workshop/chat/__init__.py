"""`workshop chat`: talk to the simulated LLM, or to any OpenAI-compatible API, in the terminal.

    $ workshop chat                        a conversation; /help lists its commands
    $ workshop chat "What is SSE?"         one question, one answer
    $ echo 你好 | workshop chat             the same on a pipe: the text and nothing else

With one question, the exit code says how the answer ended: 0 complete, 1 error, 3 cut off, 4 length
limit, 130 stopped by you (Ctrl-C). In a conversation, Ctrl-C stops the answer, but not the program.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from clients.chat import SILENCE
from clients.streams.tls import client_context
from protocol.secret import Secret
from servers.http.access import read_keys
from servers.http.command import base_url, seconds

from ..help_text import HelpFormatter
from ..language import _
from .answer import LOCAL_URL, ChatAPI, Conversation, Ending
from .markdown import escape
from .run import answer_now
from .session import ChatSession

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="workshop chat",
        description=_("Talk to the simulated LLM, or to any OpenAI-compatible API."),
        epilog=_(
            "One question's exit code: 0 complete, 1 error, 3 cut off, 4 length limit, "
            "130 stopped by you."
        ),
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    question = _("one question; without it, standard input or a conversation")
    add("question", nargs="*", help=question)
    url = _("base URL of an API; default: %(default)s")
    add("--base-url", type=base_url, default=LOCAL_URL, metavar="URL", help=url)
    add("--model", help=_("model to ask; default: sim-1 on this machine, else gpt-4o-mini"))
    add("--system", default="", metavar="TEXT", help=_("the system prompt"))
    key = _("file with the API key; for https, the default is OPENAI_API_KEY")
    add("--key-file", type=Path, metavar="FILE", help=key)
    add("--ca-file", metavar="FILE", help=_("certificates (PEM) to trust in place of the system's"))
    add(
        "--timeout",
        type=seconds,
        default=SILENCE,
        metavar="SECONDS",
        help=_("give up after so many seconds without an event; default: %(default)g"),
    )
    add("--raw", action="store_true", help=_("show the bytes sent and received"))
    add("--no-usage", action="store_true", help=_("do not ask for the number of tokens"))
    options = parser.parse_args(argv)
    try:
        client_context(options.ca_file)  # this reports a bad file now
        api = ChatAPI(
            options.base_url,
            key_of(options),
            options.ca_file,
            not options.no_usage,
            options.timeout,
        )
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for stream in (sys.stdin, sys.stdout):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if stream is sys.stdin else "backslashreplace")
    conversation = Conversation(options.model or usual_model(options.base_url), options.system)
    console = Output(highlight=False, force_terminal=sys.stdout.isatty())
    if not options.question and sys.stdin.isatty():
        if not sys.stdout.isatty():
            parser.error(_("no question: give it as an argument, or on standard input"))
        return ChatSession(console, api, conversation, options.raw).run()
    question = " ".join(options.question) or sys.stdin.read()
    question = question.encode("utf-8", "replace").decode().strip()
    if not question:
        parser.error(_("no question"))
    answer = answer_now(console, api, conversation, question, raw=options.raw)
    if answer.ending is not Ending.COMPLETE:
        print(f"workshop chat: {escape(answer.outcome)}", file=sys.stderr)
    return answer.ending.exit_code


class Output(Console):
    """Our standard output. If the reader has closed the pipe, rich's own class would call
    `sys.exit`, in any task."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def usual_model(base_url: str) -> str:
    return "sim-1" if urlsplit(base_url).hostname in ("localhost", "127.0.0.1") else "gpt-4o-mini"


def key_of(options: argparse.Namespace) -> Secret | None:
    """Return the key in the file, or for an https URL the key in the environment.

    The key of a real API is not sent to a server on this machine.

    Raises:
        OSError, ValueError: The file cannot be used.
    """
    if options.key_file:
        return Secret(read_keys(options.key_file)[0])
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    return Secret(key) if key and options.base_url.startswith("https://") else None
