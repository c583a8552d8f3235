"""The published table: every failure of another server has the note of a check by hand."""

import re

from .case import CASES
from .servers import FILE, Row, render

PAGE = FILE.read_text("utf-8")
SERVERS = ("ours", "FastAPI", "Starlette on hypercorn", "aiohttp", "Node http", "aimock", "LiteLLM")
FOUND = {"FastAPI": "conn.half-close-keeps-streaming", "aimock": "pressure.producer-waits"}


def test_all_servers_are_there() -> None:
    for name in (*SERVERS, "nginx before ours", "HAProxy before ours"):
        assert f"\n| {name}" in PAGE, name


def test_each_failure_was_checked() -> None:
    rows = re.findall(r"^\| `([\w.-]+)` \| (?:FAIL|WARN), .* \| (.*) \|$", PAGE, re.MULTILINE)
    assert rows
    assert [slug for slug, note in rows if not note] == []
    assert {slug for slug, _ in rows} <= set(CASES)


def test_the_known_faults_are_found() -> None:
    for name, slug in FOUND.items():
        (section,) = re.findall(rf"^## {name}.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
        assert f"| `{slug}` |" in section


def test_a_server_that_is_absent_keeps_its_row() -> None:
    page = render([Row("LiteLLM before ours", [], "without litellm")], PAGE)
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| LiteLLM before ours")]
    assert row in page.splitlines()
    assert "\n## LiteLLM before ours" in page
    other = render([Row("Hop", [], "without hop")], PAGE)
    assert "\nHop: absent here (without hop).\n" in other
