"""The server side: an HTTP server, and the programs that are built on it.

    http/           the HTTP server, without any application
    llm/            the simulated model
    page/           the chat page
    balancers/      HAProxy and nginx in front of several chat servers

    chat.py         8000: home, chat page, simulated LLM
    chunked.py      8003: lesson 3, chunked coding
    sse.py          8004: lesson 4, Server-Sent Events
    openai_proxy/   8005: a proxy to the real OpenAI API; only the proxy has the key
    badproxy/       8009: a faulty hop, which buffers, compresses or truncates on purpose
"""

import signal
import sys

if sys.argv[0] == "-m":  # `python -m servers.NAME` is starting.
    # Until the server handles signals itself, Ctrl-C ends it without a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    from importlib.util import find_spec
    from pathlib import Path

    for name in ("clients", "protocol"):
        found = find_spec(name)
        if found and Path(found.origin or "").parents[1] != Path(__file__).parents[1]:
            sys.exit(
                f"Another package named {name} hides the one of the workshop: {found.origin}\n"
                "Start it in another folder, or in an environment of its own."
            )
    try:
        import h11  # noqa: F401
        import msgspec  # noqa: F401
        import prometheus_client  # noqa: F401
        import trio  # noqa: F401
    except ModuleNotFoundError as missing:
        sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
