"""What answers: raw sockets, one connection's life, replies that stream, and the servers.

    command.py     a server as a program: flags, log, signals
    server.py      listening sockets, and the life of a server until its last stream
    connection.py  one connection: request after request
    limits.py      what a connection may take, and all of them together
    routes.py      which handler answers which request
    reply_head.py  the head of a reply: the fields that are ours
    reply.py       what a handler gets and what it gives back: Request, Reply, EventStream
    body.py        the bytes after a streaming reply's head
    watch.py       the clocks of all connections, and who has left
    pace.py        how fast a model speaks
    access.py      who may use an API: keys, and pages of other origins
    api_errors.py  refusals in the shape of the OpenAI API
    metrics.py     what a server tells Prometheus
    wire.py        the bytes of a reply, recorded and told as they leave
    llm/           the simulated LLM
    chunked.py     8003: lesson 3, chunked coding
    sse.py         8004: lesson 4, Server-Sent Events
    chat.py        8000: home, chat page, simulated LLM
    log.py         the log, written by a thread: nobody waits for its reader
    redact.py      keys kept out of the log
    openai_proxy/  8005: a relay to the real OpenAI API; the key stays here
    badproxy.py    8009: a hop that buffers, compresses, cuts: on purpose
    page/          the chat page
    balancers/     HAProxy and nginx in front of several chat servers
"""

import signal
import sys

if sys.argv[0] == "-m":  # Python is looking for the module of `python -m servers.NAME`
    # Until the server obeys signals, Ctrl-C ends it as it ends any program: without a traceback.
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
