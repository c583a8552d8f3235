"""The `encrypted_content` of a reasoning item: what a model thought, kept by the client because the
server keeps nothing.

    {"id":"rs_1","type":"reasoning","summary":[…],"encrypted_content":"6jVbtEhtLg=="}

A client sends the item back as it came, with the results of the calls that the model made after it.
OpenAI encrypts it. Here it is only sealed: base64 of a CRC-32 and of the text, which anybody can
read. So a client that changes or cuts it is found out, as it would be there.
"""

import base64
import zlib

__all__ = ["seal", "unseal"]

CHECKSUM_SIZE = 4  # bytes


def seal(text: str) -> str:
    """The text with its checksum, in base64 as in URLs (RFC 4648 §5)."""
    data = text.encode()
    checksum = zlib.crc32(data).to_bytes(CHECKSUM_SIZE, "big")
    return base64.urlsafe_b64encode(checksum + data).decode()


def unseal(sealed: str) -> str:
    """The text that was sealed.

    Raises:
        ValueError: it is not what `seal` returned.
    """
    text = base64.urlsafe_b64decode(sealed)[CHECKSUM_SIZE:].decode()
    if seal(text) != sealed:
        raise ValueError("this was not sealed here")
    return text


# What this file does not do: hide anything.
