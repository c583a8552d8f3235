"""The pytest plugin, as another project uses it: in a folder of its own, in processes of its own.

The suite below knows nothing of this project but its fixtures. It runs under xdist, with all of its
tests at the same time, and each test must see only what it asked itself.
"""

import os
import re
import resource
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from workshop.simulated import SimulatedLLM

from ..conftest import ROOT
from ..test_laws import project_imports

SUITE = '''
import asyncio
import json
import urllib.error
import urllib.request

import pytest


def post(url, prompt):
    body = {"model": "mine", "messages": [{"role": "user", "content": prompt}]}
    request = urllib.request.Request(url + "/chat/completions", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["choices"][0]["message"]["content"]


@pytest.mark.parametrize("number", range(20))
def test_sync(simulated_llm, simulated_llm_url, number):
    assert simulated_llm.requests == []
    simulated_llm.script(f"answer {number}")
    assert post(simulated_llm_url, f"question {number}") == f"answer {number}"
    (request,) = simulated_llm.requests
    assert request.json["messages"][0]["content"] == f"question {number}"
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    simulated_llm.assert_resilient()


@pytest.mark.parametrize("number", range(10))
def test_async(simulated_llm, number):
    """Nothing of the fixture blocks an event loop for long."""

    async def ask():
        simulated_llm.script(f"answer {number}")
        simulated_llm.pace("instant")
        answer = await asyncio.to_thread(post, simulated_llm.base_url, "async")
        assert answer == f"answer {number}"
        assert simulated_llm.verdict().verdict == "unseen"
        assert len(simulated_llm.requests) == 1

    asyncio.run(ask())


@pytest.mark.parametrize("number", range(10))
def test_a_fault(simulated_llm, number):
    simulated_llm.fault("401" if number % 2 else "503*1")
    with pytest.raises(urllib.error.HTTPError):
        post(simulated_llm.base_url, "the same question in all tests")
    codes = [finding.code for finding in simulated_llm.verdict().findings]
    assert codes == ([] if number % 2 else ["gave-up-on-retryable"])
'''

# This environment may have been installed before the entry point was written.
LOADED = any(point.value == "workshop.pytest_plugin" for point in entry_points(group="pytest11"))
PLUGIN = () if LOADED else ("-p", "workshop.pytest_plugin")


def run_suite(folder: Path, text: str, *flags: str) -> tuple[int, str]:
    (folder / "test_client.py").write_text(text)
    # Only the plugins that such a project has: those of this environment take seconds to load.
    named = ("trio", "anyio", "hypothesispytest", "pytest_cov", "langsmith_plugin")
    without = [flag for name in named for flag in ("-p", f"no:{name}")]
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *without, *PLUGIN, *flags],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_suite_of_another_project_runs_in_parallel(tmp_path: Path) -> None:
    """It takes less than 10 seconds of processor time, in both workers together."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, output = run_suite(tmp_path, SUITE, "-n", "2", "--strict-config", "--strict-markers")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert code == 0, output
    assert "40 passed" in output
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10


def test_it_does_nothing_until_a_test_asks_for_it(tmp_path: Path) -> None:
    """It imports nothing of this project but itself, also where warnings are errors."""
    code, output = run_suite(
        tmp_path,
        "import sys\n\n\ndef test_it():\n"
        "    ours = {'protocol', 'servers', 'clients', 'trio', 'msgspec', 'h11'}\n"
        "    assert not ours & set(sys.modules)\n"
        "    assert not any(name.startswith('workshop.sim') for name in sys.modules)\n",
    )
    assert code == 0, output


def test_only_the_plugin_imports_pytest() -> None:
    """So the programs need nothing but the dependencies of the runtime."""
    importing = {
        module
        for module, imported, _ in project_imports(ROOT)
        if imported.split(".")[0] == "pytest" and not module.startswith("tests")
    }
    assert "workshop.pytest_plugin" in importing
    assert not {module for module in importing if module.startswith(("servers", "workshop.sim"))}
    assert "workshop.verdict" not in importing


def test_a_finding_fails_the_test(tmp_path: Path) -> None:
    """The report says what was seen, the rule, and the cure."""
    code, output = run_suite(
        tmp_path,
        SUITE.partition("@pytest")[0] + "def test_it(simulated_llm):\n"
        "    simulated_llm.fault('503*1')\n"
        "    with pytest.raises(urllib.error.HTTPError):\n"
        "        post(simulated_llm.base_url, 'Hi')\n"
        "    simulated_llm.assert_resilient()\n",
    )
    assert code == 1
    assert "warn: gave-up-on-retryable  (503*1)" in output
    assert "seen: It did not ask again after a 503." in output
    assert "cure: Retry at least once, after the wait that the server asks for." in output


CLIENT = """
import http.client
import json
from urllib.parse import urlsplit

import pytest


class IncompleteAnswer(Exception):
    pass


def ask(prompt, base_url):
    url = urlsplit(base_url)
    body = {"model": "x", "messages": [{"role": "user", "content": prompt}], "stream": True}
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    try:
        connection.request("POST", url.path + "/chat/completions", json.dumps(body))
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        raise IncompleteAnswer from error
    finally:
        connection.close()


"""


def test_the_example_of_the_pages(tmp_path: Path) -> None:
    """It stands in two places, and it passes, with a client as it supposes."""
    pages = [(ROOT / name).read_text() for name in ("README.md", "servers/VERDICT.md")]
    found = [re.search(r"^def test_a_reset.*?(?=^```)", page, re.M | re.S) for page in pages]
    readme, verdict = (match[0] for match in found if match)
    assert readme == verdict
    code, output = run_suite(tmp_path, CLIENT + readme)
    assert code == 0, output


# ---- The object, in this process


def test_choices_are_checked() -> None:
    with SimulatedLLM() as llm:
        with pytest.raises(ValueError, match=r"no such fault: 'rts'\. Did you mean 'rst'\?"):
            llm.fault("rts")
        with pytest.raises(ValueError, match="no such pace: 'quick'"):
            llm.pace("quick")
        with pytest.raises(ValueError, match="unknown field `txt`"):
            llm.script({"txt": "Hi"})
        with pytest.raises(ValueError, match='`outcome` is "complete", "error" or "cancelled"'):
            llm.saw("done")
        with pytest.raises(LookupError, match="nothing has been asked yet"):
            llm.saw("complete")
