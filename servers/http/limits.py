"""What one connection may take, and what all of them may hold together.

    Limits    bytes and seconds of each connection
    Budget    bytes of request bodies, of all connections of a server:
                held    10 MB   of one that is being received
                        2 MB    of one that its handler has
                left    52 MB   one byte more than is left: 503, at once

A limit for each body is no limit for a server: a hundred clients with a body each just below it are
a gigabyte.
"""

import msgspec

__all__ = ["Budget", "Limits"]


class Limits(msgspec.Struct, frozen=True):
    """What one connection may take: bytes, fields and seconds.

    Args:
        head_seconds: from a head's first byte to its last: long, because people type heads.
        idle_seconds: waiting for a head's first byte.
        body_seconds: between two reads of a request's body.
        body_total_seconds: for all of it.
        stall_seconds: how long a reader may take nothing of a reply.
        heartbeat_seconds: of silence in an event stream before a comment is sent.
        max_body_size: of a request, in bytes.
        fin_is_leaving: a client that sends FIN has left (rule 2 is for those who type).
    """

    head_seconds: float = 60.0
    idle_seconds: float = 75.0
    body_seconds: float = 30.0
    body_total_seconds: float = 300.0
    stall_seconds: float = 120.0
    heartbeat_seconds: float = 15.0
    max_body_size: int = 10 << 20
    fin_is_leaving: bool = False


class Budget:
    """Room for so many bytes.

    Args:
        size: in bytes.
    """

    def __init__(self, size: int) -> None:
        self.left = size

    def take(self, size: int) -> bool:
        """Reserve this many in the same step in which it is checked. Returns whether there were."""
        if size > self.left:
            return False
        self.left -= size
        return True

    def give_back(self, size: int) -> None:
        """To be called once for what was taken."""
        self.left += size
