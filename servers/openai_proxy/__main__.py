"""`python -m servers.openai_proxy`: its flags, and what they make."""

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from clients.chat import is_private
from clients.streams.tls import client_context
from protocol.secret import MIN_SIZE

from ..http import command
from ..http.access import Access, key_of_environment, read_keys
from ..http.command import arguments, run, seconds
from ..http.connection import Limits
from ..http.redact import Secret
from .handlers import HOSTS, PAGES, Upstream, routes
from .relay import Clocks


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add them to a server's own flags."""
    add = parser.add_argument_group("the API behind").add_argument
    add(
        "--base-url",
        type=base_url,
        default=os.environ.get("OPENAI_BASE_URL") or Upstream().base_url,
        metavar="URL",
        help="OpenAI-compatible API (default: OPENAI_BASE_URL, or %(default)s)",
    )
    add(
        "--key-file",
        type=Path,
        metavar="FILE",
        help="file with its key (default: the key in OPENAI_API_KEY)",
    )
    add("--ca-file", metavar="FILE", help="certificates (PEM) to trust in place of the system's")
    clocks = Clocks()
    add(
        "--connect-timeout",
        type=seconds,
        default=clocks.connect,
        metavar="S",
        help="seconds for a connection to it, with TLS (default: %(default)s)",
    )
    add(
        "--first-event-timeout",
        type=seconds,
        default=clocks.first_event,
        metavar="S",
        help="seconds from the request to the first event with data (default: %(default)s)",
    )
    add(
        "--idle-timeout",
        type=seconds,
        default=clocks.idle,
        metavar="S",
        help="seconds between two events with data; comments are none (default: %(default)s)",
    )
    add(
        "--total-timeout",
        type=seconds,
        metavar="S",
        help="seconds for a whole answer (default: no limit)",
    )

    add = parser.add_argument_group("who may use it").add_argument
    add(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file of the tokens that clients must have in place of the key, one a line",
    )
    add(
        "--cors",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let pages of this origin use it, beside the chat page; once for each",
    )
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name that this server has, beside localhost; once for each",
    )
    add(
        "--half-close",
        action="store_true",
        help="a client that sends FIN may still read (printf … | nc); else it has left",
    )
    add(
        "--heartbeat",
        type=seconds,
        default=Limits().heartbeat_seconds,
        metavar="S",
        help="seconds of silence before a comment is sent; 0 for never (default: %(default)s)",
    )


def base_url(text: str) -> str:
    """The type of `--base-url`.

    Plain http is for this machine only: over a network everybody on the way would read the key.
    """
    url = command.base_url(text)
    if not is_private(url):
        raise argparse.ArgumentTypeError(f"not https: {url} (http is for this machine only)")
    return url


def upstream_of(options: argparse.Namespace) -> Upstream:
    """Raises OSError, ValueError: there is no key, or a file that cannot be used."""
    if options.key_file:
        (key,) = read_keys(options.key_file)[:1]
    else:
        key = key_of_environment()
    if not key and options.base_url.startswith("https://"):
        raise ValueError("no key: set OPENAI_API_KEY, or write it to a file for --key-file")
    if key and len(key) < MIN_SIZE and options.base_url.startswith("https://"):
        # Nor could it be kept out of a log: an `x` stands in every line.
        raise ValueError(f"the key is too short to be one: fewer than {MIN_SIZE} characters")
    clocks = Clocks(
        options.connect_timeout,
        options.first_event_timeout,
        options.idle_timeout,
        options.total_timeout or math.inf,
    )
    return Upstream(options.base_url, Secret(key) if key else None, options.ca_file, clocks)


def access_of(options: argparse.Namespace) -> Access:
    """Raises OSError, ValueError: a file that cannot be used, or a value that is no origin."""
    tokens = read_keys(options.token_file) if options.token_file else ()
    return Access(tokens, [*PAGES, *options.cors], [*HOSTS, *options.allow_host])


def limits_of(options: argparse.Namespace) -> Limits:
    return Limits(
        heartbeat_seconds=options.heartbeat or math.inf, fin_is_disconnect=not options.half_close
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server alone."""
    about = "An OpenAI-compatible endpoint that relays to the real API; the key stays here."
    parser = arguments("servers.openai_proxy", about, 8005)
    add_flags(parser)
    options = parser.parse_args(argv)
    try:
        client_context(options.ca_file)  # a file that is none is told now
        served = routes(upstream_of(options), access_of(options))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return run(options, "servers.openai_proxy", served, limits_of(options))


if __name__ == "__main__":
    sys.exit(main())
