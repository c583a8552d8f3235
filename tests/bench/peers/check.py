"""Checks that all servers do the same work: one short answer of each is examined before anything is
timed, and one in one piece.

An answer must have the status 200, and be an event stream in chunked coding, of
chat.completion.chunk objects of about 250 bytes: the role first, then pieces of text, a
finish_reason, and [DONE]. A chunk may not hold two tokens. The role may share one with the first
token, and [DONE] with the finish_reason, as ours do: two writes less in an answer, which tells only
where answers are short (first byte).
"""

import json
import socket
from dataclasses import replace
from typing import Any

from protocol.chunked import ChunkedDecoder
from protocol.sse import EventStreamParser

from ..table import DifferentWork
from . import Peer, Server, Setting, serving

SETTING = Setting(ttft=0, itl=0.01, tokens=12)
WHOLE = replace(SETTING, stream=False)
SIZES = range(180, 330)  # bytes of an event that carries a token


def check(peer: Peer, core: int, *, relays: bool = False) -> dict[str, float]:
    """One answer of this peer.

    Args:
        relays: Whether the peer is a proxy, which may read two tokens at once from its upstream.

    Returns:
        The number of tokens in the answer, of the 12 requested, and the mean size of their events,
        in bytes.

    Raises:
        DifferentWork: The answer is not what a client of the API expects.
        NotStarted: The server did not come up.
    """
    with serving(peer, SETTING, core) as server:
        head, chunks = _answer(server)
    if b" 200 " not in head.split(b"\r\n")[0] or b"text/event-stream" not in head.lower():
        raise DifferentWork(f"{peer.name}: the head {head[:200]!r}")
    sizes: list[int] = []
    choices: list[dict[str, Any]] = []
    texts: list[str] = []
    for chunk in chunks:
        read = [event.data for event in EventStreamParser().receive_data(chunk)]
        texts += read
        objects = [json.loads(text) for text in read if text != "[DONE]"]
        if any(read["object"] != "chat.completion.chunk" for read in objects):
            raise DifferentWork(f"{peer.name}: other objects than chat.completion.chunk")
        choices += (new := [choice for each in objects for choice in each["choices"]])
        said = [
            text
            for text, choice in zip(read, new, strict=False)
            if choice["delta"].get("content") or choice["delta"].get("reasoning_content")
        ]
        if len(said) > 1 and not relays:
            raise DifferentWork(f"{peer.name}: {len(said)} tokens in one chunk")
        sizes += [len(b"data: ") + len(text.encode()) + len(b"\n\n") for text in said]
    if texts[-1:] != ["[DONE]"] or not choices:
        raise DifferentWork(f"{peer.name}: the end {texts[-1:]}")
    if choices[0]["delta"].get("role") != "assistant" or not choices[-1]["finish_reason"]:
        raise DifferentWork(f"{peer.name}: no role at first, or no finish_reason at last")
    mean = sum(sizes) / max(len(sizes), 1)
    if round(mean) not in SIZES:
        raise DifferentWork(f"{peer.name}: {len(sizes)} tokens in events of {mean:.0f} bytes")
    return {"tokens": len(sizes), "bytes": mean}


def check_whole(peer: Peer, core: int) -> None:
    """Look at one answer of this peer in one piece.

    Raises:
        DifferentWork: It is not a chat.completion of 12 tokens with a length.
        NotStarted: The server did not come up.
    """
    with serving(peer, WHOLE, core) as server:
        received = b""
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(WHOLE.request)
            while b"}]" not in received or not received.rstrip().endswith(b"}"):
                received += client.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    if b"content-length: %d\r\n" % len(body) not in head.lower() + b"\r\n":
        raise DifferentWork(f"{peer.name}: the head {head[:200]!r}")
    answer = json.loads(body)
    said = answer["choices"][0]["message"]["content"]
    if answer["object"] != "chat.completion" or not said:
        raise DifferentWork(f"{peer.name}: {body[:200]!r}")
    if answer["usage"]["completion_tokens"] != WHOLE.tokens:
        raise DifferentWork(f"{peer.name}: {answer['usage']}")


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
