"""The one error that says at which byte a peer went wrong.

h11 divides protocol errors by fault: `RemoteProtocolError` when the peer broke the rules,
`LocalProtocolError` when we are about to. The decoders of this package raise a subclass of the
first that adds where it happened and what was good before it:

    5;a=b\\r\\nhello\\r\\nXX
                      ^ offset 14, decoded == [b"hello"]
"""

from collections.abc import Sequence

import h11


class DecodeError(h11.RemoteProtocolError):
    """A peer's bytes break the grammar, or a limit of ours.

    Args:
        message: what was expected and what came, without the offset.
        offset: the first bad byte, counted from the first byte the decoder was given.
        decoded: what the same call decoded before that byte, so that nothing good is lost and
            feeding whole or byte by byte delivers the same.
        error_status_hint: the status a server should answer with (RFC 9110 §15.5).
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
        """The same error for a later call, which has decoded nothing."""
        return DecodeError(self.reason, self.offset, (), self.error_status_hint)
