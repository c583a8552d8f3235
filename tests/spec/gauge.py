"""How many streams a server runs, if it says so: a gauge of its /metrics, in Prometheus' format.

    workshop_active_streams 1.0          ours
    vllm:num_requests_running 1.0        vLLM

The gauge is found by its behaviour: of the metrics with such a name, it is one that rises when a
stream begins.
"""

import re

from .target import Target

__all__ = ["read_gauges", "risen"]

NAME = re.compile(
    r"^([\w:]*(?:running|active|in_?flight|in_?progress|open_streams|streams)[\w:]*(?:\{[^}]*\})?)"
    r" ([0-9.eE+-]+)\s*$",
    re.MULTILINE,
)


async def read_gauges(target: Target) -> dict[str, float]:
    """The gauges that may count streams; {} if the server has no /metrics."""
    request = (
        f"GET /metrics HTTP/1.1\r\nHost: {target.parts.authority}\r\nConnection: close\r\n\r\n"
    )
    answer = await target.ask(request.encode(), seconds=5)
    if answer.status != 200:
        return {}
    text = answer.body.decode("utf-8", "replace")
    found = {name: float(value) for name, value in NAME.findall(text)}
    return {name: value for name, value in found.items() if "_total" not in name}


def risen(before: dict[str, float], after: dict[str, float]) -> list[str]:
    """The gauges that have risen."""
    return [name for name, value in after.items() if value > before.get(name, value)]
