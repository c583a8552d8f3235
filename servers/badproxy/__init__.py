"""8009: a proxy that misbehaves on purpose, as real hops do without saying so.

    $ python -m servers.badproxy --mode buffer
    $ curl -N http://localhost:8009/chat/hello           …silence, and then all of it at once

    server          data: {"text":"你"}          data: {"text":"好"}          0
    buffer                                                                  data: … data: … 0
    rechunk=32                                data: {"text":"你"}␊␊data: {"t     …the rest, 0
    lag=1                                        data: {"text":"你"}          data: {"text":"好"} 0
    gzip-nosync     1f 8b 08 …                                              73 49 2c … 0
    truncate=30     data: {"text":"你"}          data: {"t ✂

Faults can be combined: `--mode strip-no-transform,gzip`. The rules that these files keep in every
mode:

1. It confesses: the `Via` of a response names the mode. Real hops do not.
2. It relays everything else properly: fields, back pressure, the client's disconnect.
3. If the upstream truncates a body, the client's body is truncated too. Only `http10` cannot show
   this: there a body ends with its connection, and a truncated body looks complete.

    catalogue.py   all modes by name, and the value of `--mode`
    stages.py      faults in a body: each is a small class, bytes in, pieces out
    upstream.py    faults between this hop and its upstream: idle timeout, gathering, a retry
    proxy.py       the relay, with faults in heads and at the end of a connection
    quiet.py       a connection without bytes and without an end, perhaps without acknowledgments
    __main__.py    the flags

What it does not do: pass on trailers, upgrades or a request's body before it is whole.
"""

from .catalogue import Modes, modes
from .proxy import routes

__all__ = ["Modes", "modes", "routes"]
