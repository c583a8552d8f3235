"""Mutants of the HTTP families."""

from clients.streams.tcp import ByteStream

from . import mutant
from .good import Answering, Good


@mutant("chunked.ends-with-last-chunk", also=("conn.*",))
class ForgetsTheLastChunk(Good):
    async def send_end(self, stream: ByteStream, request: Answering) -> None:
        request.keep_alive = False
