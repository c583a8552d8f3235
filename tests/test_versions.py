"""Every installation command uses the exact versions in `.ci`."""

import ast
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from workshop.doctor import PACKAGES

from .conftest import ROOT

LOCKED = ROOT / ".ci/locked.txt"
NODE = ROOT / ".ci/node.txt"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
REQUIRED: list[str] = [*PROJECT["dependencies"], *chain.from_iterable(EXTRAS.values())]


def name_of(requirement: str) -> str:
    """The normalized name of a package, in which package indexes compare names."""
    (name,) = re.findall(r"^[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> list[str]:
    """The lines that are not comments."""
    lines = LOCKED.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_each_package_has_one_version_for_each_python() -> None:
    """Each line is NAME==VERSION, with or without a marker: no address of an index, no path, no
    hash."""
    for line in pins():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; [^/@]+)?", line), line
    locked = [name_of(line) for line in pins()]
    assert {name_of(requirement) for requirement in REQUIRED} <= set(locked)
    for name in locked:
        lines = [line for line in pins() if name_of(line) == name]
        assert len(lines) == 1 or all(" ; " in line for line in lines)


def test_the_lock_file_and_the_course_show_the_same_command() -> None:
    command = LOCKED.read_text(encoding="utf-8").splitlines()[1].removeprefix("#").strip()
    page = (ROOT / "workshop/CONTRIBUTING.md").read_text(encoding="utf-8")
    assert command.startswith("uv pip compile pyproject.toml --universal ")
    assert command in page.replace(" --upgrade", "")


def test_node_packages_are_exact() -> None:
    for line in NODE.read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"(@[a-z-]+/)?[a-z.-]+@\d+\.\d+\.\d+", line), line


def test_the_build_is_exact() -> None:
    for requirement in PYPROJECT["build-system"]["requires"]:
        assert re.fullmatch(r"[a-z-]+==[0-9.]+", requirement), requirement


def test_each_requirement_has_an_oldest_version() -> None:
    """Otherwise the oldest version would be the first one ever published."""
    for requirement in REQUIRED:
        assert re.match(r"[\w.-]+>=[0-9]", requirement), requirement


def test_the_extra_bench_holds_what_the_benchmarks_import() -> None:
    """In an environment with the project and this extra, every file of tests/bench can be imported
    (proxies and servers that are programs of their own are found on the PATH, or are absent)."""
    files = {*(ROOT / "tests/bench").rglob("*.py")} - {ROOT / "tests/bench/page.py"}  # by hand
    trees = [ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for path in files]
    imported: set[str] = set()
    for node in chain.from_iterable(trees):
        match node:
            case ast.Import(names=names):
                imported |= {name.name for name in names}
            case ast.ImportFrom(module=str(module), level=0):
                imported.add(module)
    tops = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    installed = map(name_of, [*PROJECT["dependencies"], *EXTRAS["bench"]])
    ours = {"clients", "protocol", "servers", "tests", "workshop"}
    brought = {"pydantic", "starlette"}  # by FastAPI
    assert set(map(name_of, tops - ours)) - {*installed} - brought == set()


def test_the_doctor_knows_the_same_ranges() -> None:
    ranges = {name: ".".join(map(str, oldest)) for name, oldest in PACKAGES.items()}
    assert [f"{name}>={oldest}" for name, oldest in ranges.items()] == PROJECT["dependencies"]


def test_every_installation_command_uses_the_exact_versions() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a clone")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    found = 0
    for path in files:
        if path.suffix not in (".py", ".md", "") or not path.is_file():
            continue
        for line in re.findall(r"pip install [^\n`]*?-e [^\n`]*", path.read_text(encoding="utf-8")):
            if path != Path(__file__) and "--resolution" not in line:
                assert line.startswith("pip install -c .ci/locked.txt -e "), f"{path}: {line}"
                found += 1
    assert found > 10
