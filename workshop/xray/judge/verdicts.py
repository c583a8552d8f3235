"""The verdicts: a table of all problems that a stream can have, most harmful first.

    code             signature                    words                          cure, settles
    cut-clean        the response ended, and      The response ended cleanly     …
                     the answer did not           after 9 events, without …
    buffered-whole   all text in one moment,      All 30 tokens came in one      …
                     long after the request       moment, 3.5 s after …

`judge` tries each signature on a `Meter`. A signature also says how sure it is, from 0 to 1. The
rules this file keeps:

1. A verdict over 0.5 is a claim, and a claim must be right: it is better to make no claim than a
   wrong one.
2. A healthy stream has the verdict `live`: alone, or after the remark that its end is not marked
   (`http10`, `until-close`).
3. Without a claim, a suspicion makes the verdict `unsure`, which says what to try next.
4. What one response cannot show is not claimed from one response: `method-gated` and `type-gated`
   need two (probe.py), and the name of the hop needs two ways (compare.py).
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import astuple

from ..meter.measure import Meter
from ..report import Gaps, Report, Verdict
from . import contents, endings, timing
from .sign import Sign

__all__ = ["CODES", "RULES", "Rule", "judge", "report", "verdict_of"]


class Rule(NamedTuple):
    """A line of the table.

    Args:
        code: Name of the verdict.
        signature: The function that finds the problem in the measurements of a Meter, or returns
            None.
        say: One sentence, with the names of facts in braces.
        cure: What to do about the problem.
        settles: The next step that would confirm a suspicion.
    """

    code: str
    signature: Callable[[Meter], Sign | None]
    say: str
    cure: str
    settles: str = (
        "Ask the server itself, without the hops (--compare), and see if it is there too."
    )


RULES = [
    Rule(
        "not-a-stream",
        contents.not_a_stream,
        "This is not a stream: status {status}, {type}.",
        "Read the body: it says what the server or the hop refused. For a success with JSON, ask "
        'for a stream: `"stream": true`.',
    ),
    Rule(
        "framing-error",
        contents.framing_error,
        "{problem}: {error}.",
        "Find the hop or server that writes them. No client can rely on what follows.",
        "Look at the bytes (--hex): other clients may have such limits, too.",
    ),
    Rule(
        "cut-application",
        endings.cut_application,
        "The answer ended with an error event: {error}",
        "The server, or a hop that speaks its API, reports this. Read its log at this time.",
    ),
    Rule(
        "rewritten",
        contents.rewritten,
        "A hop has changed the events: {what}.",
        "Let the hop pass the body through as bytes: switch off what parses events there, such as "
        "usage counting, guardrails or a format conversion.",
    ),
    Rule(
        "retried",
        contents.retried,
        "A part of the answer came twice: {what}.",
        "Forbid the hop to retry after the first byte of a response, and to retry POST at all.",
        "Ask the same again: a model repeats itself at the same place, a hop does not.",
    ),
    Rule(
        "bad-events",
        contents.bad_events,
        "Events are written so that clients misread them: {what}.",
        "Correct what writes these lines: `data: ` before each, LF at the end, one blank line "
        "after each event, and errors as events.",
    ),
    Rule(
        "idle-timeout",
        endings.idle_timeout,
        "The connection was closed after {seconds} s of silence.",
        "Send a heartbeat (a comment line) in half that time, or raise the hop's idle timeout.",
        "Ask again: the same number of seconds means a timeout.",
    ),
    Rule(
        "lifetime-timeout",
        endings.lifetime_timeout,
        "The answer was cut {seconds} s after the request, although text still came.",
        "Raise the hop's or server's limit for a whole response. Heartbeats do not help.",
        "Ask again: the same number of seconds means a timeout.",
    ),
    Rule(
        "cut-clean",
        endings.cut_clean,
        "The response ended cleanly after {events} events, without {missing}: it looks complete.",
        "If the upstream was cut, a hop hid it: use HTTP/1.1 to the upstream "
        "(`proxy_http_version 1.1`), and let the client check how the answer ended.",
    ),
    Rule(
        "cut-transport",
        endings.cut_transport,
        "The connection was {end} {place}, after {events} events.",
        "Read the logs of the server and of each hop at this time: a crash, a restart or a limit.",
    ),
    Rule(
        "finished-not-closed",
        endings.finished_not_closed,
        "The answer is finished, but {missing} did not come for {seconds} s.",
        "Let the server send the last events and end the body. A client may stop at "
        "`finish_reason`.",
    ),
    Rule(
        "stall-behind-heartbeats",
        endings.stall_behind_heartbeats,
        "No text came for {seconds} s, only {heartbeats} heartbeats.",
        "The model or its queue stalls. Limit the time without text in the client: heartbeats "
        "keep every other timeout away.",
    ),
    Rule(
        "deaf",
        endings.deaf,
        "After the head and {events} events nothing came for {seconds} s, not even an end.",
        "Ask again on a new connection. A hop holds the response, or it has lost its upstream and "
        "does not say so: give it a timeout.",
    ),
    Rule(
        "vanished",
        endings.vanished,
        "After {events} events nothing came for {seconds} s: neither text nor an end.",
        "The server stalls, or the network is gone. Use TCP keep-alive and a timeout for silence.",
    ),
    Rule(
        "measured",
        contents.measured,
        "The stream has a {field}: a hop needed the whole body before it sent the head.",
        "Exclude event streams from what computes it: an ETag filter, a cache, a Lambda without "
        "response streaming.",
    ),
    Rule(
        "compressed-unflushed",
        timing.compressed_unflushed,
        "The text is compressed ({coding}) and became readable {how}: nobody flushed it.",
        "Exclude text/event-stream from compression, or flush the compressor after each event. "
        "Test it: `curl -N -H 'Accept-Encoding: identity'`.",
        "Ask again with `Accept-Encoding: identity` (--probe).",
    ),
    Rule(
        "buffered-whole",
        timing.buffered_whole,
        "All {amount} {unit} came in one moment, {seconds} s after the request.",
        "Flush after each event, and turn off response buffering: nginx `proxy_buffering off;`, or "
        "`X-Accel-Buffering: no` from the server.",
    ),
    Rule(
        "buffered-blocks",
        timing.buffered_blocks,
        "The text comes in {blocks} blocks of up to {block} bytes, {at}.",
        "Turn off response buffering, and read with a call that returns what has come "
        "(`read1`, `aiter_raw`), not one that fills a buffer.",
    ),
    Rule(
        "coalesced",
        timing.coalesced,
        "About {events} events come together, every {period_ms} ms.",
        "Flush after each event, and turn off the flush timer: HAProxy `option http-no-delay`, "
        "Caddy `flush_interval -1`.",
    ),
    Rule(
        "one-behind",
        timing.one_behind,
        "Each event becomes readable only when the next one comes.",
        "A hop or reader waits for the line after an event. Let it pass on bytes as they come, "
        "and end an event at its blank line.",
    ),
    Rule(
        "burst-after-stall",
        timing.burst_after_stall,
        "Nothing came for {seconds} s, and then {tokens} tokens at once.",
        "A hop or the network held the stream for a while. Compare the hops at this time.",
    ),
    Rule(
        "head-held",
        timing.head_held,
        "The head came {head_ms} ms after the request, together with the first bytes of the body: "
        "until then, a client cannot tell a slow model from a dead connection.",
        "Send the head at once, with a comment line as the first bytes of the body: it passes most "
        "hops. Some APIs hold the head themselves.",
    ),
    Rule(
        "torn-characters",
        contents.torn_characters,
        "Characters are torn: {what}.",
        "Decode with a decoder that keeps its state (`TextDecoder` with `stream: true`, "
        "`codecs.getincrementaldecoder`), and cut text between characters.",
    ),
    Rule(
        "nagle",
        timing.nagle,
        "{events} events came in two parts, 40 ms apart: a small write waited for an "
        "acknowledgment.",
        "Write each event in one call, and set TCP_NODELAY.",
    ),
    Rule(
        "length-limit",
        endings.length_limit,
        "The answer ended at its limit of tokens (`{finish}`).",
        "Ask for more tokens: `max_tokens`, `max_completion_tokens` or `max_output_tokens`.",
    ),
    Rule(
        "http10",
        contents.http10,
        "The response is HTTP/1.0: a truncated body looks complete.",
        "Use HTTP/1.1 between all hops: nginx `proxy_http_version 1.1;`.",
    ),
    Rule(
        "until-close",
        contents.until_close,
        "The body has no length and no chunks: a truncated body looks complete.",
        "Let the hop or server use the chunked coding.",
    ),
]
"""The rules for all problems, most harmful first."""

FROM_SEVERAL = ("method-gated", "type-gated")
"""Codes that only several responses show (probe.py)."""

CODES = ("live", *(rule.code for rule in RULES), *FROM_SEVERAL, "unsure")
"""All codes."""

LIVE = Rule("live", timing.live, "The answer arrives as it is made.", "")
LIVE_SO_FAR = Rule(
    "live",
    timing.live,
    "Nothing was held for long, but the answer came in {moments} moments: too few to be sure.",
    "Ask for an answer of a hundred tokens or more.",
)

WITHOUT_LENGTH = {"http10", "until-close"}
"""Claims that a live stream can have, too. Then `live` stands after them."""

WITHOUT_TIME = WITHOUT_LENGTH | {"head-held", "length-limit"}
"""Claims that do not say when the text came. A suspicion about the time stands after them."""

NOTHING_SEEN = "This response does not show enough to judge it."
TRY_NEXT = "Ask for an answer of a hundred tokens or more, with streaming on."


def judge(meter: Meter) -> list[Verdict]:
    """Return the problems of a response, most harmful first. There is at least one verdict.

    If the response has not ended yet, the part that has arrived is judged.
    """
    found = [(rule, sign) for rule in RULES if (sign := rule.signature(meter))]
    claims = [_verdict(rule, sign) for rule, sign in found if sign.is_claim]
    suspected = [each for each in found if not each[1].is_claim]
    codes = {claim.code for claim in claims}
    if claims and not codes <= WITHOUT_TIME:
        return claims
    if suspected:
        rule, sign = suspected[0]
        say = f"Perhaps this is {rule.code}. {_words(rule, sign)}"
        unsure = _unsure(say, rule.settles)
        return [*claims, unsure, *(_verdict(*each) for each in suspected)]
    if claims and not codes <= WITHOUT_LENGTH:
        return claims
    sign = timing.live(meter)
    if sign is None:
        return claims or [_unsure(NOTHING_SEEN, TRY_NEXT)]
    return [*claims, _verdict(LIVE if sign.is_claim else LIVE_SO_FAR, sign)]


def verdict_of(code: str, sure: float, **facts: float | int | str) -> Verdict:
    """Return the verdict of a code with these facts, for a cause that no single answer shows."""
    rule = next(rule for rule in RULES if rule.code == code)
    return _verdict(rule, Sign(sure, **facts))


def _verdict(rule: Rule, sign: Sign) -> Verdict:
    say = _words(rule, sign)
    return Verdict(code=rule.code, sure=sign.sure, say=say, cure=rule.cure, facts=sign.facts)


ONE = re.compile(r"(?<![\d.])1 (event|token|line|chunk|border|heartbeat|byte)s\b")


def _words(rule: Rule, sign: Sign) -> str:
    """Return the sentence of a rule with these facts filled in, with the right plural ("1 event",
    "2 events")."""
    return ONE.sub(r"1 \1", rule.say.format(**sign.facts))


def _unsure(say: str, next_step: str) -> Verdict:
    return Verdict(code="unsure", sure=0.5, say=say, cure=next_step)


def report(meter: Meter) -> Report:
    """Return the complete report on a response."""
    gaps = meter.gaps
    return Report(
        url=meter.url,
        status=meter.status,
        verdicts=judge(meter),
        counts=meter.counts,
        ttft_ms=_rounded(meter.ttft_ms if meter.ttft_ms is not None else meter.body_ms),
        head_ms=_rounded(meter.head_ms),
        gaps_ms=gaps and Gaps(*(round(gap, 3) for gap in astuple(gaps))),
        wire_bytes=meter.wire_bytes,
        text_bytes=meter.text_bytes,
        end=meter.end,
        end_ms=_rounded(meter.end_ms),
        quiet_ms=round(meter.quiet_ms, 3),
    )


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 3)


# What this file does not do: measure (measure.py), ask again (probe.py), or name the hop
# (compare.py).
