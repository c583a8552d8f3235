"""Further clients that meet every fault: two under Node, LangChain, httpx-sse, and LiteLLM.

What is missing on this machine has no column: LangChain and httpx-sse are in the extra `clients`,
and Node's packages are those of `.ci/machine`. LiteLLM is in none of them: its SDK and the 60
packages that it brings take 380 MB, and its import five seconds of processor time. It is measured
by hand, if its program `litellm` is on the PATH.
"""

import json
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

from .fault_clients import TEXT, WAITS, Outcomes, Seen, long
from .peers import ROOT, SAFETY

__all__ = [
    "has",
    "node_versions",
    "with_httpx_sse",
    "with_langchain",
    "with_litellm",
    "with_node",
]

NODE_PACKAGES = ("openai", "ai", "@ai-sdk/openai-compatible")


def has(*modules: str) -> str:
    """The version of the first module's package, or "" if one of them is missing."""
    found = all(find_spec(module) for module in modules)
    return version(modules[0].replace("_", "-")) if found else ""


def node_versions() -> tuple[str, str]:
    """The versions of openai and ai for Node, or "" if Node or a package is missing."""
    files = [ROOT / "node_modules" / name / "package.json" for name in NODE_PACKAGES]
    if not which("node") or not all(file.is_file() for file in files):
        return "", ""
    openai, ai = (json.loads(file.read_bytes())["version"] for file in files[:2])
    return openai, ai


def with_node(port: int, names: Sequence[str], patience: float) -> tuple[Outcomes, Outcomes]:
    """The official client for Node, and the SDK of Vercel: their outcomes, without counts."""
    times = {"patience": patience * 1000, "long": 3 * long(patience) * 1000}
    asked = _asked(port, names, patience) | times
    command = ["node", str(ROOT / "tests/interop/fault_clients.mjs"), json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, timeout=SAFETY, cwd=ROOT, check=True)
    told = json.loads(done.stdout)
    return _column(told["openai"]), _column(told["ai"])


def with_litellm(port: int, names: Sequence[str], patience: float) -> tuple[Outcomes, str]:
    """`litellm.completion`, in the environment of that program. Returns its version, too. Both are
    empty if it is missing."""
    program = which("litellm")
    if program is None:
        return dict.fromkeys(names, ""), ""
    python = Path(program).resolve().parent / "python"
    script = ROOT / "tests/interop/litellm_client.py"
    command = [str(python), str(script), json.dumps(_asked(port, names, patience))]
    done = subprocess.run(command, capture_output=True, timeout=SAFETY, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return _column(told["outcomes"]), told["version"]


def _asked(port: int, names: Sequence[str], patience: float) -> dict[str, Any]:
    """What a program of its own is told: times in seconds."""
    url = f"http://localhost:{port}/v1"
    times = {"patience": patience, "long": long(patience)}
    return {"url": url, "names": names, "waits": WAITS, **times}


def _column(told: dict[str, Any]) -> Outcomes:
    return {
        name: _outcome(Seen(text=seen["text"], finished=seen["finished"]), seen["end"])
        for name, seen in told.items()
    }


@cache
def _langchain(port: int, patience: float) -> Any:
    """One client for all faults: to make one takes a tenth of a second."""
    return import_module("langchain_openai").ChatOpenAI(
        base_url=f"http://localhost:{port}/v1",
        api_key="none",
        model="sim-1",
        max_retries=0,
        timeout=patience,
    )


def with_langchain(port: int, name: str, seen: Seen, patience: float) -> str:
    """`ChatOpenAI.stream`."""
    try:
        for chunk in _langchain(port, patience).stream("Hi", extra_headers={"X-Fault": name}):
            seen.text += str(chunk.content)
            seen.finished |= bool(chunk.response_metadata.get("finish_reason"))
    except Exception as error:  # of whatever class: that is the outcome
        return type(error).__name__
    return _outcome(seen, "")


def with_httpx_sse(port: int, name: str, seen: Seen, patience: float) -> str:
    """httpx-sse, and a program that reads JSON, looks for `error`, and stops at [DONE]."""
    import httpx
    from httpx_sse import connect_sse

    url = f"http://localhost:{port}/answer"
    try:
        with (
            httpx.Client(timeout=patience) as client,
            connect_sse(client, "GET", url, headers={"X-Fault": name}) as source,
        ):
            if source.response.status_code != 200:
                return f"status {source.response.status_code}"
            for event in source.iter_sse():
                if event.data == "[DONE]":
                    break
                chunk = json.loads(event.data)
                if chunk.get("error"):
                    return "an error event"
                seen.add(chunk)
    except Exception as error:  # of whatever class: that is the outcome
        return type(error).__name__
    return _outcome(seen, "")


def _outcome(seen: Seen, end: str) -> str:
    """How it ended, in words."""
    if end:
        return end
    if not seen.finished or len(seen.text) < len(TEXT):
        return "**silent loss**"
    return "all" if seen.text == TEXT else "**wrong text**"
