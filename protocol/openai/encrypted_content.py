"""The `encrypted_content` of a reasoning item: the model's reasoning. The client stores it, because
the server stores nothing.

    {"id":"rs_1","type":"reasoning","summary":[…],"encrypted_content":"6jVbtEhtLg=="}

A client sends the item back unchanged, with the results of the calls that the model made after it.
OpenAI encrypts the content. Here the content is only sealed: it is the base64 of a CRC-32 followed
by the text, which anybody can decode. But like OpenAI's, this server detects when a client has
changed or cut the content.
"""

import base64
import zlib

__all__ = ["seal", "unseal"]

CHECKSUM_SIZE = 4  # bytes


def seal(text: str) -> str:
    """Encode a text with its checksum, in the base64 alphabet for URLs (RFC 4648 §5)."""
    data = text.encode()
    checksum = zlib.crc32(data).to_bytes(CHECKSUM_SIZE, "big")
    return base64.urlsafe_b64encode(checksum + data).decode()


def unseal(sealed: str) -> str:
    """Decode a sealed text.

    Raises:
        ValueError: The text is not one that `seal` returns.
    """
    text = base64.urlsafe_b64decode(sealed)[CHECKSUM_SIZE:].decode()
    if seal(text) != sealed:
        raise ValueError("this was not sealed here")
    return text


# What this file does not do: hide the text.
