"""What sends requests: byte streams, an HTTP client, a netcat.

    stream.py    one end of a TCP connection, without a framework
    http.py      a request out, a streamed response in
    nc.py        netcat: bytes between a connection and a terminal
"""

import sys

if sys.argv[0] == "-m":  # Python is looking for the module of `python -m clients.NAME`
    try:
        import h11  # noqa: F401
        import msgspec  # noqa: F401
        import trio  # noqa: F401
    except ModuleNotFoundError as missing:
        sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
