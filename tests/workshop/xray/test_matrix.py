"""The confusion matrix is right: no fault gets a wrong verdict, and few get none."""

import re

from servers.badproxy.catalogue import MODE_HELP
from servers.llm.faults import FAULTS

from .matrix import CASES, FILE, cell, problems
from .streams import STREAMS


def test_all_faults_are_in_it() -> None:
    modes = {
        re.split("[=,]", case.options["mode"])[0]
        for case in CASES.values()
        if "mode" in case.options
    }
    modes |= {"gzip", "gzip-nosync"}  # after strip-no-transform
    assert modes >= {name.partition("=")[0] for name in MODE_HELP}
    assert CASES.keys() >= FAULTS.keys()


def test_the_page_has_every_row() -> None:
    rows = re.findall(r"^\| `([^`]+)`", FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list(CASES)


def test_a_cell_of_each_row() -> None:
    """The whole matrix takes a minute. Here each row is tried with only one stream, the next stream
    for the next row."""
    names = list(STREAMS)
    found = {}
    for number, case in enumerate(CASES.values()):
        stream = case.only[0] if case.only else names[(number + 1) % len(names)]
        found[case.name] = {stream: cell(case, stream)}
    assert problems(found) == []
