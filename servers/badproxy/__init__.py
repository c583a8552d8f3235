"""8009: a proxy that has a fault on purpose. Real hops have the same faults, but do not tell.

    $ python -m servers.badproxy --mode buffer
    $ curl -N http://localhost:8009/chat/hello           …silence, and then all of it at once

    server          data: {"text":"你"}          data: {"text":"好"}          0
    buffer                                                                  data: … data: … 0
    rechunk=32                                data: {"text":"你"}␊␊data: {"t     …the rest, 0
    lag=1                                        data: {"text":"你"}          data: {"text":"好"} 0
    gzip-nosync     1f 8b 08 …                                              73 49 2c … 0
    truncate=30     data: {"text":"你"}          data: {"t ✂

Faults can be combined: `--mode strip-no-transform,gzip`. In every mode, these files keep three
rules:

1. The proxy names its fault: the `Via` field of each response has the mode. Real hops do not do
   this.
2. The proxy relays everything else correctly: header fields, back pressure, and the client's
   disconnect.
3. If the upstream truncates a body, the client's body is truncated too. Only with `http10` this is
   not visible, because a body in HTTP/1.0 ends with its connection, so a truncated body looks
   complete.

    catalogue.py   all modes by name, and the value of `--mode`
    stages.py      faults in a body: each is a small class, bytes in, pieces out
    upstream.py    faults between this hop and its upstream: idle timeout, gathering, a retry
    proxy.py       the relay, with faults in heads and at the end of a connection
    quiet.py       a connection without bytes and without an end, perhaps without acknowledgments
    __main__.py    the flags

What this proxy does not do: pass on trailers or upgrades, or a request's body before it is
complete.
"""

from .catalogue import Modes, modes
from .proxy import routes

__all__ = ["Modes", "modes", "routes"]
