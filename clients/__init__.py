"""What sends requests: byte streams, an HTTP client, a chat client, a netcat.

    stream.py    one end of a TCP connection, without a framework
    memory.py    the same in memory, for tests and for the checks of exercises
    tls.py       the same inside TLS, by hand
    tunnel.py    out through a proxy: CONNECT
    arrivals.py  many streams that one task reads
    exchange.py  one request and its response, on a connection that is open
    pool.py      connections that wait for their next request
    http.py      from a URL to a response that arrives piece by piece
    tap.py       what passes through a connection, shown to somebody who looks on
    chat.py      a streamed answer of an OpenAI-compatible API, delta by delta
    errors.py    what can go wrong with a request, by how far it came
    nc.py        netcat: bytes between a connection and a terminal
"""

import signal
import sys

if sys.argv[0] == "-m":  # Python is looking for the module of `python -m clients.NAME`
    # Until nc obeys signals, Ctrl-C ends it as it ends any program: without a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    from importlib.util import find_spec
    from pathlib import Path

    found = find_spec("protocol")
    if found and Path(found.origin or "").parents[1] != Path(__file__).parents[1]:
        sys.exit(
            f"Another package named protocol hides the one of the workshop: {found.origin}\n"
            "Start it in another folder, or in an environment of its own."
        )
    try:
        import h11  # noqa: F401
        import msgspec  # noqa: F401
        import trio  # noqa: F401
    except ModuleNotFoundError as missing:
        sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
