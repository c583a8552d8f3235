"""All hops, by name, in the order of the table."""

from .caches import Mitmproxy, Squid, Varnish
from .hop import Hop
from .relaying import Direct, Naive, Node, Starlette
from .servers import Apache, Caddy, HAProxy, Lighttpd, Nginx

__all__ = ["HOPS"]

HOPS: dict[str, Hop] = {
    hop.name: hop
    for hop in (
        Direct(),
        Nginx(),
        HAProxy(),
        Caddy(),
        Apache(),
        Lighttpd(),
        Varnish(),
        Squid(),
        Mitmproxy(),
        Node(),
        Starlette(),
        Naive(),
    )
}
