"""The workshop's language: how it is chosen, its catalogue, and what a learner reads in Chinese."""

import ast
import os
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import catalogue
from workshop import language
from workshop.__main__ import main
from workshop.language import UnknownLanguageError, _, choose, n_, pad, take_flag, wrap
from workshop.runner.exercises import Lesson, lessons
from workshop.runner.task import docstrings, task

from ..conftest import ROOT
from ..terminal import terminal
from ..test_chinese import HAN, found

ENVIRONMENT = ("WORKSHOP_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
LEARNERS = {"WORKSHOP_LANG": "", "LANGUAGE": "", "LC_ALL": "", "LANG": "zh_CN.UTF-8"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No language is set. At the end, English is chosen again."""
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, "")
    yield monkeypatch
    choose("en")


@pytest.fixture
def chinese(environment: pytest.MonkeyPatch) -> None:
    choose("zh-CN")


# ---- which language


@pytest.mark.parametrize(
    ("flag", "variables", "expected"),
    [
        ("", {}, "en"),
        ("", {"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        ("", {"LANG": "zh_SG"}, "zh-CN"),
        ("", {"LANG": "de_DE.UTF-8"}, "en"),
        ("", {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ("", {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh-CN"),
        ("", {"LANG": "en_US.UTF-8", "LANGUAGE": "fr:zh_CN:en"}, "zh-CN"),
        ("", {"LANG": "C", "LANGUAGE": "zh_CN"}, "en"),
        ("", {"LANG": "C.UTF-8", "WORKSHOP_LANG": "zh-CN"}, "zh-CN"),
        ("", {"LANG": "zh_CN.UTF-8", "WORKSHOP_LANG": "en"}, "en"),
        ("zh", {"WORKSHOP_LANG": "en"}, "zh-CN"),
        ("en_GB", {"LANG": "zh_CN.UTF-8"}, "en"),
    ],
)
def test_the_language(
    flag: str, variables: dict[str, str], expected: str, environment: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    assert choose(flag) == expected
    assert _("✓ passes") == {"en": "✓ passes", "zh-CN": "✓ 通过"}[expected]


def test_an_unknown_language(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["--lang", "xx", "list"], ["list", "--lang=xx"]):
        assert main(arguments) == 2
        assert capsys.readouterr().err == "workshop: no language 'xx'. There are: en, zh-CN\n"
    assert main(["list", "--lang"]) == 2
    environment.setenv("WORKSHOP_LANG", "klingon")
    with pytest.raises(UnknownLanguageError):
        choose()


def test_the_flag_of_another_program_is_not_ours(environment: pytest.MonkeyPatch) -> None:
    theirs = ["verdict", "--", "app", "--lang", "de"]
    assert take_flag(["--lang", "zh-CN", *theirs]) == theirs
    assert language.chosen() == "zh-CN"
    assert os.environ["WORKSHOP_LANG"] == "zh-CN", "programs that are started speak it too"


def test_english_loads_no_catalogue(environment: pytest.MonkeyPatch) -> None:
    choose("zh-CN")
    choose("en")
    assert language._catalogue is None
    environment.setattr(language, "LOCALE", "nowhere")
    assert (choose("en"), n_("{n} page", "{n} pages", 1)) == ("en", "1 page")


def test_plurals_and_braces(chinese: None) -> None:
    assert [n_("{n} token", "{n} tokens", n) for n in (0, 1, 2)] == [
        "0 个 token",
        "1 个 token",
        "2 个 token",
    ]
    assert _("a text that nobody translates: {}") == "a text that nobody translates: {}"


# ---- the catalogue


@pytest.mark.parametrize("name", catalogue.SOURCES)
def test_every_text_is_translated_and_the_catalogue_is_compiled(name: str) -> None:
    """If this fails: `python -m tests.catalogue --update`, translate what it lists, and again."""
    updated = catalogue.updated(name)
    assert catalogue.missing(updated) == []
    assert catalogue.as_po(updated) == (catalogue.FOLDER / f"{name}.po").read_bytes()
    assert catalogue.as_mo(updated) == (catalogue.FOLDER / f"{name}.mo").read_bytes()


def translations(name: str = "workshop") -> Iterator[tuple[str, str]]:
    for message in catalogue.read(name):
        if message.id:
            one = message.id if isinstance(message.id, str) else message.id[-1]
            assert message.string
            yield one, message.string if isinstance(message.string, str) else message.string[0]


def test_a_translation_has_the_fields_and_the_code_of_its_text() -> None:
    for text, translated in translations():
        assert fields(text) == fields(translated), text
        spoken = re.compile(r"`(workshop COMMAND|workshop --lang LANGUAGE|data)\b[^`]*`")
        code = re.findall(r"`[^`]+`", " ".join(spoken.sub("", text).split()))
        assert {*code} <= {*re.findall(r"`[^`]+`", " ".join(translated.split()))}, text


def fields(text: str) -> set[str]:
    percent = set(re.findall(r"%\(\w+\)\w|%[sr]", text))
    if not re.search(r"\{\w+(?:![rs])?(?::\S*?)?\}", text):
        return percent
    names = {
        f"{name}!{how}:{spec}" for _text, name, spec, how in string.Formatter().parse(text) if name
    }
    return percent | names


SAMPLE = re.compile(r"\S  +\S|^ {4,}.*(?:->|\(|data:)")


@pytest.mark.parametrize("name", catalogue.SOURCES)
def test_the_catalogue_is_set_as_chinese_is(name: str) -> None:
    for text, translated in translations(name):
        lines = [line for line in translated.split("\n") if not SAMPLE.search(line)]
        lines = [re.sub(r"^    (\w+, )*\w+: ", "", line) for line in lines]  # an argument
        shown = "\n\n".join(re.sub(r"\{\w+[^}]*\}", "`x`", line) for line in lines)
        shown = re.sub(r"'\w*'|\"STOP\"", "`x`", shown)  # a value, as Python writes it
        wrong = [what for _line, what in found(shown) if not what.startswith("dots")]
        assert wrong == [], text


# ---- the exercises


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.name)
def test_the_task_is_the_same_program(lesson: Lesson, chinese: None) -> None:
    path = lesson.folder / "exercise.py"
    given, source = task(path), path.read_text(encoding="utf-8")
    texts = [text for _line, text in docstrings(given)]
    assert len(texts) == len(list(docstrings(source)))
    assert all(re.search(HAN, text) for text in texts)
    assert code(given) == code(source)
    assert max(map(language.cells, given.splitlines())) <= 100


def code(source: str) -> str:
    """A program without its docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = ""
    return ast.dump(tree)


# ---- as a learner meets it: a pipe, a terminal, a bare Python


CHECK = (["check", "1"], 1, "✗ 还没有写：tokens\n")  # the check is a process of its own
IN_C = LEARNERS | {"LANG": "C"}
SAID = [
    CHECK,
    (["list"], 0, "     1  生成器就是流  ← 当前\n"),
    (["solution", "1"], 1, "练习 1 还没有通过：3 条提示，你看了 0 条。"),
    (["reset", "1"], 1, "重新开始练习 1 吗？（没有终端可以询问：请加上 --yes）\n"),
    (["check", "99"], 2, "workshop check：错误：参数 N：没有第 '99' 课"),
]


@pytest.mark.parametrize(
    ("variables", "flags", "expected"),
    [(LEARNERS, [], SAID), (IN_C, ["--lang", "zh-CN"], [CHECK])],
    ids=["locale", "C"],
)
def test_on_a_pipe(
    variables: dict[str, str],
    flags: list[str],
    expected: list[tuple[list[str], int, str]],
    tmp_path: Path,
) -> None:
    """The commands run as processes here. runner/test_spoken.py tests every mistake and hint."""
    environment = os.environ | variables
    folder = ["--dir", str(tmp_path)]
    for arguments, code, text in expected:
        done = subprocess.run(
            [sys.executable, "-m", "workshop", *flags, *arguments, *folder],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env=environment,
            check=False,
        )
        assert done.returncode == code
        assert text in (done.stdout + done.stderr).decode()
    written = (tmp_path / "01_generator_basics" / "exercise.py").read_text(encoding="utf-8")
    assert written.startswith('"""练习 1：')


def test_in_a_terminal(tmp_path: Path) -> None:
    learn = ["-m", "workshop", "learn", "--dir", str(tmp_path), "--poll"]
    with terminal(sys.executable, *learn, **LEARNERS) as (screen, process):
        keys = "q 退出"
        assert "还没有写：tokens" in screen.until(keys)
        screen.press(b"h")
        assert "提示 1/3" in screen.until(keys)
        screen.press(b"n")
        assert "练习 1 还没有通过。还是要继续吗？ y/n" in screen.until("y/n")
        screen.press(b"y")
        assert "第 2 课 · 异步生成器" in screen.until(keys)
        solution = (ROOT / "workshop/02_async_generator/solution.py").read_text(encoding="utf-8")
        path = tmp_path / "02_async_generator" / "exercise.py"
        path.with_name("draft").write_text(solution, encoding="utf-8")
        os.replace(path.with_name("draft"), path)
        assert "✓ 通过" in screen.until(keys)
        screen.press(b"q")
        assert process.wait() == 0


def test_without_any_package() -> None:
    """In a bare clone: Python does not even look for installed packages."""
    for command, code, expected in [
        (["--help"], 0, "用法：workshop"),
        (["aha", "--fast"], 0, "3  chunked，经过一跳            "),
        (["doctor"], 1, "✗ trio              没有安装\n"),
        (["list"], 1, "这里没有安装"),
    ]:
        done = subprocess.run(
            [sys.executable, "-S", "-m", "workshop", "--lang", "zh-CN", *command],
            capture_output=True,
            cwd=ROOT,
            check=False,
        )
        assert done.returncode == code
        assert expected in (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("command", ["check", "chat", "course", "serve"])
def test_a_help_text(
    command: str,
    chinese: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    assert "\n选项：\n" in text
    assert not re.search(rf"{HAN}:", text)
    assert max(language.cells(line) for line in text.splitlines() if re.search(HAN, line)) <= 50


# ---- width


def test_padding_counts_cells() -> None:
    assert [pad(text, 8) for text in ("port", "端口", "端口 80000")] == [
        "port    ",
        "端口    ",
        "端口 80000",
    ]


def test_lines_are_broken_as_chinese_is() -> None:
    assert wrap("一个字，两个字", 6) == ["一个", "字，两", "个字"]
    assert wrap("见（第一课）吧", 6) == ["见（第", "一课）", "吧"]
    assert wrap("用 curl 发送", 7) == ["用 curl", "发送"]
    assert wrap("plain English words", 13) == ["plain English", "words"]
    assert wrap("", 5) == [""]
    assert wrap("asinglelongword", 5) == ["asinglelongword"]
    for width in (20, 31, 60):
        for _text, translated in translations():
            lines = wrap(" ".join(translated.split()), width)
            assert not any(line[:1] in "，。；：？！）" for line in lines if line)
