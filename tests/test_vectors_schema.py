"""The schema of the test vectors (tests/vectors/schema.json), and each vector by it."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from workshop.vectors import KINDS, feedings, load

FOLDER = Path(__file__).parent / "vectors"
SCHEMA: dict[str, Any] = json.loads((FOLDER / "schema.json").read_text("utf-8"))


def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"$schema": SCHEMA["$schema"], "$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]}
    )


def _errors(validator: Draft202012Validator, value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}"[:300] for error in validator.iter_errors(value)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("kind", KINDS)
def test_each_vector_is_as_the_schema_says(kind: str) -> None:
    vectors = load(kind)
    validator = _validator(f"{kind}_vector")
    assert {one["id"]: wrong for one in vectors if (wrong := _errors(validator, one))} == {}
    assert _validator(f"{kind}_file").is_valid(vectors)
    assert len({one["id"] for one in vectors}) == len(vectors)


def test_the_schema_as_a_whole_takes_each_file() -> None:
    for kind in KINDS:
        assert Draft202012Validator(SCHEMA).is_valid(load(kind)[:1])
    assert not Draft202012Validator(SCHEMA).is_valid([])


@pytest.mark.parametrize("kind", KINDS)
def test_each_question_to_a_parser_is_as_the_schema_says(kind: str) -> None:
    validator = _validator("question")
    for vector in load(kind)[:20]:
        for way, question in feedings(kind, vector):
            assert _errors(validator, {"id": f"{vector['id']}/{way}"} | question) == []


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("sse", {"id": "not a name"}),
        ("sse", {"input_b64": "YQ="}),
        ("sse", {"expects": {}}),
        ("sse", {"splits": [-1]}),
        ("sse", {"alt": [{}]}),
        ("chunked", {"expect": {"ok": True, "body_b64": ""}}),
        ("chunked", {"expect": {"ok": False, "kind": "wrong"}}),
        ("head", {"expect": {"ok": False, "kind": "invalid", "status": 200}}),
        ("head", {"input_b64": None}),
        ("deltas", {"expect": {"tool_calls": [{"id": "1"}]}}),
        ("deltas", {"events": []}),
        ("deltas", {"body": "{}"}),
    ],
)
def test_the_schema_refuses_what_is_not_a_vector(kind: str, change: dict[str, Any]) -> None:
    vector = load(kind)[0]
    assert _errors(_validator(f"{kind}_vector"), vector | change) != []


def test_the_readme_names_the_version() -> None:
    assert f"Version {SCHEMA['version']}." in (FOLDER / "README.md").read_text("utf-8")
