"""The scripts of the pages, under Node: what the search finds, and what a copy button copies."""

import json
import subprocess
from typing import Any

import pytest

from tests.interop.peers import SAFETY, need
from workshop.course.routes import FILES

INDEX = [
    ["l.html", "Lesson 3: a chunk says", "", "A chunk begins with its size. 你好世界"],
    ["l.html#why", "Why", "Lesson 3: a chunk says", "Lenient readers guess: request smuggling."],
    ["a.html#encode_chunk", "encode_chunk", "protocol/a.py", "Return one chunk."],
    ["b.html#Body", "Body", "servers/body.py", "A rechunked body."],
]


def run(file: str, script: str, *arguments: object) -> Any:
    """Run a page's script, then this one: `argv` holds the arguments."""
    code = FILES[file].read_text(encoding="utf-8")
    code += f"\nconst argv = {json.dumps(arguments)};\nconsole.log(JSON.stringify({script}));"
    done = subprocess.run(
        [need("node", "nodejs"), "-"],
        input=code,
        capture_output=True,
        timeout=SAFETY,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


QUERIES: list[tuple[str, list[str]]] = [
    ("chunk", ["Lesson 3: a chunk says", "encode_chunk", "Why", "Body"]),
    ("encode_chunk", ["encode_chunk"]),
    ("Chunk SIZE", ["Lesson 3: a chunk says"]),
    ("smuggling lesson", ["Why"]),
    ("世界", ["Lesson 3: a chunk says"]),
    ("chunk nowhere", []),
    ("  ", []),
    ("(.*", []),
]


def test_search() -> None:
    """All words must be there. A title counts more than a text, the beginning of a word more than
    its middle."""
    titles = "argv[1].map((query) => findEntries(argv[0], query).map((entry) => entry[1]))"
    found = run("search.js", titles, INDEX, [query for query, _ in QUERIES])
    assert found == [expected for _, expected in QUERIES]


def test_the_snippet_shows_the_word() -> None:
    text = "a " * 200 + "needle" + " b" * 200
    snippet, whole = run(
        "search.js", "argv.map((text) => snippetOf(text, 'Needle'))", text, "short"
    )
    assert "needle" in snippet
    assert snippet.startswith("…")
    assert snippet.endswith("…")
    assert len(snippet) <= 112
    assert whole == "short"


@pytest.mark.parametrize(
    ("transcript", "commands"),
    [
        ("$ a\nout\n$ b | c\n", "a\nb | c"),
        ("$ a \\\n  -b\nout\n", "a \\\n  -b"),
        ("out\n", ""),
    ],
)
def test_commands_of_a_transcript(transcript: str, commands: str) -> None:
    assert run("copy.js", "commandsOf(argv[0])", transcript) == commands
