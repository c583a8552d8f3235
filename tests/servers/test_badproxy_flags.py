"""The flags of the bad proxy: the values that `--mode` and `--to` accept, and their errors."""

import argparse
import math

import pytest

from servers.badproxy import Modes, modes
from servers.badproxy.__main__ import main


def test_modes() -> None:
    assert modes("none") == Modes()
    assert modes("gzip,rechunk=512,idle=1.5") == Modes(
        "gzip,rechunk=512,idle=1.5", gather=512, gzip=True, sync=True, idle=1.5
    )
    text = "http10,strip-accel,strip-no-transform,split-utf8,truncate=0,gzip-nosync"
    assert modes(text) == Modes(text, 0, True, False, math.inf, True, True, True, True, 0)
    text = "coalesce=50,lag=1,hold-head,only-type=Text/Event-Stream,only-method=post,total=30"
    assert modes(text) == Modes(
        text,
        coalesce=0.05,
        lag=1,
        hold_head=True,
        only_type="text/event-stream",
        only_method="POST",
        total=30,
    )
    text = "measure,rewrite,replay=3,deaf=2.5"
    assert modes(text) == Modes(text, measure=True, rewrite=True, replay=3, quiet=2.5)
    assert modes("blackhole=0") == Modes("blackhole=0", quiet=0, vanishes=True)


@pytest.mark.parametrize(
    ("text", "told"),
    {
        "": "not a mode: ''",
        "gzp": "not a mode: 'gzp'; the modes are none, buffer, rechunk=N, coalesce=MS, ",
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
        "deaf=1,blackhole=2": "blackhole=2 contradicts an earlier mode",
        "lag=0": "not a number of events (1 to 1000): 0",
        "replay=1001": "not a number of events (1 to 1000): 1001",
        "coalesce=0": "not a number of milliseconds (1 to 60000): 0",
        "coalesce=1.5": "not a number of milliseconds (1 to 60000): 1.5",
        "only-type=json": "not a mode: 'only-type=json'",
        "only-type": "not a mode: 'only-type'",
        "only-method=P OST": "not a mode: 'only-method=P OST'",
        "only-method=": "not a mode: 'only-method='",
        "measure=1": "not a mode: 'measure=1'",
    }.items(),
)
def test_bad_modes(text: str, told: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as error:
        modes(text)
    assert told in str(error.value)


def test_bad_url(capsys: pytest.CaptureFixture[str]) -> None:
    """test_programs.py has all kinds of bad URLs."""
    with pytest.raises(SystemExit):
        main(["--to", "ftp://a"])
    assert "not a base URL such as http://localhost:8000" in capsys.readouterr().err
