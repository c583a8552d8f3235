"""The command line of `python -m servers.badproxy`."""

import sys
from collections.abc import Sequence

from ..http.command import arguments, base_url, run
from .catalogue import MODE_HELP, Modes, modes
from .proxy import routes


def main(argv: Sequence[str] | None = None) -> int:
    """Run this server as a program."""
    parser = arguments("servers.badproxy", "A proxy that misbehaves on purpose.", 8009)
    here = "http://localhost:8000"
    about = "base URL of the upstream (default: %(default)s)"
    parser.add_argument("--to", type=base_url, default=here, metavar="URL", help=about)
    about = "faults to inject into each response (default: none)"
    parser.add_argument("--mode", type=modes, default=Modes(), metavar="MODE[,MODE…]", help=about)
    lines = [f"  {name:20}{about}" for name, about in MODE_HELP.items()]
    parser.epilog = "\n".join(["modes:", *lines])
    options = parser.parse_args(argv)
    return run(options, "servers.badproxy", routes(options.to, options.mode))


if __name__ == "__main__":
    sys.exit(main())
