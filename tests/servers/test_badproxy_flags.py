"""The flags of the bad proxy: the values that `--mode` and `--to` accept, and their errors."""

import argparse
import math

import pytest

from servers import badproxy
from servers.badproxy import Modes, modes


def test_modes() -> None:
    assert modes("none") == Modes()
    assert modes("gzip,rechunk=512,idle=1.5") == Modes(
        "gzip,rechunk=512,idle=1.5", gather=512, gzip=True, sync=True, idle=1.5
    )
    text = "http10,strip-accel,strip-no-transform,split-utf8,truncate=0,gzip-nosync"
    assert modes(text) == Modes(text, 0, True, False, math.inf, True, True, True, True, 0)


@pytest.mark.parametrize(
    ("text", "told"),
    {
        "": "not a mode: ''",
        "gzp": "not a mode: 'gzp'; the modes are none, buffer, rechunk=N, gzip, ",
        "rechunk": "not a mode: 'rechunk'",
        "buffer=3": "not a mode: 'buffer=3'",
        "rechunk=0": "not a number of bytes (1 to 16777216): 0",
        "idle=٣": "not a mode: 'idle=٣'",
        "idle=1\n": "not a mode",
        "truncate=-1": "not a number of bytes (0 to 16777216): -1",
        "truncate=99999999": "not a number of bytes",
        "idle=soon": "not a number of seconds (0 to 3600): soon",
        "buffer,rechunk=3": "rechunk=3 contradicts an earlier mode",
        "gzip,gzip-nosync": "gzip-nosync contradicts an earlier mode",
    }.items(),
)
def test_bad_modes(text: str, told: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as error:
        modes(text)
    assert told in str(error.value)


def test_bad_url(capsys: pytest.CaptureFixture[str]) -> None:
    """test_programs.py has all kinds of bad URLs."""
    with pytest.raises(SystemExit):
        badproxy.main(["--to", "ftp://a"])
    assert "not a base URL such as http://localhost:8000" in capsys.readouterr().err
