"""Finds where requests and responses begin and end on a connection that a tap relays.

    client   GET /a HTTP/1.1 …                       a part with a head, and its request ends
             GET /b HTTP/1.1 …                       another part, perhaps of the same read
    server   HTTP/1.1 200 OK … 5\\r\\nhello\\r\\n     a part with the head of a response
             0\\r\\n\\r\\n                            a part that ends this response

A tap does not need framing to relay bytes. But it must know where each message begins, for two
reasons: the `Host` of each request must name the upstream, and each response is measured
separately.

The rules this file keeps:

1. No grammar is implemented here: `HeadReader` reads the heads, and the decoders of
   protocol/http1.py find the ends of the bodies.
2. The parts, joined together, are the bytes that were given, except that the value of a `Host` line
   may be replaced. For this, the head of a request is held until it is complete. Nothing else is
   held.
3. Invalid bytes do not raise an error. From the first invalid byte on, all bytes are parts without
   a head and without an end, and `unreadable` has the reason.
"""

import re
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from protocol.errors import DecodeError
from protocol.head import Head, HeadReader
from protocol.http1 import BodyDecoder, body_decoder, request_framing, response_framing
from protocol.target import read_host

__all__ = ["Part", "RequestSplitter", "ResponseSplitter"]

# Host = uri-host [ ":" port ] (RFC 9110 §7.2); "Each field line consists of a case-insensitive
# field name" (RFC 9112 §5). The request-line comes before it, so its line begins after a CRLF.
HOST = re.compile(rb"(\r\nhost:[ \t]*)([^\r\n]*)", re.IGNORECASE)

SWITCHING_PROTOCOLS = b"101"


class Part(NamedTuple):
    """Consecutive bytes of one message.

    Args:
        data: The bytes to relay; b"" if the end of the connection has ended the message.
        head: The head of the message, if this part completes it. The head of an informational
            response (1xx) does not count, because the response follows it.
        ends: Whether the message ends with these bytes.
    """

    data: bytes
    head: Head | None = None
    ends: bool = False


class Splitter:
    """The code that both directions share: read a head, then a body, then the next head.

    Attributes:
        unreadable: The reason why the rest of the connection cannot be read as HTTP/1, or "" if it
            can.
    """

    _is_request: bool

    def __init__(self) -> None:
        self.unreadable = ""
        self._reader = HeadReader(is_request=self._is_request)
        self._decoder: BodyDecoder | None = None  # decoder of the body that is arriving

    @property
    def between_messages(self) -> bool:
        """Whether no message is incomplete."""
        return not self.unreadable and self._decoder is None and not self._reader.started

    def stop(self, reason: str) -> None:
        """Read no further, because the next bytes are not HTTP/1."""
        self.unreadable = self.unreadable or reason

    def receive_data(self, data: bytes) -> list[Part]:
        """Take bytes as they arrive, cut anywhere. No bytes raise an error."""
        parts: list[Part] = []
        while data:
            if self.unreadable:
                parts.append(Part(data))
                break
            try:
                if self._decoder is None:
                    data = self._read_head(data, parts)
                else:
                    data = self._read_body(self._decoder, data, parts)
            except DecodeError as error:
                self.stop(error.reason)
        return parts

    def receive_eof(self) -> list[Part]:
        """Report that the sender has finished. If only this end delimits a body, the body's last
        part is added."""
        if self._decoder is None or self.unreadable:
            return []
        try:
            self._decoder.receive_eof()
        except DecodeError as error:
            self.stop(error.reason)
            return []
        self._decoder = None
        return [Part(b"", ends=True)]

    def _read_body(self, decoder: BodyDecoder, data: bytes, parts: list[Part]) -> bytes:
        """Add the part that belongs to this body. Returns the bytes after the part."""
        decoder.receive_data(data)
        rest = decoder.trailing_data
        if decoder.complete:
            self._next_message()
        parts.append(Part(data[: len(data) - len(rest)], ends=decoder.complete))
        return rest

    def _begin_body(self, decoder: BodyDecoder) -> bool:
        """Expect this body after the head. Returns whether the body is empty, so that the message
        is complete."""
        if decoder.complete:
            self._next_message()
        else:
            self._decoder = decoder
        return decoder.complete

    def _next_message(self) -> None:
        self._reader = HeadReader(is_request=self._is_request)
        self._decoder = None

    def _read_head(self, data: bytes, parts: list[Part]) -> bytes:
        """Add the part that belongs to this head. Returns the bytes after the part."""
        raise NotImplementedError


class RequestSplitter(Splitter):
    """The client's bytes.

    Args:
        host: The authority of the upstream, which replaces the value of each request's `Host`. If
            it is None, no byte is changed. A request without `Host` (HTTP/1.0) stays without one.
        names: The names that are replaced, as protocol/target.py normalizes them; None for every
            name. With names, another `Host` is relayed as it is. A page whose own name leads to
            this machine (DNS rebinding) would otherwise pass for a client of the upstream's name,
            although the upstream refuses strange names.
    """

    _is_request = True

    def __init__(self, host: str | None = None, names: Sequence[str] | None = None) -> None:
        super().__init__()
        self._host = host
        self._names = names
        self._held = b""  # the bytes of an incomplete head

    def receive_data(self, data: bytes) -> list[Part]:
        parts = super().receive_data(data)
        if self.unreadable and self._held:
            parts.insert(-1, Part(self._take_held()))
        return parts

    def receive_eof(self) -> list[Part]:
        held = [Part(self._take_held())] if self._held else []
        return held + super().receive_eof()

    def _read_head(self, data: bytes, parts: list[Part]) -> bytes:
        head = self._reader.receive_data(data)
        if head is None:
            if self._host is None:
                parts.append(Part(data))
            else:
                self._held += data
            return b""
        rest = self._reader.trailing_data
        raw = self._take_held() + data[: len(data) - len(rest)]
        if self._host is not None:
            host = self._host.encode()
            raw = HOST.sub(lambda line: line[1] + host if self._is_ours(line[2]) else line[0], raw)
        ends = False
        try:
            ends = self._begin_body(body_decoder(request_framing(head)))
        except DecodeError as error:  # the head is relayed, and the upstream will refuse it
            self.stop(error.reason)
        parts.append(Part(raw, head, ends))
        return rest

    def _is_ours(self, authority: bytes) -> bool:
        if self._names is None:
            return True
        try:
            return read_host(authority.decode("latin-1").rstrip(" \t")) in self._names
        except DecodeError:
            return False

    def _take_held(self) -> bytes:
        held, self._held = self._held, b""
        return held


class ResponseSplitter(Splitter):
    """The server's bytes.

    Attributes:
        methods: Methods of the requests whose responses have not begun, oldest first. The caller
            appends the method of each request: a response to HEAD has no body.
        switched: Whether both directions have changed to another protocol, after
            `101 Switching Protocols` or a 2xx to CONNECT.
    """

    _is_request = False

    def __init__(self) -> None:
        super().__init__()
        self.methods: deque[str] = deque()
        self.switched = False

    def _read_head(self, data: bytes, parts: list[Part]) -> bytes:
        head = self._reader.receive_data(data)
        if head is None:
            parts.append(Part(data))
            return b""
        rest = self._reader.trailing_data
        data = data[: len(data) - len(rest)]
        status = head.start_line[9:12]
        if status.startswith(b"1") and status != SWITCHING_PROTOCOLS:
            # "A client MUST be able to parse one or more 1xx responses received prior to a final
            # response" (RFC 9110 §15.2).
            self._next_message()
            parts.append(Part(data))
            return rest
        method = self.methods.popleft() if self.methods else "GET"
        tunnel = method == "CONNECT" and status.startswith(b"2")
        if tunnel or status == SWITCHING_PROTOCOLS:
            self.switched = True
            self.stop("the protocol was switched")
            parts.append(Part(data, head, ends=True))
            return rest
        ends = False
        try:
            ends = self._begin_body(body_decoder(response_framing(head, method)))
        except DecodeError as error:
            self.stop(error.reason)
        parts.append(Part(data, head, ends))
        return rest


# What this file does not do: change a request-line, `Origin` or a `Location`, decode a body, or
# repair what it cannot read.
