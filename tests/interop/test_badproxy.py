"""The bad proxy before real peers: what curl shows while the answer is held, and how it ends."""

import pytest

from servers import chat
from servers.pace import Pace

from .held import hold
from .peers import SAFETY, need, read_until, running, shell, started

MODES_THAT_STREAM = ["none", "strip-no-transform,gzip", "split-utf8", "http10", "rechunk=1"]


@pytest.mark.parametrize("mode", MODES_THAT_STREAM)
def test_each_token_before_the_next_exists(mode: str) -> None:
    """The server behind says nothing more until curl has shown the token before."""
    need("curl", "curl")
    with (
        hold(chat.routes(Pace(0, 0))) as held,
        running("servers.badproxy", "--to", held.url, "--mode", mode) as hop,
    ):
        curl = f"exec curl -sgN --compressed --max-time {SAFETY}"
        with started(f"{curl} '{hop.url}/chat/a,你,b?model=echo'") as (_, output):
            for token in ("a", ",", "你", ",", "b"):
                held.release()
                read_until(output, f'data: {{"text":"{token}"}}\n\n'.encode())
            held.release()
            read_until(output, b'event: done\ndata: {"finish_reason":"stop"}\n\n')


# What curl says of an end: 0 is whole, 18 is "transfer closed with outstanding read data".
ENDS = {"none": 0, "truncate=30": 18, "buffer,truncate=30": 18, "http10,truncate=30": 0}


@pytest.mark.parametrize("mode", ENDS)
def test_what_curl_makes_of_the_end(mode: str) -> None:
    need("curl", "curl")
    with (
        running("servers.chunked", "--itl", "0") as server,
        running("servers.badproxy", "--to", server.url, "--mode", mode) as hop,
    ):
        output = shell(f"curl -sN {hop.url}; echo ' and' $?")
    text, _, code = output.decode(errors="replace").rpartition(" and ")
    assert int(code) == ENDS[mode]
    assert (len(text.encode()) == 30) == ("truncate" in mode)
