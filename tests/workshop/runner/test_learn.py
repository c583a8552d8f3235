"""The runner as a learner uses it: plain commands, letters through a pipe, keys in a terminal."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from workshop.__main__ import main
from workshop.doctor import typed
from workshop.runner.exercises import Lesson, lessons
from workshop.runner.progress import Progress, Workspace, default_folder

from ...conftest import ROOT, Start, outputs
from ...streams import SAFETY
from ...terminal import Lifeline, terminal

LESSONS = {lesson.number: lesson for lesson in lessons()}
THIRD = LESSONS[3]
PYTHON = Path(sys.executable)


def put(folder: Path, lesson: Lesson, name: str) -> Path:
    """Replace the learner's file by a file of the lesson, in the way that editors do."""
    path = folder / lesson.name / "exercise.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name("draft")
    shutil.copyfile(lesson.folder / name, draft)
    os.replace(draft, path)
    return path


def progress(folder: Path) -> Progress:
    return msgspec.json.decode((folder / "progress.json").read_bytes(), type=Progress)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mine"


# ---- plain commands


def test_from_a_clone_to_the_first_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`workshop check` copies the first exercise, and reports its path and a failure."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(["check"]) == 1
    path = tmp_path / "streaming-workshop" / "01_generator_basics" / "exercise.py"
    out, error = capsys.readouterr()
    assert error == ""
    assert out == (
        f"Lesson 1 · a generator is a stream\n{path}\n\n"
        "✗ it is not written yet: tokens\n\n"
        "Stuck? workshop hint 1\n"
    )
    assert path.read_bytes() == (LESSONS[1].folder / "exercise.py").read_bytes()


def test_a_check_shows_the_bytes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = put(folder, THIRD, "wrong_decimal_size.py")
    assert main(["check", "3", "--dir", str(folder)]) == 1
    assert capsys.readouterr().out == (
        f"Lesson 3 · a chunk says how long it is\n{path}\n\n"
        "✗ size 26 is decimal: in hexadecimal it is 1a\n\n"
        "    sent      a line of 26 letters, made\n"
        "    received  26␍␊a line of 26 letter…\n"
        "              ^\n"
        "    rule      chunk-size counts the bytes of the data, in hexadecimal (RFC 9112 §7.1)\n"
        "    by hand   curl -sN --raw http://localhost:8003/ | head -n 4\n\n"
        f"The bytes: workshop check 3 --dir {folder} --bytes\n"
        f"Stuck? workshop hint 3 --dir {folder}\n"
    )
    assert main(["check", "3", "--bytes", "--dir", str(folder)]) == 1
    shown = capsys.readouterr().out
    assert "  ← 26␍␊a line of 26 letters, made␍␊\n" in shown
    assert "The bytes:" not in shown


@pytest.mark.parametrize("command", [f"{PYTHON} -m workshop", f"{PYTHON.parent}/workshop"])
def test_suggested_commands_can_be_pasted(command: str, tmp_path: Path) -> None:
    """They start `workshop` as it was started, and quote the folder's name."""
    folder = f"--dir '{tmp_path / 'my exercises'}'"

    def last_line(pasted: str) -> str:
        line = f"cd {ROOT} && PATH={os.defpath} {pasted}"
        return subprocess.getoutput(line).splitlines()[-1]

    hint = last_line(f"{command} check 3 {folder}").removeprefix("Stuck? ")
    assert hint == f"{command} hint 3 {folder}"
    for _ in range(2):
        assert main(["hint", "3", "--dir", str(tmp_path / "my exercises")]) == 0
    solution = last_line(hint).removeprefix("That was the last hint. The solution: ")
    assert solution == f"{command} solution 3 {folder}"
    assert (
        last_line(f"{solution} --yes")
        == THIRD.folder.joinpath("solution.py").read_text().splitlines()[-1]
    )


def test_a_pass_is_remembered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, the solution is shown, and `list` has a tick; a failure removes the tick."""
    put(folder, THIRD, "solution.py")
    assert main(["check", "3", "--dir", str(folder)]) == 0
    assert capsys.readouterr().out.endswith(
        f"✓ passes\n\nCompare: workshop solution 3 --dir {folder}\n"
        f"Next: workshop check 4 --dir {folder}\n"
    )
    assert main(["list", "--dir", str(folder)]) == 0
    assert "  ✓  3  a chunk says how long it is  ← here\n" in capsys.readouterr().out
    assert main(["solution", "--dir", str(folder)]) == 0
    assert (THIRD.folder / "solution.py").read_text() in capsys.readouterr().out

    put(folder, THIRD, "wrong_bare_lf.py")
    assert main(["check", "3", "--dir", str(folder)]) == 1
    assert progress(folder) == Progress(current=3)


def test_check_without_a_number_goes_on_after_a_pass(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder, THIRD, "solution.py")
    assert main(["check", "3", "--dir", str(folder)]) == 0
    assert main(["check", "--dir", str(folder)]) == 1
    assert "\nLesson 4 · " in capsys.readouterr().out


def test_only_the_stub_is_not_written_yet(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the learner's own code raises the same error, the failure names its line."""
    path = put(folder, THIRD, "solution.py")
    text = path.read_text()
    path.write_text(text.replace('"""', 'raise NotImplementedError("later")\n"""', 1))
    assert main(["check", "3", "--dir", str(folder)]) == 1
    assert "✗ line 1 raised NotImplementedError: later\n" in capsys.readouterr().out


def test_check_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It checks every exercise that was begun, and returns 1 if one of them fails."""
    put(folder, LESSONS[1], "solution.py")
    assert main(["check", "--all", "--dir", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["✓  1  a generator is a stream", "–  2  not begun"]
    put(folder, LESSONS[2], "wrong_collects_first.py")
    assert main(["check", "--all", "--dir", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(LESSONS)
    assert lines[1] == (
        "✗  2  waited 2 s for A1 to be shown: show a token before you ask for the next"
    )
    assert progress(folder).passed == {1}


def test_hints_come_one_at_a_time_and_then_the_solution(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["3", "--dir", str(folder)]
    assert main(["solution", *where]) == 1
    assert capsys.readouterr().err == (
        "Exercise 3 has not passed yet: you have seen 0 of 3 hints. "
        f"First: workshop hint 3 --dir {folder}\n"
    )
    for seen in (1, 2, 3, 3):
        assert main(["hint", *where]) == 0
        out = capsys.readouterr().out
        assert [hint in out for hint in THIRD.hints] == [n < seen for n in range(3)]
    assert out.endswith(
        f"That was the last hint. The solution: workshop solution 3 --dir {folder}\n"
    )
    assert main(["solution", *where, "--yes"]) == 0
    assert "def decode" in capsys.readouterr().out


def test_a_question_without_a_terminal(folder: Path, start: Start) -> None:
    """The answer is no, and a message names --yes."""
    path = put(folder, THIRD, "solution.py")
    command = ("-m", "workshop", "reset", "3", "--dir", str(folder))
    assert outputs(start(*command)) == (
        1,
        "",
        "Start exercise 3 again? There is no terminal to ask on: add --yes\n",
    )
    assert path.read_text() == (THIRD.folder / "solution.py").read_text()


def test_reset_keeps_the_old_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = put(folder, THIRD, "solution.py")
    workspace = Workspace(folder)
    workspace.checked(THIRD, passed=True)
    workspace.next_hint(THIRD)
    assert main(["reset", "3", "--yes", "--dir", str(folder)]) == 0
    assert path.read_text() == (THIRD.folder / "exercise.py").read_text()
    old = path.with_name("exercise.old.py")
    assert old.read_text() == (THIRD.folder / "solution.py").read_text()
    assert str(old) in capsys.readouterr().out
    assert progress(folder) == Progress(current=3)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"passed": "x"}', b"\xff", b'{"hints":{"a":1}}']
)
def test_progress_that_cannot_be_read(
    text: bytes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is kept as a backup, a message says so, and the progress starts again."""
    folder.mkdir()
    (folder / "progress.json").write_bytes(text)
    assert main(["list", "--dir", str(folder)]) == 0
    out, error = capsys.readouterr()
    assert error.startswith(f"{folder / 'progress.json'} cannot be read (")
    assert error.endswith("): it is kept as progress.json.bak, and your progress starts again\n")
    assert (folder / "progress.json.bak").read_bytes() == text
    assert f"0/{len(LESSONS)}" in out


@pytest.mark.parametrize("command", ["check", "hint", "reset --yes", "learn"])
def test_a_folder_that_cannot_be_written(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the reason, and what to do. (A file is in the folder's place, because root may
    write to a read-only folder.)"""
    (tmp_path / "file").touch()
    assert main([*command.split(), "--dir", str(tmp_path / "file" / "mine")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"workshop {command.split()[0]}: {tmp_path / 'file'}")
    assert error.endswith("Not a directory. Another folder for your exercises: --dir FOLDER\n")


@pytest.mark.parametrize("number", ["0", "99", "x", "-1", "²"])
def test_no_such_lesson(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", number])
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_where_exercises_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The specification says to ignore a relative XDG_DATA_HOME."""
    monkeypatch.setenv("HOME", "/home/me")
    home = Path("/home/me/.local/share/streaming-workshop")
    for value, expected in {"/data": Path("/data/streaming-workshop"), "": home, "x": home}.items():
        monkeypatch.setenv("XDG_DATA_HOME", value)
        assert default_folder() == expected


def test_a_reader_that_ends_early(folder: Path) -> None:
    """`workshop list | head -1` prints no traceback."""
    done = subprocess.run(
        f"{sys.executable} -m workshop list --dir {folder} | head -n 1",
        shell=True,
        capture_output=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


# ---- letters through a pipe


def learn(folder: Path, *arguments: str) -> tuple[str, ...]:
    return ("-m", "workshop", "learn", "3", "--dir", str(folder), *arguments)


def test_without_a_terminal(folder: Path, start: Start) -> None:
    """It reads one letter per line, uses no colours, and ends with its input."""
    process = start(*learn(folder))
    assert process.stdin is not None
    process.stdin.write(b"h\ns\nl\nx\nn\nn\nnonsense\n")
    process.stdin.close()
    process.stdin = None
    code, out, error = outputs(process)
    assert (code, error) == (0, "")
    assert "\x1b" not in out
    assert out.startswith("No terminal.")
    parts = [
        "Lesson 3 · a chunk says how long it is\n",
        "checking…\n✗ it is not written yet: encode\n",
        f"Hint 1 of 3\n{THIRD.hints[0]}\n",
        "  → 你\n",
        "  3  a chunk says how long it is  ← here\n",
        "Start exercise 3 again? y/n\nno\n",
        "Exercise 3 does not pass yet. Go on anyway? y/n\nno\n",
    ]
    at = [out.index(part) for part in parts]
    assert at == sorted(at)


def test_without_any_input(folder: Path, start: Start) -> None:
    """It checks once and reports the result."""
    put(folder, THIRD, "solution.py")
    process = start(*learn(folder))
    code, out, error = outputs(process)
    assert (code, error) == (0, "")
    again = f"{typed(sys.executable)} -m workshop solution 3 --dir {folder}"
    assert f"✓ passes\nn goes on. To compare with our solution: {again}\n" in out
    assert progress(folder) == Progress(current=3, passed={3})


# ---- keys in a terminal


KEYS = "q quit"


@pytest.mark.parametrize("poll", [(), ("--poll",)], ids=["notified", "polling"])
def test_keys_and_saved_files(poll: tuple[str, ...], folder: Path) -> None:
    """A saved file is checked, keys work at once, and the next lesson begins only with `n`."""
    with terminal(sys.executable, *learn(folder, *poll)) as (screen, process):
        shown = screen.until(KEYS)
        assert "it is not written yet: encode" in shown
        assert f"0/{len(LESSONS)}" in shown
        screen.press(b"h")
        assert "Hint 1 of 3" in screen.until(KEYS)
        os.remove(folder / THIRD.name / "exercise.py")  # as an editor may, before it writes
        put(folder, THIRD, "wrong_characters_not_bytes.py")
        shown = screen.until(KEYS)
        assert "checking…" in shown
        assert "size 1 counts characters: '你' is 3 bytes" in shown
        assert "\x1b[1;31m" in shown
        screen.press(b"s")
        assert "1␍␊你␍␊" in screen.until(KEYS)
        screen.press(b"n")
        assert "Go on anyway?" in screen.until("y/n")
        put(folder, THIRD, "solution.py")
        assert "passes" in screen.until(KEYS)  # the question is cancelled
        assert progress(folder).current == 3
        screen.press(b"l\x1b[A")
        assert "← here" in screen.until(KEYS)
        screen.until(KEYS)  # an arrow has no function: the keys are shown again
        screen.press(b"n")
        assert "Lesson 3" not in screen.until(KEYS)
        assert progress(folder).current != 3
        screen.press(b"q")
        assert process.wait(SAFETY) == 0


def test_keys_during_an_endless_check(folder: Path) -> None:
    """A hint is shown, a newer save replaces the check, and ^C ends it all with exit code 130."""
    path = put(folder, THIRD, "solution.py")
    with terminal(sys.executable, *learn(folder), NO_COLOR="1") as (screen, process):
        assert "\x1b[3" not in screen.until(KEYS)
        lifeline = Lifeline(path.parent)
        path.write_text(f"{lifeline.code}while True:\n    pass\n")
        screen.until("checking…")
        lifeline.begun()
        screen.press(b"h")
        assert "Hint 1 of 3" in screen.until(KEYS)
        put(folder, THIRD, "wrong_no_last_chunk.py")
        assert "nothing says that it is complete" in screen.until(KEYS)
        lifeline.ended()
        screen.press(b"x")
        screen.until("y/n")
        screen.press(b"y")
        assert "it is not written yet" in screen.until(KEYS)
        screen.press(b"\x03")
        assert process.wait(SAFETY) == 130


def test_ctrl_c_while_a_check_runs(folder: Path, start: Start) -> None:
    """`workshop check` ends with exit code 130 and without a traceback."""
    path = put(folder, THIRD, "exercise.py")
    lifeline = Lifeline(path.parent)
    path.write_text(f"{lifeline.code}while True:\n    pass\n")
    process = start("-m", "workshop", "check", "3", "--dir", str(folder))
    lifeline.begun()
    process.send_signal(signal.SIGINT)
    assert outputs(process) == (130, "", "")
    lifeline.ended()
