"""The command-line flags of the simulated LLM, and the objects that are made from them.

    python -m servers.chat --profile fast-api --seed 7 --max-batch 64 --fault rst@5=0.1
"""

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import msgspec

from ..http.access import Access, read_keys
from ..http.command import seconds
from ..http.connection import Limits
from .api import Settings
from .engine import Engine
from .faults import parse
from .model.models import Model
from .model.schema import cut
from .model.script import SHIPPED, Script, Scripts, load_scripts
from .pace import PROFILES, SPREADS, Pace
from .recorded import RecordedResponse, is_recording, load_recording
from .writers.chat_completions import ReasoningField

__all__ = [
    "access_of",
    "add_flags",
    "engine_of",
    "limits_of",
    "model_of",
    "pace_of",
    "settings_of",
]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add these flags to a server's own flags."""
    add = parser.add_argument_group("how fast the model speaks").add_argument
    profiles = "; ".join(f"{name}: {pace.about}" for name, pace in PROFILES.items())
    add(
        "--profile",
        choices=PROFILES,
        default="default",
        metavar="NAME",
        help=f"{profiles}. The flags below override parts of it (default: default)",
    )
    add("--ttft", type=seconds, metavar="S", help="time to first token, in seconds")
    add("--itl", type=seconds, metavar="S", help="inter-token latency, in seconds, on average")
    add("--gaps", choices=SPREADS, help="distribution of the latencies around their average")
    add(
        "--per-prompt-token",
        type=seconds,
        metavar="S",
        help="seconds that each token of the prompt adds to the time to first token",
    )
    add(
        "--slow-down",
        type=number(0, 1000),
        metavar="X",
        help="a step of a full batch takes 1 + X times as long as a step of an empty batch",
    )
    add(
        "--max-batch",
        type=whole_number(1),
        default=4096,
        metavar="N",
        help="largest number of answers that run at once; others queue (default: %(default)s)",
    )
    add(
        "--queue",
        type=whole_number(0),
        default=1024,
        metavar="N",
        help="largest number of answers that wait; one more gets 503 (default: %(default)s)",
    )

    add = parser.add_argument_group("what it says").add_argument
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="a different seed gives different answers and gaps (default: %(default)s)",
    )
    add(
        "--scripts",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help='JSON file with the models script:NAME: {"NAME": {"turns": [{"when": {"contains": '
        '"hi"}, "text": "Hello"}, …]}} (default: an example); or a recording, for the model '
        "recording:FILE without its last dot; repeatable; see servers/SCRIPTS.md",
    )
    add(
        "--strict-models",
        action="store_true",
        help="refuse an unknown model's name with 404; without this flag, sim-1 answers",
    )
    add(
        "--reasoning-field",
        choices=get_args(ReasoningField),
        default="reasoning_content",
        help="field of a chat completion that holds the reasoning (default: %(default)s)",
    )

    add = parser.add_argument_group("on the wire").add_argument
    add(
        "--heartbeat",
        type=seconds,
        default=Limits().heartbeat_seconds,
        metavar="S",
        help="seconds of silence before a heartbeat is sent; 0 for never (default: %(default)s)",
    )
    add(
        "--fault",
        type=fault_rate,
        action="append",
        default=[],
        metavar="NAME[@POSITION][=RATE]",
        help="inject a fault: rst@5=0.1 into a tenth of all answers; repeatable (see GET /faults)",
    )
    add(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help="file with the API keys that clients may use, one per line",
    )
    add(
        "--cors",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let pages of this origin use the API, * for all origins; repeatable",
    )


def pace_of(options: argparse.Namespace) -> Pace:
    """Return the pace of the chosen profile, with the values that other flags override."""
    names = ("ttft", "itl", "per_prompt_token", "slow_down")
    changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.gaps:
        changes["spread"] = SPREADS[options.gaps]
    return msgspec.structs.replace(PROFILES[options.profile], **changes)


def engine_of(options: argparse.Namespace) -> Engine:
    return Engine(options.max_batch, options.queue, pace_of(options).slow_down)


def model_of(options: argparse.Namespace) -> Model:
    """Return the model. Raises ValueError if a file does not contain scripts, or a script's fault
    is unknown."""
    scripts: dict[str, Script] = {}
    files = [path for path in options.scripts if not _is_recording(path)]
    for path in files or [SHIPPED]:
        loaded = load_scripts(path, cut).scripts
        for name, script in loaded.items():
            if name in scripts:
                raise ValueError(f"{path}: the script {name!r} is in an earlier file, too")
            for turn in script.turns:
                if turn.fault:
                    try:
                        parse(turn.fault)
                    except ValueError as error:
                        raise ValueError(f"{path}: script {name!r}: {error}") from error
        scripts |= loaded
    return Model(options.seed, Scripts(scripts, cut))


def settings_of(options: argparse.Namespace) -> Settings:
    """Raises ValueError: a recording is damaged, too large, or has the name of another one."""
    recordings: dict[str, RecordedResponse] = {}
    for path in filter(_is_recording, options.scripts):
        loaded = load_recording(path)
        if loaded.keys() & recordings.keys():
            raise ValueError(f"{path}: an earlier recording has the same name: rename the file")
        recordings |= loaded
    return Settings(
        reasoning_field=options.reasoning_field,
        strict_models=options.strict_models,
        faults=dict(options.fault),
        seed=options.seed,
        recordings=recordings,
    )


def _is_recording(path: Path) -> bool:
    try:
        return is_recording(path)
    except OSError:
        return False  # the loader of scripts will report the reason


def access_of(options: argparse.Namespace) -> Access:
    """Return the access rules. Raises ValueError if the file does not contain keys, or a value is
    not an origin."""
    keys = read_keys(options.api_key_file) if options.api_key_file else ()
    return Access(keys, options.cors)


def limits_of(options: argparse.Namespace) -> Limits:
    return Limits(heartbeat_seconds=options.heartbeat or math.inf)


def number(least: float, most: float) -> Callable[[str], float]:
    """Return a function that reads a flag's value, a number within these bounds."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"not a number from {least} to {most}: {text}")
        return value

    return read


def whole_number(least: int) -> Callable[[str], int]:
    """Return a function that reads a flag's value, a whole number of at most a billion."""

    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,10}", text) or not least <= int(text) <= 10**9:
            raise argparse.ArgumentTypeError(f"not a whole number from {least}: {text}")
        return int(text)

    return read


def fault_rate(text: str) -> tuple[str, float]:
    """Read the value of `--fault`: "rst@5=0.1" gives ("rst@5", 0.1), and "rst@5" gives ("rst@5",
    1.0)."""
    spec, equals, rate = text.rpartition("=")
    if not equals or spec.endswith(("event", "byte")):  # "rst@event=5" is a position
        spec, rate = text, "1"
    try:
        parse(spec)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return spec, number(0, 1)(rate)
