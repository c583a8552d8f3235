"""LiteLLM's SDK meets every fault: a script for an environment of its own, because it is heavy.

$ PYTHON_OF_LITELLM tests/interop/litellm_client.py '{"url":"http://localhost:…/v1",…}'
{"version":"1.108.7","outcomes":{"none":{"text":"Hello 你好!","finished":true,"end":""},…}}
"""

import json
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor, wait
from importlib.metadata import version
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else the import asks a server in the Internet


def ask(asked: dict[str, Any], name: str, told: dict[str, Any]) -> None:
    """One answer. What came is in `told`, also while it still comes."""
    litellm: Any = __import__("litellm")
    try:
        for chunk in litellm.completion(
            model="openai/sim-1",
            api_base=asked["url"],
            api_key="none",
            messages=[{"role": "user", "content": "Hi"}],
            stream=True,
            timeout=asked["patience"],
            max_retries=0,
            extra_headers={"X-Fault": name},
        ):
            for choice in chunk.choices:
                told["text"] += choice.delta.content or ""
                told["finished"] |= choice.finish_reason is not None
        told["end"] = ""
    except Exception as error:  # of whatever class: that is the outcome
        told["end"] = type(error).__name__


def main() -> None:
    asked = json.loads(sys.argv[1])
    __import__("litellm")
    told = {name: {"text": "", "finished": False, "end": asked["waits"]} for name in asked["names"]}
    with ThreadPoolExecutor(10) as pool:
        left: set[Future[None]] = {pool.submit(ask, asked, name, told[name]) for name in told}
        while left:
            done, left = wait(left, asked["long"], "FIRST_COMPLETED")
            if not done:  # the others wait for ever
                break
        found = {"version": version("litellm"), "outcomes": told}
        print(json.dumps(found), flush=True)  # the last line: the SDK prints, too
        os._exit(0)


main()
