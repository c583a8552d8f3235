"""The line protocol of the adapters in Python.

    <- {"id": "sse-1", "bytes": "ZGF0YTogYQoK", "splits": [3]}      a line of standard input
    -> {"id": "sse-1", "events": [{"data": "a"}]}                   the answer of the adapter

The file of each adapter calls `answer_lines` with a function that reads one vector.
"""

import json
import sys
from base64 import b64decode
from collections.abc import Callable
from itertools import pairwise
from typing import Any

__all__ = ["answer_lines", "pieces_of"]


def answer_lines(read: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Call `read` with each vector. Print what it returns."""
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps({"id": asked["id"], **read(asked)}), flush=True)


def pieces_of(asked: dict[str, Any]) -> list[bytes]:
    """The bytes of a vector, cut at its `splits`."""
    data = b64decode(asked["bytes"])
    return [data[start:end] for start, end in pairwise([0, *asked["splits"], len(data)])]
