"""Recognizes the program of a hop by its header fields, and gives the configuration line that
helps.

    Server: nginx/1.22.1                 nginx
    Via: 1.1 varnish (Varnish/7.1)       Varnish
    X-Envoy-Upstream-Service-Time: 12    Envoy
    CF-Ray: 8f2…-FRA                     Cloudflare

    buffered-blocks, nginx               proxy_buffering off;
    coalesced, HAProxy                   option http-no-delay

The rules this file keeps:

1. A program is recognized only by a header field that no other known program writes. HAProxy and
   Traefik write no such field. They are recognized only if the user's name for the path says so.
2. A line is given only for a fault that it cures. Each line is one setting that the user can copy.
"""

import re
from collections.abc import Iterable

from msgspec.structs import replace

from ..meter.measure import Meter
from ..report import Report

__all__ = ["cures_of", "head_fields", "product_of", "server_cure", "with_cures"]

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
    # a user's name for a path: the product
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
    "node": "Express",
    "nodejs": "Express",
    "gzip": "a compressor",
    "compressor": "a compressor",
    "squid": "Squid",
    "mitmproxy": "mitmproxy",
    "python": "Python",
    "uvicorn": "Python",
    "gunicorn": "Python",
    "flask": "Python",
    "django": "Python",
    "starlette": "Python",
    "fastapi": "Python",
}

HELD = {
    "nginx": "proxy_buffering off;",
    "two nginx": "proxy_pass_header X-Accel-Buffering;  in the inner one",
    "HAProxy": "option http-no-delay  (and no http-response wait-for-body)",
    "Caddy": "flush_interval -1  in reverse_proxy",
    "Apache": "ProxyPass / http://upstream/ flushpackets=on",
    "Varnish": "set beresp.do_stream = true;  in vcl_backend_response",
    "Envoy": "no envoy.filters.http.buffer in this route",
    "Traefik": "no buffering middleware in this router",
    "Cloudflare": "Content-Type: text/event-stream  from the server",
    "AWS": "responseTransferMode: STREAM  (API Gateway)",
    "IIS": 'responseBufferLimit="0"  in the handler',
    "Next.js": "compress: false  in next.config.js",
    "Express": "res.flush()  after each event, if compression() is used",
    "Python": "yield each event by itself: aiter_bytes(), without a size",
    "mitmproxy": "--set stream_large_bodies=1",
    "a pipe": "stdbuf -oL, python -u, print(flush=True)",
}

COMPRESSED = {
    "nginx": "gzip off;  (or proxy_buffering off;  then it flushes each event)",
    "HAProxy": "compression type text/html  (without text/event-stream)",
    "Caddy": "encode { match header Content-Type text/html* }",
    "Apache": "SetEnvIf Request_URI ^/stream no-gzip=1",
    "Varnish": "set beresp.do_gzip = false;  in vcl_backend_response",
    "Envoy": "content_type  of the compressor, without text/event-stream",
    "Traefik": "excludedContentTypes: [text/event-stream]",
    "Cloudflare": "Cache-Control: no-transform  from the server",
    "AWS": "minimumCompressionSize unset  (API Gateway)",
    "IIS": 'enabled="false" for text/event-stream in dynamicTypes',
    "Next.js": "compress: false  in next.config.js",
    "Express": "Cache-Control: no-transform  from the server, or res.flush()",
    "Python": "a newer Starlette: GZipMiddleware leaves event streams out",
    "a compressor": "leave text/event-stream out, or flush(Z_SYNC_FLUSH) after each event",
}

# Programs that make answers. Their lines come first if the server itself is the cause.
SERVERS = ("a pipe", "Python", "Express", "Next.js")

SILENT = {
    "every program": "a heartbeat comment at least every 15 s:  : keep-alive",
    "nginx": "proxy_read_timeout 1h;",
    "HAProxy": "timeout server 1h  and  timeout client 1h",
    "Caddy": "read_timeout 0  in transport http",
    "Apache": "ProxyTimeout 3600",
    "Varnish": "between_bytes_timeout = 3600s  and  send_timeout = 3600s",
    "Envoy": "stream_idle_timeout: 0s  and, in the route, timeout: 0s",
    "Traefik": "respondingTimeouts.idleTimeout of the entry point",
    "AWS": "idle_timeout.timeout_seconds = 4000  (ALB)",
    "IIS": "requestTimeout of aspNetCore, connectionTimeout of the site",
    "Next.js": "experimental.proxyTimeout  (its rewrites end at 30 s)",
}

CLEAN = {
    "every program": "an end mark in the stream, such as data: [DONE]",
    "nginx": "proxy_http_version 1.1;",
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
    """Return the header fields of a response, or none if the head has not arrived."""
    fields = meter.head.fields if meter.head is not None else []
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


def product_of(fields: Fields, upstream: Fields = (), name: str = "") -> str:
    """Return the name of the program that runs at a hop.

    Args:
        fields: The fields of the response that came through the hop.
        upstream: The fields of the response that did not come through the hop. The hop did not
            write a field that both responses have.
        name: The user's name for the hop.

    Returns:
        A product, or "" if it was not recognized.
    """
    known = {(key.lower(), value.lower()) for key, value in upstream}
    own = {(key.lower(), value.lower()) for key, value in fields} - known
    for product, marks in PRODUCTS.items():
        for mark, pattern in marks:
            if any(key == mark and re.search(pattern, value) for key, value in own):
                return product
    words = re.findall(r"[a-z]+", name.lower())
    return next((NAMES[word] for word in words if word in NAMES), "")


def cures_of(code: str, product: str = "", *, is_server: bool = False) -> dict[str, str]:
    """Return the lines that cure a fault as {product: line}. The line of this product is first.

    Args:
        code: Code of the verdict.
        product: The result of `product_of`.
        is_server: Whether the server itself is the cause. In that case, the lines of servers come
            first.

    Returns:
        No lines for a fault that no configuration cures.
    """
    lines = BY_CODE.get(code, {})
    first = [product, *SERVERS] if is_server else [product]
    return {name: lines[name] for name in first if name in lines} | lines


def server_cure(code: str) -> str:
    """Return the cure if the server itself is the cause, or "" if the general cure fits."""
    if BY_CODE.get(code) is not HELD or code == "nagle":
        return ""
    pipe = HELD["a pipe"]
    return f"Let the server write out each event when it is made. If it writes to a pipe: {pipe}."


def with_cures(report: Report, meter: Meter) -> Report:
    """Return the same report, with the cures for the program that the response names.

    The hop that wrote the head may not be the one that holds the stream, so each cure begins with
    "if".
    """
    product = product_of(head_fields(meter))
    verdicts = [
        replace(one, cure=f"{one.cure} If {product} does it: {line}".strip())
        if (line := BY_CODE.get(one.code, {}).get(product)) and line not in one.cure
        else one
        for one in report.verdicts
    ]
    return replace(report, verdicts=verdicts)


# What this file does not do: find the fault (verdicts.py).
