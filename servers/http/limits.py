"""Limits of one connection, and the memory that all connections share.

    Limits    bytes and seconds of each connection
    Budget    bytes of request bodies, of all connections of a server:
                held    10 MB   by a request that is being received
                        2 MB    by a request whose handler runs
                left    52 MB   a request that needs one byte more gets 503, at once

A limit for each body does not limit the server as a whole: a hundred clients, each with a body just
below 10 MB, need a gigabyte.
"""

import msgspec

__all__ = ["Budget", "Limits"]


class Limits(msgspec.Struct, frozen=True):
    """The bytes and seconds that one connection may use.

    Args:
        head_seconds: Longest time from the first byte of a request's head to its last, in seconds.
            The default is long, because people type heads.
        idle_seconds: Longest wait for the first byte of a request, in seconds.
        body_seconds: Longest wait between two reads of a request's body, in seconds.
        body_total_seconds: Longest time for a request's whole body, in seconds.
        stall_seconds: Longest time for which a client may read nothing of a reply, in seconds.
        heartbeat_seconds: Silence in an event stream after which a comment is sent, in seconds.
        max_body_size: Largest request body accepted, in bytes.
        fin_is_disconnect: Whether a client's FIN is treated as a disconnect. By default a FIN may
            be a half-close (connection.py, rule 2).
    """

    head_seconds: float = 60.0
    idle_seconds: float = 75.0
    body_seconds: float = 30.0
    body_total_seconds: float = 300.0
    stall_seconds: float = 120.0
    heartbeat_seconds: float = 15.0
    max_body_size: int = 10 << 20
    fin_is_disconnect: bool = False


class Budget:
    """A number of bytes that several users share.

    Args:
        size: The number of bytes to share.

    Attributes:
        left: The number of bytes that are free.
    """

    def __init__(self, size: int) -> None:
        self.left = size

    def take(self, size: int) -> bool:
        """Check and reserve this many bytes in one step. Returns whether they were free."""
        if size > self.left:
            return False
        self.left -= size
        return True

    def give_back(self, size: int) -> None:
        """Free bytes that were taken. Give each byte back once only."""
        self.left += size
