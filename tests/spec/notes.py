"""What a check by hand said about failures of other servers, by the slug of the case.

Each was tried with the line that the report prints, and compared with the section.
"""

NOTES = {
    "conn.half-close-at-once": "A policy: the FIN is taken for a disconnect.",
    "conn.half-close-keeps-streaming": "A policy: the FIN is taken for a disconnect.",
    "head.bare-lf": "Allowed (MAY); other hops may read the same bytes differently.",
    "head.cl-te": "Right: it reads the chunks, but must close the connection afterwards.",
    "head.empty-line-before": "Right: 400, for an empty line that a robust server skips.",
    "head.host-invalid": "Right: uri-host has no `/`, `@` or space (RFC 3986 §3.2.2).",
    "head.host-missing": "Right: the application is called without a Host.",
    "head.host-twice": "Right: the application is called with two Hosts.",
    "head.request-line-garbage": "Right: a line without a version, as in HTTP/0.9, is answered.",
    "head.te-http10": "Right: the connection stays open, and the next request is answered.",
    "head.te-not-chunked": "Right: neither 400 nor 501. The connection is closed, so nothing of it"
    " can be smuggled.",
    "http10.without-1xx": "Right: 100 Continue goes to an HTTP/1.0 client.",
    "http10.without-chunks": "Right: chunks go to an HTTP/1.0 client.",
    "live.head-before-first-piece": "Right: it waits for the first chunk of its upstream.",
    "live.takes-time": "Right: all events came in one moment. A latency is a flag of it.",
    "openai.content-parts": "Not what it seems: its file has no answer to this message.",
    "openai.max-tokens": "Right: a stand-in that answers from a file ignores the field.",
    "openai.n": "Right: a stand-in that answers from a file ignores the field.",
    "openai.usage-null-elsewhere": "Right: the field is absent, not null.",
    "pressure.producer-waits": "Right: it ignores the result of `write()`: Node keeps the rest.",
    "sse.accel-buffering": "Right: the field is not there. nginx keeps it for itself.",
    "sse.no-transform": "Right: the field is there, without no-transform.",
    "utf8.bad-request": "Right: an exception of the application, which a framework could catch.",
}
