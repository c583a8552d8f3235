"""`workshop xray`, stopped by Ctrl-C or by `--max-time`: what has come is judged."""

import json
import signal
from typing import Any

import pytest
import trio

from .running import URL, xray


async def test_ctrl_c_judges_what_came(autojump_clock: object) -> None:
    async with trio.open_nursery() as nursery:

        async def press() -> None:
            await trio.sleep(1)
            signal.raise_signal(signal.SIGINT)

        nursery.start_soon(press)
        code, shown = await xray(URL, "--json")
    assert code == 130
    report = json.loads(shown)
    assert 5 < report["counts"]["tokens"] < 15
    assert report["verdicts"][0]["code"] == "live"


async def test_max_time_is_told(autojump_clock: object) -> None:
    code, shown = await xray(URL, "--json", "--max-time", "1")
    said = json.loads(shown)
    assert (code, said["end"], said["end_ms"]) == (0, "stopped", None)
    _, shown = await xray(URL, "--summary", "--max-time", "1")
    assert ", then x-ray stopped reading (--max-time or Ctrl-C)\n" in shown


async def test_ctrl_c_keeps_the_answers_that_are_finished(
    autojump_clock: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each takes 2.5 s. The one that is interrupted counts for nothing."""

    async def interrupted(seconds: float, *arguments: str) -> tuple[int, dict[str, Any]]:
        async with trio.open_nursery() as nursery:

            async def press() -> None:
                await trio.sleep(seconds)
                signal.raise_signal(signal.SIGINT)

            nursery.start_soon(press)
            code, shown = await xray(*arguments, "--json")
        return code, json.loads(shown)

    code, said = await interrupted(8, "--compare", f"a={URL}", f"b={URL}")
    assert (code, [len(way["reports"]) for way in said["ways"]]) == (130, [2, 1])
    assert said["verdicts"][0]["code"] == "live"
    assert capsys.readouterr().err == "x-ray: stopped after 3 of 6 requests\n"
    code, said = await interrupted(6, URL, "--probe", "--yes")
    assert (code, said["verdicts"][0]["code"]) == (130, "live")
    assert capsys.readouterr().err.endswith("x-ray: stopped after 2 of 4 requests\n")


async def test_ctrl_c_in_a_comparison(autojump_clock: object) -> None:
    async with trio.open_nursery() as nursery:

        async def press() -> None:
            await trio.sleep(1)
            signal.raise_signal(signal.SIGINT)

        nursery.start_soon(press)
        assert await xray("--compare", f"a={URL}", f"b={URL}") == (130, "")
