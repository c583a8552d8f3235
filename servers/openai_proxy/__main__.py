"""`python -m servers.openai_proxy`: its flags, and the settings made from them."""

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
from ..http.workers import add_flag as add_workers_flag
from .handlers import HOSTS, PAGES, Upstream, routes
from .relay import Timeouts


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the proxy's flags to those that every server has."""
    add = parser.add_argument_group("upstream API").add_argument
    add(
        "--base-url",
        type=base_url,
        default=os.environ.get("OPENAI_BASE_URL") or Upstream().base_url,
        metavar="URL",
        help="an OpenAI-compatible API (default: OPENAI_BASE_URL, or %(default)s)",
    )
    add(
        "--key-file",
        type=Path,
        metavar="FILE",
        help="file with the upstream's key (default: the key in OPENAI_API_KEY)",
    )
    add("--ca-file", metavar="FILE", help="trust these certificates (PEM), not the system's")
    timeouts = Timeouts()
    add(
        "--connect-timeout",
        type=seconds,
        default=timeouts.connect,
        metavar="S",
        help="seconds to connect to it, with the TLS handshake (default: %(default)s)",
    )
    add(
        "--first-event-timeout",
        type=seconds,
        default=timeouts.first_event,
        metavar="S",
        help="seconds from the request to the first event with data (default: %(default)s)",
    )
    add(
        "--idle-timeout",
        type=seconds,
        default=timeouts.idle,
        metavar="S",
        help="seconds between two events with data; comments do not count (default: %(default)s)",
    )
    add(
        "--total-timeout",
        type=seconds,
        metavar="S",
        help="seconds for a whole reply (default: no limit)",
    )

    add = parser.add_argument_group("access").add_argument
    add(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file with the tokens that clients must send, one a line; they never see the key",
    )
    add(
        "--cors",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let web pages of this origin use it, like the chat page; repeat for more",
    )
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="accept this name in Host, like localhost; repeat for more",
    )
    add(
        "--half-close",
        action="store_true",
        help="a client that sends FIN may still read (printf … | nc); default: FIN is a disconnect",
    )
    add(
        "--heartbeat",
        type=seconds,
        default=Limits().heartbeat_seconds,
        metavar="S",
        help="send a comment after so many seconds of silence; 0: never (default: %(default)s)",
    )


def base_url(text: str) -> str:
    """Read the value of `--base-url`.

    Plain http is allowed on this machine only, because on a network every hop could read the key.
    """
    url = command.base_url(text)
    if not is_private(url):
        raise argparse.ArgumentTypeError(f"not https: {url} (http is for this machine only)")
    return url


def upstream_of(options: argparse.Namespace) -> Upstream:
    """Return the upstream. Raises OSError or ValueError if the key is missing or a file cannot be
    used."""
    if options.key_file:
        (key,) = read_keys(options.key_file)[:1]
    else:
        key = key_of_environment()
    if not key and options.base_url.startswith("https://"):
        raise ValueError("no key: set OPENAI_API_KEY, or write it to a file for --key-file")
    if key and len(key) < MIN_SIZE and options.base_url.startswith("https://"):
        # Such a key could not be redacted in logs: a key `x` would match in every line.
        raise ValueError(f"the key is too short to be one: fewer than {MIN_SIZE} characters")
    timeouts = Timeouts(
        options.connect_timeout,
        options.first_event_timeout,
        options.idle_timeout,
        options.total_timeout or math.inf,
    )
    return Upstream(options.base_url, Secret(key) if key else None, options.ca_file, timeouts)


def access_of(options: argparse.Namespace) -> Access:
    """Return the access rules. Raises OSError or ValueError if a file cannot be used, or a value is
    not an origin."""
    tokens = read_keys(options.token_file) if options.token_file else ()
    return Access(tokens, [*PAGES, *options.cors], [*HOSTS, *options.allow_host])


def limits_of(options: argparse.Namespace) -> Limits:
    return Limits(
        heartbeat_seconds=options.heartbeat or math.inf, fin_is_disconnect=not options.half_close
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run this server as a program."""
    about = "An OpenAI-compatible endpoint that relays to the real API; the key stays here."
    parser = arguments("servers.openai_proxy", about, 8005)
    add_flags(parser)
    add_workers_flag(parser)
    options = parser.parse_args(argv)
    try:
        client_context(options.ca_file)  # a bad file is reported at the start
        served = routes(upstream_of(options), access_of(options))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return run(options, "servers.openai_proxy", served, limits_of(options))


if __name__ == "__main__":
    sys.exit(main())
