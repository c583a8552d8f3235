"""Which program a hop is, by the fields it writes, and the line of its configuration that helps.

    Server: nginx/1.22.1                 nginx
    Via: 1.1 varnish (Varnish/7.1)       Varnish
    X-Envoy-Upstream-Service-Time: 12    Envoy
    CF-Ray: 8f2…-FRA                     Cloudflare

    buffered-blocks, nginx               proxy_buffering off;
    coalesced, HAProxy                   option http-no-delay

The rules this file keeps:

1. A program is named only by a field that no other program is known to write. HAProxy and Traefik
   write none: then the name that the user gave the way may say it.
2. A line is given only for a fault that it cures. Each is one setting, as it is typed.
"""

import re
from collections.abc import Iterable

from .measure import Meter

__all__ = ["cures_of", "head_fields", "product_of"]

Fields = Iterable[tuple[str, str]]

PRODUCTS: dict[str, tuple[tuple[str, str], ...]] = {
    # product: (name of a field, pattern in its value); all in lower case
    "Cloudflare": (("cf-ray", ""), ("server", r"^cloudflare")),
    "AWS": (
        ("x-amzn-trace-id", ""),
        ("x-amzn-requestid", ""),
        ("x-amz-apigw-id", ""),
        ("x-amz-cf-id", ""),
        ("server", r"^awselb"),
    ),
    "Next.js": (("x-powered-by", r"next\.js"), ("x-nextjs-cache", ""), ("x-vercel-id", "")),
    "Envoy": (("x-envoy-upstream-service-time", ""), ("server", r"^(?:istio-)?envoy")),
    "Varnish": (("x-varnish", ""), ("via", r"varnish")),
    "IIS": (("server", r"^microsoft-iis"), ("x-powered-by", r"^(?:asp\.net|arr/)")),
    "Squid": (("server", r"^squid"), ("via", r"\(squid")),
    "mitmproxy": (("server", r"^mitmproxy"), ("via", r"mitmproxy")),
    "Caddy": (("server", r"^caddy"), ("via", r"\bcaddy\b")),
    "nginx": (("server", r"^(?:nginx|openresty|tengine)"),),
    "Apache": (("server", r"^apache"),),
    "Express": (("x-powered-by", r"^express"),),
    "Python": (("server", r"^(?:uvicorn|hypercorn|gunicorn|python/|werkzeug)"),),
}

NAMES = {
    # what a user may call a way: the product
    "nginx": "nginx",
    "haproxy": "HAProxy",
    "caddy": "Caddy",
    "apache": "Apache",
    "httpd": "Apache",
    "varnish": "Varnish",
    "envoy": "Envoy",
    "istio": "Envoy",
    "traefik": "Traefik",
    "cloudflare": "Cloudflare",
    "cloudflared": "Cloudflare",
    "alb": "AWS",
    "elb": "AWS",
    "lambda": "AWS",
    "apigw": "AWS",
    "cloudfront": "AWS",
    "iis": "IIS",
    "next": "Next.js",
    "nextjs": "Next.js",
    "vercel": "Next.js",
    "express": "Express",
    "squid": "Squid",
    "mitmproxy": "mitmproxy",
    "starlette": "Python",
    "fastapi": "Python",
}

HELD = {
    "nginx": "proxy_buffering off;   (or X-Accel-Buffering: no from the server; if this nginx is "
    "the outer one of two, proxy_pass_header X-Accel-Buffering; in the inner one)",
    "HAProxy": "option http-no-delay   (and no http-response wait-for-body)",
    "Caddy": "flush_interval -1   in reverse_proxy (and no response_buffers)",
    "Apache": "ProxyPass / http://upstream/ flushpackets=on   (and no SetOutputFilter BUFFER)",
    "Varnish": "set beresp.do_stream = true;   in vcl_backend_response (and no ESI)",
    "Envoy": "remove envoy.filters.http.buffer from this route",
    "Traefik": "remove the buffering middleware from this router; else flushInterval: 1ms",
    "Cloudflare": "Content-Type: text/event-stream from the server; other types are held",
    "AWS": "API Gateway: responseTransferMode: STREAM; Lambda: InvokeMode: RESPONSE_STREAM",
    "IIS": 'responseBufferLimit="0"   in <handlers><add …> (ARR: response buffer threshold 0)',
    "Next.js": "compress: false   in next.config.js",
    "Express": "res.flush() after each event, if compression() is used",
    "Python": "yield each event by itself; do not gather (aiter_bytes() without a size)",
    "mitmproxy": "--set stream_large_bodies=1",
    "a pipe": "stdbuf -oL, python -u, or flush=True: standard output into a pipe is buffered",
}

COMPRESSED = {
    "nginx": "gzip off;   for this location (or proxy_buffering off;, then it flushes each event)",
    "HAProxy": "compression type   without text/event-stream (or option http-no-delay)",
    "Caddy": "encode { match header Content-Type text/html* }   so that event streams are left out",
    "Apache": 'SetEnvIf Request_URI "^/stream" no-gzip=1',
    "Varnish": "set beresp.do_gzip = false;   in vcl_backend_response",
    "Envoy": "content_type   of the compressor without text/event-stream",
    "Traefik": "excludedContentTypes: [text/event-stream]   in the compress middleware",
    "Cloudflare": "Cache-Control: no-transform   from the server",
    "AWS": "turn off compression for this route: minimumCompressionSize unset",
    "IIS": '<remove mimeType="text/event-stream" />   in httpCompression/dynamicTypes',
    "Next.js": "compress: false   in next.config.js (or Cache-Control: no-transform)",
    "Express": "Cache-Control: no-transform, or res.flush() after each event",
    "Python": "a newer Starlette: its GZipMiddleware leaves text/event-stream out (1.10, not 0.38)",
}

SILENT = {
    "nginx": "proxy_read_timeout 1h;   (or a heartbeat comment at least every 30 s)",
    "HAProxy": "timeout server 1h   and   timeout client 1h",
    "Caddy": "reverse_proxy { transport http { read_timeout 0 } }",
    "Apache": "ProxyTimeout 3600",
    "Varnish": "between_bytes_timeout 3600s   and   send_timeout 3600s",
    "Envoy": "stream_idle_timeout: 0s   and   timeout: 0s   in the route",
    "Traefik": "respondingTimeouts.idleTimeout and writeTimeout of the entry point",
    "Cloudflare": "a heartbeat comment at least every 30 s: its limit is 100 s of silence",
    "AWS": "ALB: idle_timeout.timeout_seconds=4000; API Gateway ends a request after 29 s",
    "IIS": "requestTimeout of aspNetCore, connectionTimeout of the site",
    "Next.js": "proxyTimeout   in experimental (its rewrites end after 30 s of silence)",
}

CLEAN = {
    "nginx": "proxy_http_version 1.1;   (or an end mark in the stream, such as data: [DONE])",
    "HAProxy": "nothing to set: look whether it speaks HTTP/1.0 to the server",
    "Caddy": "an end mark in the stream, such as data: [DONE]: Caddy ends each cut cleanly",
}

BY_CODE = {
    **dict.fromkeys(("buffered-whole", "buffered-blocks", "measured", "one-behind"), HELD),
    **dict.fromkeys(("head-held", "coalesced", "type-gated", "method-gated"), HELD),
    **dict.fromkeys(("nagle", "burst-after-stall"), HELD),
    "compressed-unflushed": COMPRESSED,
    **dict.fromkeys(("idle-timeout", "lifetime-timeout"), SILENT),
    **dict.fromkeys(("cut-clean", "http10", "until-close"), CLEAN),
}


def head_fields(meter: Meter) -> list[tuple[str, str]]:
    """The header fields of a response; none if its head has not come."""
    fields = meter.head.fields if meter.head is not None else []
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


def product_of(fields: Fields, upstream: Fields = (), name: str = "") -> str:
    """Name the program that a hop is.

    Args:
        fields: The fields of the response that came through the hop.
        upstream: Those of the response that did not. What both have, the hop did not write.
        name: What the user calls the hop.

    Returns:
        A product, or "" if nothing names it.
    """
    known = {(key.lower(), value.lower()) for key, value in upstream}
    own = {(key.lower(), value.lower()) for key, value in fields} - known
    for product, marks in PRODUCTS.items():
        for mark, pattern in marks:
            if any(key == mark and re.search(pattern, value) for key, value in own):
                return product
    words = re.findall(r"[a-z]+", name.lower())
    return next((NAMES[word] for word in words if word in NAMES), "")


def cures_of(code: str, product: str = "") -> dict[str, str]:
    """The lines that cure a fault: {product: line}, that of this product first.

    Returns:
        No lines for a fault that no configuration cures.
    """
    lines = BY_CODE.get(code, {})
    first = {product: lines[product]} if product in lines else {}
    return first | lines


# What this file does not do: say what is wrong (verdicts.py).
