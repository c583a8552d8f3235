"""The flags of `workshop xray`, and the checks of their combinations."""

import argparse
import math
import re
from pathlib import Path
from typing import NoReturn

from servers.http.command import base_url, port_number, seconds

from .asking.ask import MAX_SECONDS, SILENCE
from .recordings.masking import mask_message

__all__ = ["parser"]

EPILOG = """\
examples:
  workshop xray http://localhost:8000/chat/hello
  workshop xray http://localhost:8000/v1/chat/completions        a body that streams is added
  workshop xray https://api.openai.com/v1/responses --key        sends OPENAI_API_KEY to that host
  workshop xray URL -H 'Authorization: Bearer …' --json-body @request.json
  workshop xray --compare server=http://10.0.0.5:8000/chat/hi nginx=http://10.0.0.7/chat/hi
  workshop xray https://api.example.com/v1/responses --key \\
      --via server=10.0.0.5:8443 --via nginx=10.0.0.7:443        the same Host, other addresses
  workshop xray yesterday.jsonl --summary                        a recording, or curl's --trace
  workshop xray incident.pcap                 a capture of tcpdump: install .[pcap] to read it

exit code: 0 live, 1 a fault found, 2 usage, 3 no connection, 4 unsure, 130 stopped by Ctrl-C
"""

INSECURE = (
    "x-ray checks every certificate: without that check another server could answer, and you would "
    "measure its stream. Name the certificate of your server with --ca-file FILE"
)


# What argparse says about `--flag=value`. The value may be a key.
QUOTED = re.compile(
    r"(?<=ignored explicit argument ).*|(?<=ambiguous option: )(--[\w-]+)=.*(?= could)"
)


class Parser(argparse.ArgumentParser):
    """The parser's error messages never quote the password of a URL, the value of an unknown flag,
    or anything that looks like a key."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            names = [text.partition("=")[0] for text in unknown if text.startswith("-")]
            # `-uname:password` is a short flag with its value.
            names = [name if name.startswith("--") else name[:2] for name in names]
            flags = f"unknown flag: {', '.join(names)}"
            self.error(flags if names else "give one URL or one FILE; -d and -H want quotes")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        message = QUOTED.sub(lambda match: match[1] or "(a value)", message)
        super().error(mask_message(message))


class Insecure(argparse.Action):
    """`-k` is refused, and the message gives the reason."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> NoReturn:
        parser.error(INSECURE)


def speed(text: str) -> float:
    """Return the value of `--speed`: a factor, or 0 to show everything at once."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"not a factor (0 to 1000; 0 shows it at once): {text}")
    return value


def count(text: str) -> int:
    """Return the value of `--max-connections`, which is at least 1."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"not a number (1 to 1000000): {text}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = Parser(
        prog="workshop xray",
        usage="workshop xray URL [FLAGS] | FILE | --compare NAME=URL NAME=URL … "
        "| --listen PORT --to URL",
        description="The layers of a stream, and the name of the hop that spoils it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("target", nargs="?", metavar="URL|FILE", help="what to ask, or a recording")

    add = made.add_argument_group("the request, in curl's words").add_argument
    about = "the method; default: GET, or POST with a body"
    add("-X", "--request", default="", metavar="METHOD", help=about)
    add("-d", "--data", action="append", default=[], metavar="DATA", help="the body; @FILE: a file")
    about = "a field; 'Name:' removes it. Asked for by default: gzip, as browsers do"
    add("-H", "--header", action="append", default=[], metavar="FIELD", help=about)
    add("--json-body", metavar="JSON", help="the body, and its Content-Type; @FILE: a file")
    add("--model", default="", help="model in the body that is added for /v1/… without a body")
    add("--key", action="store_true", help="send OPENAI_API_KEY to the host of the URL")
    add("--key-file", type=Path, metavar="FILE", help="send the key in this file")
    add("--ca-file", metavar="FILE", help="certificates (PEM) to trust in place of the system's")
    habits = ["-s", "--silent", "-S", "--show-error", "-N", "--no-buffer", "-i", "--include"]
    about = "accepted, because users of curl type them, and ignored"
    add("--compressed", *habits, action="store_true", dest="ignored", help=about)
    add("-k", "--insecure", action=Insecure, nargs=0, help="refused: use --ca-file")

    add = made.add_argument_group("several ways, several requests").add_argument
    about = "ask by each way, nearest to the server first, and name the hop that spoils the stream"
    add("--compare", nargs="+", metavar="NAME=URL", help=about)
    about = "the same URL at another address, as curl --connect-to; give it once for each hop. A "
    about += "hop inside a cluster: forward a port to it, and give --via NAME=localhost:PORT"
    add("--via", action="append", default=[], metavar="[NAME=]ADDRESS", help=about)
    about = "ask again with another coding, method and type, to tell causes apart"
    add("--probe", action="store_true", help=about)
    add("--yes", action="store_true", help="do not ask before requests that may cost money")

    add = made.add_argument_group("what you get").add_argument
    add("--summary", action="store_true", help="one screen at the end, no bytes")
    add("--json", action="store_true", help="the report as JSON, an object for each response")
    add("--hex", action="store_true", help="show the bytes in hexadecimal too")
    add("--save", type=Path, metavar="FILE", help="write the recording, a JSON line for each read")
    add("--html", type=Path, metavar="FILE", help="write a page that plays the recording")
    add("--har", type=Path, metavar="FILE", help="write it as an HTTP archive")
    add("--pcap", type=Path, metavar="FILE", help="write it as a capture, for Wireshark")
    add("--speed", type=speed, metavar="N", help="play a FILE N times as fast; 0: at once")

    add = made.add_argument_group("how long to wait").add_argument
    about = "give up after so many seconds without a byte; default: %(default)g"
    add("--silence", type=seconds, default=SILENCE, metavar="S", help=about)
    about = "stop reading after so many seconds; default: %(default)g"
    add("--max-time", type=seconds, default=MAX_SECONDS, metavar="S", help=about)

    add = made.add_argument_group("a tap for other clients").add_argument
    add("--listen", type=port_number, metavar="PORT", help="relay each client to the URL of --to")
    add("--to", type=base_url, metavar="URL", help="the server of --listen")
    add("--host", default="localhost", help="name or address to listen on; default: %(default)s")
    add("--top", action="store_true", help="a table of the streams that are running")
    about = "port of GET /metrics, for Prometheus"
    add("--metrics", type=port_number, metavar="PORT", help=about)
    add("--keep-host", action="store_true", help="relay the client's Host field as it is")
    about = "most connections at the same time; default: %(default)s"
    add("--max-connections", type=count, default=1000, metavar="N", help=about)
    return made
