"""The page about parsers agrees with the installed parsers."""

from importlib.metadata import PackageNotFoundError

import pytest

from .parsers import ADAPTERS, PAGE, PARSERS, Parser, failures, row
from .peers import ROOT, need, unavailable


@pytest.mark.parametrize("parser", PARSERS, ids=[parser.name for parser in PARSERS])
def test_row(parser: Parser) -> None:
    if parser.adapter.endswith(".mjs"):
        need("node", "nodejs")
        if parser.package != "node" and not (ROOT / "node_modules" / parser.package).exists():
            unavailable(f"{parser.package} is missing: npm install {parser.package}")
    elif parser.package:
        try:
            parser.version()
        except PackageNotFoundError:
            install = "pip install -c .ci/locked.txt -e '.[clients]'"
            unavailable(f"{parser.package} is missing: {install}")
    assert f"| {row(parser, failures(parser))}\n" in PAGE.read_text("utf-8")


def test_adapters_are_short() -> None:
    for path in ADAPTERS.iterdir():
        assert path.suffix in (".py", ".mjs", ""), path
        if path.is_file():
            assert len(path.read_text("utf-8").splitlines()) <= 30, path
