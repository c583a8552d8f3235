"""Fixtures for pytest: a simulated LLM for the tests of a client.

    def test_a_reset_is_reported(simulated_llm):
        simulated_llm.fault("rst@5")
        with pytest.raises(IncompleteAnswer):
            ask("Hi", base_url=simulated_llm.base_url)
        simulated_llm.assert_resilient()

pytest finds this module by its entry point, in every environment in which this project is
installed. So it does nothing until a test asks for a fixture: it imports only pytest, adds no
option, no marker and no warning.

`simulated_llm` is a `SimulatedLLM` (simulated.py): a real server in a thread of its own. It is
started once in each process, when the first test needs it, so each worker of xdist has one. Before
and after each test it is reset, and a test never sees the requests of another one.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .simulated import SimulatedLLM

__all__ = ["simulated_llm", "simulated_llm_url"]


@pytest.fixture(scope="session")
def _simulated_llm_server() -> "Iterator[SimulatedLLM]":
    from .simulated import SimulatedLLM  # it imports the server: only if a test needs it

    with SimulatedLLM() as llm:
        yield llm


@pytest.fixture
def simulated_llm(_simulated_llm_server: "SimulatedLLM") -> "Iterator[SimulatedLLM]":
    """A simulated LLM: base_url, script, fault, pace, requests, verdict, assert_resilient."""
    _simulated_llm_server.reset()
    yield _simulated_llm_server
    _simulated_llm_server.reset()


@pytest.fixture
def simulated_llm_url(simulated_llm: "SimulatedLLM") -> str:
    """The URL of the simulated LLM, for OPENAI_BASE_URL."""
    return simulated_llm.base_url
