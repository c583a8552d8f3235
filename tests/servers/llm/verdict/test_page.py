"""`servers/VERDICT.md` has every rule, in the words of the program."""

from servers.llm.verdict.rules import GRADES, RULES
from workshop.simulated import PATIENCE

from ....conftest import ROOT


def test_the_page_has_every_rule() -> None:
    page = (ROOT / "servers" / "VERDICT.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `") and "| fail |" in line]
    rows += [line for line in page.splitlines() if line.startswith("| `") and "| warn |" in line]
    assert rows == [
        f"| `{name}` | {rule.grade} | {rule.rule} | {rule.cure} |"
        for grade in reversed(GRADES)
        for name, rule in RULES.items()
        if rule.grade == grade
    ]
    assert f"`--patience` ({PATIENCE:g} seconds)" in page


def test_the_readme_counts_them() -> None:
    assert f"all {len(RULES)} rules" in (ROOT / "README.md").read_text(encoding="utf-8")
