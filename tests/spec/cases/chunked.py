"""chunked.*: the framing of a streamed body (RFC 9112 §7.1), as the server writes and reads it."""

from ..case import MUST, Failed, Skipped, case
from ..target import Target


async def chunked_answer(target: Target):  # type: ignore[no-untyped-def]
    answer = await target.success()
    if not answer.chunked:
        raise Skipped("the answer is not chunked")
    return answer


@case(
    "chunked.ends-with-last-chunk",
    MUST,
    "RFC 9112 §8",
    "A message body that uses the chunked transfer coding is incomplete if the zero-sized chunk"
    " that terminates the encoding has not been received.",
    code="protocol/chunked.py: def encode_last_chunk",
    lesson=3,
    cause="The last chunk is missing: send 0 CRLF CRLF when the generator ends.",
)
async def ends_with_last_chunk(target: Target) -> None:
    answer = await chunked_answer(target)
    if not answer.complete:
        raise Failed("The body ends without the last chunk.", answer, at=len(answer.raw))
