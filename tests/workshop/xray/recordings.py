"""Random recordings for tests, including recordings of bytes that are not HTTP."""

from typing import Literal

from hypothesis import strategies as st

from protocol.recording import End, RecordedRead

__all__ = ["recordings"]

SENDERS: list[Literal["client", "server"]] = ["client", "server"]
ENDS: list[End] = ["fin", "reset", "truncated", "silent"]

_reads = st.tuples(
    st.floats(0, 1e7).map(lambda at: round(at, 3)),
    st.sampled_from(SENDERS),
    st.binary(min_size=1, max_size=60)
    | st.sampled_from([b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n", b"\xe4\xbd"])
    | st.sampled_from(ENDS),
    st.integers(0, 2),
)


@st.composite
def _recordings(draw: st.DrawFn) -> list[RecordedRead]:
    """Sort the reads by time, and leave out reads after the end of their sender."""
    found = []
    ended = set()
    for at, sender, what, connection in sorted(draw(st.lists(_reads)), key=lambda read: read[0]):
        if (connection, sender) in ended or (connection, "reset") in ended:
            continue
        if isinstance(what, bytes):
            found.append(RecordedRead(at, sender, what, connection=connection))
        else:
            ended.add((connection, "reset" if what == "reset" else sender))
            found.append(RecordedRead(at, sender, end=what, connection=connection))
    return found


recordings = _recordings()
