"""What the flags mean together. A flag that would have no effect is refused.

workshop xray FILE --probe               a recording cannot be asked again
workshop xray URL --top                  only a tap has a table
workshop xray --listen 9 --to URL -d x   a tap asks nothing itself
"""

import argparse
import os

from clients.streams.tls import client_context
from protocol.secret import Secret
from servers.http.access import read_keys

from .asking.curl_flags import CurlFlags, UsageError
from .tap.tap import TapOptions

__all__ = ["check_usage", "curl_flags", "tap_options"]

REQUEST = {"request", "data", "header", "json_body", "model", "key", "key_file", "ca_file"}
WAITING = {"silence", "max_time"}
FILES = {"save", "html", "har", "pcap"}
TAP = {"listen", "to", "host", "top", "metrics", "keep_host", "max_connections"}
ALWAYS = {"ignored", "target", "yes"}

# Flags that mean something. Those that contradict each other are refused elsewhere (command.py).
MEANINGFUL = {
    "a URL": REQUEST | WAITING | FILES | {"summary", "json", "hex", "probe", "via"},
    "a comparison": REQUEST | WAITING | FILES | {"summary", "json", "compare", "via"},
    "a FILE": FILES | {"summary", "json", "hex", "speed"},
    "--listen": TAP | {"save", "hex", "ca_file", "compare", "via", "probe"},
}
HINTS = {
    "--listen": "--top shows a table, and on a pipe a line for each stream",
    "a FILE": "what is in it was asked already",
}


def check_usage(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse flags that would have no effect.

    Raises:
        UsageError: There is one. The message names it.
    """
    if options.listen is not None or options.to is not None:
        what = "--listen"
    elif options.compare or options.via:
        what = "a comparison"
    elif options.target is not None and "://" not in options.target:
        what = "a FILE"
    else:
        what = "a URL"
    for name, value in vars(options).items():
        given = value != parser.get_default(name)
        if given and name not in MEANINGFUL[what] | ALWAYS:
            flag = "--" + name.replace("_", "-")
            hint = f": {HINTS[what]}" if what in HINTS else ""
            raise UsageError(f"{flag} does nothing with {what}{hint}")


def curl_flags(options: argparse.Namespace) -> CurlFlags:
    """The flags that describe the request.

    Raises:
        UsageError: The key that was asked for is not set.
        ValueError, OSError: A file cannot be used.
    """
    client_context(options.ca_file)  # a bad file is reported now
    key = None
    if options.key_file:
        key = Secret(read_keys(options.key_file)[0])
    elif options.key:
        key = Secret(os.environ.get("OPENAI_API_KEY", "").strip())
        if not key.reveal():
            raise UsageError("--key sends OPENAI_API_KEY, but that is not set; or --key-file")
    return CurlFlags(
        options.request,
        options.data,
        options.header,
        options.json_body,
        options.model,
        key,
        options.ca_file,
    )


def tap_options(options: argparse.Namespace) -> TapOptions:
    """The flags that describe a tap."""
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    return TapOptions(
        to=options.to,
        port=options.listen,
        host=options.host,
        ca_file=options.ca_file,
        keep_host=options.keep_host,
        top=options.top,
        hex=options.hex,
        metrics_port=options.metrics,
        save=options.save,
        secrets=(key,) if key else (),
        max_connections=options.max_connections,
    )


# What this file does not do: parse (flags.py).
