"""Clients, and the byte streams that clients and servers use.

    streams/   one end of a connection: TCP, TLS, memory
    http/      an HTTP client: from a URL to a response that arrives piece by piece
    chat.py    a streamed answer of an OpenAI-compatible API, delta by delta
    event_source.py, reconnection.py
               an event stream that is kept open, and asked for again after a break
    nc.py      netcat: bytes between a connection and a terminal
    tap.py     an observer for the bytes on a connection
"""

import signal
import sys

if sys.argv[0] == "-m":  # `python -m clients.NAME` is starting.
    # Until nc handles signals itself, Ctrl-C ends it without a traceback.
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
