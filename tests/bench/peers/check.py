"""Do all servers do the same work? One short answer of each, looked at before anything is timed.

An answer has to be 200, an event stream in chunked coding, one event a chunk: chat.completion.chunk
objects of about 250 bytes, the role first, then pieces of text, a finish_reason, and [DONE].
"""

import json
import socket

from protocol.chunked import ChunkedDecoder
from protocol.sse import EventStreamParser

from ..table import DifferentWork
from . import Peer, Server, Setting, serving

SETTING = Setting(ttft=0, itl=0.01, tokens=12)
SIZES = range(180, 330)  # bytes of an event that carries a token


def check(peer: Peer, core: int) -> dict[str, float]:
    """One answer of this peer.

    Returns:
        How many tokens it had, asked for 12, and the mean size of their events in bytes.

    Raises:
        DifferentWork: it is not what a client of that API expects.
        NotStarted: the server did not come up.
    """
    with serving(peer, SETTING, core) as server:
        head, chunks = _answer(server)
    problem = ""
    if b" 200 " not in head.split(b"\r\n")[0] or b"text/event-stream" not in head.lower():
        problem = f"the head {head[:200]!r}"
    events = [EventStreamParser().receive_data(chunk) for chunk in chunks]
    if any(len(pieces) != 1 for pieces in events[:-1]):
        problem = problem or "a chunk that is not one event"
    texts = [event.data for pieces in events for event in pieces]
    if texts[-1:] != ["[DONE]"]:
        problem = problem or f"the end {texts[-1:]}"
    if problem:
        raise DifferentWork(f"{peer.name}: {problem}")
    objects = [json.loads(text) for text in texts[:-1]]
    if {chunk["object"] for chunk in objects} != {"chat.completion.chunk"}:
        raise DifferentWork(f"{peer.name}: other objects than chat.completion.chunk")
    choices = [choice for chunk in objects for choice in chunk["choices"]]
    if choices[0]["delta"].get("role") != "assistant" or not choices[-1]["finish_reason"]:
        raise DifferentWork(f"{peer.name}: no role at first, or no finish_reason at last")
    sizes = [
        len(chunk)
        for chunk, choice in zip(chunks, choices, strict=False)
        if choice["delta"].get("content") or choice["delta"].get("reasoning_content")
    ]
    mean = sum(sizes) / max(len(sizes), 1)
    if round(mean) not in SIZES:
        raise DifferentWork(f"{peer.name}: {len(sizes)} tokens in events of {mean:.0f} bytes")
    return {"tokens": len(sizes), "bytes": mean}


def _answer(server: Server) -> tuple[bytes, list[bytes]]:
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(SETTING.request)
        # A client that reads slowly may find many chunks in one read: the decoder tells them apart.
        while not received.endswith(b"0\r\n\r\n") and (data := client.recv(65536)):
            received += data
    head_bytes, _, rest = received.partition(b"\r\n\r\n")
    if b"\r\ntransfer-encoding: chunked" not in head_bytes.lower():
        return head_bytes, []
    return head_bytes, ChunkedDecoder().receive_data(rest)
