"""The error that all decoders raise. The error gives the offset of the first bad byte from the
peer.

h11 has two protocol errors: `RemoteProtocolError` means that the peer broke the rules, and
`LocalProtocolError` that we are about to break them. The decoders of this package raise a subclass
of the first. The subclass adds the offset of the bad byte, and everything that was decoded before
it:

    5;a=b\\r\\nhello\\r\\nXX
                      ^ offset 14, decoded == [b"hello"]
"""

from collections.abc import Sequence

import h11


class DecodeError(h11.RemoteProtocolError):
    """A peer's bytes break the grammar, or exceed one of our limits.

    Args:
        message: What was expected and what was received, without the offset.
        offset: Offset of the first bad byte, counted from the first byte that the decoder received.
        decoded: Everything that the same call decoded before the bad byte. So no good data is lost,
            and the result is the same whether the input arrives whole or byte by byte.
        error_status_hint: The status with which a server should answer (RFC 9110 §15.5).

    Attributes:
        reason: The message without the offset.
    """

    def __init__(
        self,
        message: str,
        offset: int,
        decoded: Sequence[object] = (),
        error_status_hint: int = 400,
    ) -> None:
        super().__init__(f"{message} (at byte {offset})", error_status_hint)
        self.reason = message
        self.offset = offset
        self.decoded = list(decoded)

    def again(self) -> "DecodeError":
        """Return the same error without `decoded`. Every later call of the decoder raises it."""
        return DecodeError(self.reason, self.offset, (), self.error_status_hint)
