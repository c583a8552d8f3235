"""Finds keys in compressed bodies, where a search in the bytes of the body would not find them.

    HTTP/1.1 401 Unauthorized
    Content-Encoding: gzip

    1f 8b 08 00 …           gunzip: {"error":"no such key: sk-proj-abc123"}

A key cannot be replaced in compressed bytes, because each byte depends on those before it. So when
a read completes a key (or its first MIN_CUT characters), this read and all later ones of this body
are masked. The framing of the body stays readable, so x-ray still shows how the body arrived, but
not its content. Little is lost, because answers that quote a key are usually short error messages.

The rules this file keeps:

1. No grammar is implemented here. framing.py divides requests and responses, and
   protocol/anatomy.py finds the bytes of a compressed body ("coded").
2. Only gzip and deflate are decompressed. The others (br, zstd) would need a package.
"""

from protocol.anatomy import ResponseAnatomy
from protocol.head import Head
from protocol.secret import Forms, Range, find_keys

from ..meter.framing import RequestSplitter, ResponseSplitter
from ..meter.layers import Decompressor

__all__ = ["CodedBodies"]

CODINGS = (b"gzip", b"x-gzip", b"deflate")
KEPT = 1024  # the last characters of the text, which are searched again together with the next ones


class CodedBodies:
    """Follows the bytes of one connection, and finds the compressed bodies that quote a key."""

    def __init__(self) -> None:
        self._requests = RequestSplitter()
        self._responses = ResponseSplitter()
        self._body: CodedBody | None = None  # the body that is arriving

    def receive_request(self, data: bytes) -> None:
        """Take the next bytes of the client. They are needed because a response to HEAD has no
        body."""
        for part in self._requests.receive_data(data):
            if part.head:
                method = part.head.start_line.partition(b" ")[0].decode("latin-1")
                self._responses.methods.append(method)

    def find(self, data: bytes, forms: Forms) -> list[Range]:
        """Take the next bytes of the server.

        Args:
            data: One read.
            forms: The keys to search for (`protocol.secret.key_forms`).

        Returns:
            The ranges of the read that belong to a body that quotes a key.
        """
        ranges: list[Range] = []
        place = 0
        for part in self._responses.receive_data(data):
            if part.head:
                # The next part includes the body's bytes so far.
                self._body = CodedBody(part.head) if _is_coded(part.head) else None
            elif self._body:
                found = self._body.find(part.data, forms)
                ranges += [(place + start, place + end) for start, end in found]
            place += len(part.data)
        return ranges


def _is_coded(head: Head) -> bool:
    codings = b",".join(head.values(b"content-encoding")).lower()
    return codings.strip() in CODINGS


class CodedBody:
    """One compressed body.

    head: The head of the response with this body.
    """

    def __init__(self, head: Head) -> None:
        self._anatomy = ResponseAnatomy()
        self._anatomy.receive_data(head.raw)
        self._size = len(head.raw)  # bytes of the response so far
        self._decompressor = Decompressor()
        self._text = ""  # the last characters
        self._quotes_key = False

    def find(self, data: bytes, forms: Forms) -> list[Range]:
        """Return the ranges of the next bytes that must be masked."""
        coded = [
            (span.start - self._size, span.end - self._size)
            for span in self._anatomy.receive_data(data)
            if span.label == "coded"
        ]
        self._size += len(data)
        for start, end in coded:
            if self._quotes_key:
                break
            for piece in self._decompressor.receive_data(data[start:end]):
                text = self._text + piece.decode("latin-1")
                self._quotes_key = self._quotes_key or bool(find_keys(text, forms))
                self._text = text[-KEPT:]
        return coded if self._quotes_key else []


# What this file does not do: repair a masked body. A program cannot decompress it any more.
