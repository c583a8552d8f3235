"""Error statuses in place of an answer, with the messages of the OpenAI API.

    HTTP/1.1 429 Too Many Requests
    Retry-After: 1                          seconds
    retry-after-ms: 1000                    not in any RFC; OpenAI's clients read it first
    x-ratelimit-remaining-requests: 0

    {"error":{"message":"Rate limit reached…","type":"requests","param":null,
              "code":"rate_limit_exceeded"}}

OpenAI's clients retry 408, 409, 429 and all statuses from 500 on. For the other statuses they show
`message`.
"""

import re
from http import HTTPStatus

from protocol.openai.common import ErrorBody

from ...http.api_replies import error_reply
from ...http.reply import Reply
from .catalogue import AnyReply, FaultSpec

__all__ = ["STATUSES"]

RETRY_AFTER = (("Retry-After", "1"), ("retry-after-ms", "1000"))
RATE_LIMITS = (
    ("x-ratelimit-limit-requests", "60"),
    ("x-ratelimit-limit-tokens", "150000"),
    ("x-ratelimit-remaining-requests", "0"),
    ("x-ratelimit-remaining-tokens", "149984"),
    ("x-ratelimit-reset-requests", "1s"),
    ("x-ratelimit-reset-tokens", "6ms"),
)
HEADERS = {429: RETRY_AFTER + RATE_LIMITS, 503: RETRY_AFTER}

ERRORS = {
    400: ErrorBody(
        "This model's maximum context length is 8192 tokens. Please shorten the messages.",
        "invalid_request_error",
        "messages",
        "context_length_exceeded",
    ),
    401: ErrorBody("Incorrect API key provided.", "invalid_request_error", None, "invalid_api_key"),
    403: ErrorBody(
        "Country, region, or territory not supported.",
        "request_forbidden",
        None,
        "unsupported_country_region_territory",
    ),
    404: ErrorBody(
        "The model does not exist or you do not have access to it.",
        "invalid_request_error",
        None,
        "model_not_found",
    ),
    408: ErrorBody("The request timed out.", "server_error", None, "request_timeout"),
    409: ErrorBody("Another request is changing the same thing.", "invalid_request_error"),
    413: ErrorBody("The request is too large.", "invalid_request_error"),
    422: ErrorBody("The request could not be processed.", "invalid_request_error"),
    429: ErrorBody("Rate limit reached for requests.", "requests", None, "rate_limit_exceeded"),
    500: ErrorBody("The server had an error while processing your request.", "server_error"),
    502: ErrorBody("The server got no valid answer from the model.", "server_error"),
    503: ErrorBody("The engine is currently overloaded, please try again later.", "server_error"),
    504: ErrorBody("The model did not answer in time.", "server_error"),
}


def _fault(status: int) -> FaultSpec:
    more = HEADERS.get(status, ())

    def apply(reply: AnyReply, position: object) -> Reply:
        return error_reply(status, ERRORS[status], reply.headers + more)

    description = f"{HTTPStatus(status).phrase}, as an error in JSON"
    if more:
        names = dict.fromkeys(PART.sub("*", name) for name, _ in more)
        description += f", with {', '.join(names)}"
    return FaultSpec(apply, replaces=True, description=f"{description}.")


PART = re.compile("(?<=^x-ratelimit-).*")

STATUSES = {str(status): _fault(status) for status in ERRORS}
"""The catalogue of status faults, by status code."""
