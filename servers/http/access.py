"""Who may use an API: those with a key, and pages from other sites (CORS).

    OPTIONS /v1/chat/completions HTTP/1.1        a browser asks first, without the key: a preflight
    Origin: https://app.example
    Access-Control-Request-Method: POST
    Access-Control-Request-Headers: authorization,content-type

    POST /v1/chat/completions HTTP/1.1           allowed, it sends what the page wanted to send
    Origin: https://app.example
    Authorization: Bearer sk-…

    HTTP/1.1 200 OK                              and shows the page what comes, for this says so
    Access-Control-Allow-Origin: https://app.example

The rules this file keeps:

1. A key is in no message, no log and no repr: only its digest is kept.
2. How long a refusal takes tells nothing about the keys.
3. A preflight is answered before any key is asked for: it never carries one.
4. Every reply of a guarded route has the CORS fields, an error and a stream's head too: without
   them a page learns only that "the network failed".
5. Never `Access-Control-Allow-Credentials`: a page shows its key, not a cookie of its user.
6. Where a request alone does harm, for it spends money, CORS is no protection: a browser sends a
   simple POST of any page, an image's GET too, and only hides the reply; and the browser treats a
   name that was rebound to 127.0.0.1 as the same origin. There, `hosts` lists the only names
   (Host), and `origins` the only pages (Origin, Sec-Fetch-Site), for which anything is done.
"""

import hmac
import logging
import os
import re
import stat
from collections.abc import Mapping, Sequence
from copy import copy
from hashlib import sha256
from pathlib import Path

from protocol.openai.common import ErrorBody

from .api_replies import error_reply
from .reply import Handler, Headers, Reply, Request, StreamingReply

__all__ = ["Access", "key_of_environment", "read_keys"]

log = logging.getLogger("servers")

KEY = re.compile(r"[\x21-\x7e]+")

# credentials = "Bearer" 1*SP b64token (RFC 6750 §2.1; a scheme in any case, RFC 9110 §11.1)
CREDENTIALS = re.compile(r"bearer +([\x21-\x7e]+)", re.IGNORECASE)

# As a browser writes it (HTML, "ASCII serialization of an origin"): lower case, an IDN as
# Punycode, no default port. "null" is that of a file or a sandboxed frame: of anybody's.
ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]+)?")
DEFAULT_PORT = re.compile(r"http://.*:80|https://.*:443")

# What Sec-Fetch-Site says of a request of a server's own page, or of one that a person has typed
# (Fetch Metadata, §2.2). The others are "cross-site" and "same-site": the latter is another port of
# localhost, so anybody's page. Programs such as curl and the SDKs send no such field.
FROM_NO_OTHER_PAGE = ("same-origin", "none")

# What a page may send beyond the fields that every page may. A wildcard would not cover
# `Authorization`. The SDKs for JavaScript add many x-stainless-… of their own.
SENT = (
    "authorization",
    "content-type",
    "user-agent",  # Firefox sends the one that an SDK sets
    "openai-organization",
    "openai-project",
    "x-client-request-id",
    "x-fault",
    "x-pace",
)
SENT_BY_SDK = re.compile(r"x-stainless-[a-z0-9-]{1,64}")
MAX_SENT_BY_SDK = 32

# What a page may read beyond the fields that every page may.
EXPOSED = (
    "x-request-id, retry-after, retry-after-ms, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"
)

PREFLIGHT_SECONDS = 600  # a browser asks again after so long: a change of the list is soon obeyed


class Access:
    """Guards the routes of an API.

    Args:
        keys: any of them opens every route. None: no key is asked for.
        origins: whose pages may call, each as `https://host` or `http://host:port`; "*" for all
            pages; "null" for files and sandboxed frames. None: no CORS field is ever sent.
        hosts: by what names the server may be called, as protocol/target.py normalizes them. None:
            by any. With names, nothing is done for a page that is not of `origins`: see rule 6.

    Raises:
        ValueError: not an origin.
    """

    def __init__(
        self, keys: Sequence[str] = (), origins: Sequence[str] = (), hosts: Sequence[str] = ()
    ) -> None:
        for origin in origins:
            if not ORIGIN.fullmatch(origin) or DEFAULT_PORT.fullmatch(origin):
                raise ValueError(
                    f"not an origin: {origin!r}. Write it as browsers do: https://app.example or "
                    "http://localhost:3000, in lower case, no path, no slash at the end, no "
                    "default port; or * for every page"
                )
        self._digests = [_digest(key) for key in keys]
        self._origins = frozenset(origins)
        self._hosts = frozenset(hosts)

    def guard(self, table: Mapping[str, Handler]) -> dict[str, Handler]:
        """The same routes, guarded; with origins, a preflight for each path as well.

        Args:
            table: as for `Routes`.
        """
        guarded = {key: self._guarded(handler) for key, handler in table.items()}
        methods: dict[str, list[str]] = {}
        for key in table if self._origins else ():
            method, path = key.split(" ")
            methods.setdefault(path, []).append(method)
        return guarded | {f"OPTIONS {path}": self._preflight(methods[path]) for path in methods}

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Reply | StreamingReply:
            # A copy, for a handler may give everybody the same reply.
            reply = copy(self._refusal(request) or await handler(request))
            exposed = (("Access-Control-Expose-Headers", EXPOSED),)
            reply.headers += self._allowed_origin(request, exposed)
            return reply

        return guarded

    def _refusal(self, request: Request) -> Reply | None:
        if self._hosts:
            if request.host not in self._hosts:
                message = f"This server is not called {request.host[:80]!r}."
                return _forbidden("host_not_allowed", message)
            origin = request.header("origin")
            if not self._origins & {origin, "*"}:
                if origin is not None:
                    message = f"Pages of {origin[:80]!r} may not use this server: see --cors."
                    return _forbidden("origin_not_allowed", message)
                # An image or a script of any page: a browser names no origin for a GET without
                # CORS, but says whether it is of another one.
                if request.header("sec-fetch-site") not in (None, *FROM_NO_OTHER_PAGE):
                    message = "Pages may not embed this server: they may only fetch(), see --cors."
                    return _forbidden("origin_not_allowed", message)
        return None if self.admits(request) else _unauthorized(request)

    def admits(self, request: Request) -> bool:
        """Whether it has one of the keys, or needs none."""
        if not self._digests:
            return True
        sent = [value for name, value in request.headers if name == "authorization"]
        credentials = CREDENTIALS.fullmatch(sent[0]) if len(sent) == 1 else None
        if credentials is None:
            return False
        given = _digest(credentials[1])
        admitted = False
        for digest in self._digests:  # all of them, whichever it is
            admitted |= hmac.compare_digest(digest, given)
        return admitted

    def _preflight(self, methods: Sequence[str]) -> Handler:
        allowed = ", ".join(methods)

        async def preflight(request: Request) -> Reply:
            asked = request.header("access-control-request-headers") or ""
            names = [name.strip() for name in asked.lower().split(",")]
            by_sdk = [name for name in names if SENT_BY_SDK.fullmatch(name)][:MAX_SENT_BY_SDK]
            permission = (
                ("Access-Control-Allow-Methods", allowed),
                ("Access-Control-Allow-Headers", ", ".join([*SENT, *by_sdk])),
                ("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)),
            )
            return Reply(status=204, headers=self._allowed_origin(request, permission))

        return preflight

    def _allowed_origin(self, request: Request, permission: Headers) -> Headers:
        """Who may read the reply, and, if this request's page may, what else it may.

        Source: Fetch standard, "HTTP responses" of the CORS protocol.
        """
        if not self._origins:
            return ()
        if "*" in self._origins:
            return (("Access-Control-Allow-Origin", "*"), *permission)
        # Also where nothing is allowed: or a cache would give one page the reply of another.
        vary = ("Vary", "Origin")
        origin = request.header("origin")
        if origin not in self._origins:
            return (vary,)
        return (vary, ("Access-Control-Allow-Origin", origin), *permission)


def read_keys(path: str | Path) -> list[str]:
    """The keys in a file: one a line; empty lines and lines that begin with "#" are skipped.

    A file that everybody may read is warned about and not refused: the secrets of a container
    are mounted so.

    Raises:
        ValueError: there is no key in it, or a line that is none.
        OSError: it cannot be read.
    """
    path = Path(path)
    # Bytes that are no text become a line that is no key: the decoder's own error would show them.
    lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    keys = []
    for number, line in enumerate(lines, 1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        if not KEY.fullmatch(key):
            raise ValueError(
                f"line {number} of {path} is not a key: letters, digits and signs of ASCII, "
                "without a space; a comment has a line of its own"
            )
        keys.append(key)
    if not keys:
        raise ValueError(f"there is no key in {path}: write one to a line")
    if os.name == "posix" and path.stat().st_mode & stat.S_IROTH:
        log.warning("every user of this machine can read the keys: chmod o-r %s", path)
    return keys


def key_of_environment(name: str = "OPENAI_API_KEY") -> str:
    """The key in a variable of the environment, or "".

    Raises:
        ValueError: what is there can be no key. It is not shown, for it may be one with a slip.
    """
    key = os.environ.get(name, "").strip()
    if key and not KEY.fullmatch(key):
        raise ValueError(f"{name} is not a key: letters, digits and signs of ASCII, no space")
    return key


def _digest(key: str) -> bytes:
    # Digests are of one length, so that comparing them takes one time.
    return sha256(key.encode()).digest()


def _forbidden(code: str, message: str) -> Reply:
    return error_reply(403, ErrorBody(message, "invalid_request_error", None, code))


def _unauthorized(request: Request) -> Reply:
    if request.header("authorization") is None:
        message = "This server asks for a key. Send the header: Authorization: Bearer KEY"
    else:
        message = "The key in the Authorization header is not one of this server's."
    error = ErrorBody(message, "invalid_request_error", None, "invalid_api_key")
    # Bearer alone is no challenge: an auth-param must follow (RFC 6750 §3).
    challenge = ("WWW-Authenticate", 'Bearer realm="api"')
    return error_reply(401, error, (challenge,))


# What this file does not do: add CORS fields to replies that the connection writes (404, 405, 413,
# 500); or know the pages of a browser that sends no Sec-Fetch-Site. Browsers send it to https and
# to this machine only: a server that is called over plain http by another name needs a key.
