"""A lesson's live panel: press Run, and the server of this page answers a request.

    GET /chat/你好  [Run]
    200: 1843 bytes in 74 reads, 2.41 s, complete
    (the wire pane: the bytes that the server sent, and the bytes that arrived)

`panel.js` sends the requests, and shows the answers in the chat page's wire pane.
"""

from html import escape

__all__ = ["NO_PANEL", "panel"]

# Three routes of servers.chat that a panel may offer.
CHUNKED, EVENTS, COMPLETION = "GET /", "GET /chat/你好", "POST /v1/chat/completions"
REQUESTS = {
    CHUNKED: "",
    EVENTS: "",
    COMPLETION: '{"model":"sim-1","stream":true,"messages":[{"role":"user","content":"你好"}]}',
    "GET /chat/hello?fault=rst@5": "",
}
FIRST_REQUEST = {1: CHUNKED, 2: CHUNKED, 3: CHUNKED, 5: COMPLETION, 6: COMPLETION, 12: COMPLETION}
"""The request that a lesson's panel offers first. In lessons that are not listed, this request is
EVENTS."""

HEAD = '<section id="-live" class="live">\n<h2>Live</h2>\n'

NO_PANEL = HEAD + (
    "<p>Start <code>workshop</code> and read this page at "
    "<code>http://localhost:8000/course/</code>: there it can ask the server.</p>\n</section>\n"
)
"""The text that replaces the panel on a page without a server."""


def panel(lesson: int) -> str:
    """Return the HTML of a lesson's panel.

    Args:
        lesson: Number of the lesson.
    """
    first = FIRST_REQUEST.get(lesson, EVENTS)
    options = "".join(
        f'<option value="{escape(request)}" data-body="{escape(body)}"'
        f"{' selected' if request == first else ''}>{escape(request)}</option>"
        for request, body in REQUESTS.items()
    )
    return (
        f"{HEAD}<p>Send a request to the server of this page, and see each byte as it arrives."
        '</p>\n<noscript><p class="note">This needs JavaScript; the commands above do not.</p>'
        '</noscript>\n<form>\n<label for="-request">Request</label> '
        f'<select id="-request">{options}</select>\n<button>Run</button>\n</form>\n'
        '<p class="status" role="status"></p>\n<section class="pane" hidden></section>\n'
        '<pre class="came" tabindex="0" aria-label="Received" hidden></pre>\n</section>\n'
    )
