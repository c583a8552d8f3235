"""A lesson's live panel: press Run, and the server that brought the page answers.

    GET /chat/你好  [Run]
    200: 1843 bytes in 74 reads, 2.41 s, complete
    (the wire pane: what the server sent, byte by byte, and what came)

`panel.js` does it, with the chat page's own wire pane.
"""

from html import escape

__all__ = ["NO_PANEL", "panel"]

# Each is a route of servers.chat; a POST has a body.
CHUNKED, EVENTS, COMPLETION = "GET /", "GET /chat/你好", "POST /v1/chat/completions"
REQUESTS = {
    CHUNKED: "",
    EVENTS: "",
    COMPLETION: '{"model":"sim-1","stream":true,"messages":[{"role":"user","content":"你好"}]}',
    "GET /chat/hello?fault=rst@5": "",
}
FIRST_REQUEST = {1: CHUNKED, 2: CHUNKED, 3: CHUNKED, 5: COMPLETION, 6: COMPLETION, 12: COMPLETION}
"""By lesson; the others begin with an event stream."""

HEAD = '<section id="-live" class="live">\n<h2>Live</h2>\n'

NO_PANEL = HEAD + (
    "<p>Start <code>workshop</code> and read this page at "
    "<code>http://localhost:8000/course/</code>: there it can ask the server.</p>\n</section>\n"
)
"""In its place on a page that no server brings."""


def panel(lesson: int) -> str:
    """The panel of a lesson, by its number."""
    first = FIRST_REQUEST.get(lesson, EVENTS)
    options = "".join(
        f'<option value="{escape(request)}" data-body="{escape(body)}"'
        f"{' selected' if request == first else ''}>{escape(request)}</option>"
        for request, body in REQUESTS.items()
    )
    return (
        f"{HEAD}<p>Ask the server that brought you this page, and see what it answers, as it comes."
        '</p>\n<noscript><p class="note">This needs JavaScript; the commands above do not.</p>'
        '</noscript>\n<form>\n<label for="-request">Request</label> '
        f'<select id="-request">{options}</select>\n<button>Run</button>\n</form>\n'
        '<p class="status" role="status"></p>\n<section class="pane" hidden></section>\n'
        '<pre class="came" tabindex="0" aria-label="What came" hidden></pre>\n</section>\n'
    )
