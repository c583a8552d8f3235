"""`servers/SCRIPTS.md` is true: its example is a valid file that gives the answers on the page, and
its tables have all fields."""

import argparse
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.llm import recorded
from servers.llm.flags import add_flags, model_of
from servers.llm.model.conversation import Question, Turn
from servers.llm.model.script import MAX_FILE, SHIPPED, Call, ScriptTurn, When, load_scripts

from ....at_once import at_once
from ....interop.peers import RunningServer, need, running
from ....workshop.test_transcripts import FENCE, matches

PAGE = (Path(__file__).parents[4] / "servers" / "SCRIPTS.md").read_text(encoding="utf-8")
FENCES = dict(FENCE.findall(PAGE))  # of the kinds that are there once
CONSOLES = [text for kind, text in FENCE.findall(PAGE) if kind == "console"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scripts") / "my.json"
    path.write_text(FENCES["json"], encoding="utf-8")
    return path


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table after this line."""
    table = re.search(r"(?:^\|.*\n)+", PAGE[PAGE.index(heading) :], re.MULTILINE)
    assert table is not None
    return [line.strip("| ").split(" | ") for line in table[0].splitlines()[2:]]


@pytest.mark.parametrize(("conversation", "answer"), rows("The script gives the same answers"))
def test_the_example(file: Path, conversation: str, answer: str) -> None:
    turns = [Turn(*said.strip().split(":", 1)) for said in conversation.split(" / ")]
    turns = [Turn(turn.role, turn.text.strip()) for turn in turns]
    question = Question(model="script:barista", turns=turns)
    said = at_once(load_scripts(file).answer("barista", question))
    called = [f"calls `{each.name}` with `{''.join(each.arguments)}`" for each in said.calls]
    assert ["".join(said.text)] * (not called) + called == [answer]


@pytest.fixture(scope="module")
def server(file: Path) -> Iterator[RunningServer]:
    recording = file.with_name("incident.jsonl")
    recording.write_text(FENCES["jsonl"], encoding="utf-8")
    flags = ("--ttft", "0", "--itl", "0", "--scripts", str(file), "--scripts", str(recording))
    with running("servers.chat", *flags) as server:
        yield server


@pytest.mark.parametrize("console", CONSOLES)
def test_a_transcript(console: str, server: RunningServer) -> None:
    need("curl", "curl")
    command, _, shown = console.removeprefix("$ ").partition("\n")
    command = command.replace("localhost:8000", f"localhost:{server.port}")
    printed = subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout
    assert matches(shown, printed), printed


FIELDS = {"## A turn": ScriptTurn, "## The conditions": When, "## A call": Call}


@pytest.mark.parametrize("heading", FIELDS)
def test_the_tables_have_every_field(heading: str) -> None:
    assert [row[0] for row in rows(heading)] == [
        f"`{name}`" for name in FIELDS[heading].__struct_fields__
    ]


def test_the_names_and_the_limits_on_the_page() -> None:
    assert MAX_FILE == 10 << 20
    assert (recorded.MAX_FILE, recorded.MAX_READS) == (64 << 20, 200_000)
    names = ", ".join(f"`{name}`" for name in json.loads(SHIPPED.read_text(encoding="utf-8")))
    assert f"has four scripts: {names}." in PAGE


def options(file: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return parser.parse_args(["--scripts", str(file)])


def test_each_error_that_the_page_promises(file: Path, tmp_path: Path) -> None:
    """The file on the page is valid. Each of these changes makes it invalid."""
    good = FENCES["json"]
    model_of(options(file))
    for right, wrong in [
        ('"thinking":', '"think":'),
        ('"fault": "rst@4"', '"fault": "rts@4"'),
        ('"when": {"turn": 2},', '"when": {"turn": 2}, "when": {"turn": 3},'),
    ]:
        assert right in good
        path = tmp_path / "wrong.json"
        path.write_text(good.replace(right, wrong), encoding="utf-8")
        with pytest.raises(ValueError, match=r"wrong\.json: "):
            model_of(options(path))
