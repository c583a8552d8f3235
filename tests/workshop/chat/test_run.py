"""`workshop chat` without a terminal (with one: test_terminal.py)."""

import errno
import io
import os
import re
import socket
import tracemalloc
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from servers import chat as server
from servers.llm.model.texts import TORTURE
from servers.llm.pace import Pace
from workshop.chat import key_of, main, usual_model
from workshop.chat.answer import Answer, Conversation, Ending, _ending
from workshop.chat.markdown import Blocks, Lines, escape
from workshop.chat.screen import PipeView, TerminalView

from ...conftest import Start
from ...interop.held import Held, hold
from ...saying import answer

# ---- Markdown that is still growing

BLOCKS = {
    "one line": ("Two, thr", [], "Two, thr"),
    "a block": ("# One\n\nTwo, thr", ["# One\n\n"], "Two, thr"),
    "only a blank line": ("# One\n\n", [], "# One\n\n"),
    "a line under way": ("# One\n\n ", [], "# One\n\n "),
    "an item's paragraph": ("- a\n\n  b\n", [], "- a\n\n  b\n"),
    "a blank line in a fence": ("```py\nx\n\ny\n", [], "```py\nx\n\ny\n"),
    "after a fence": ("```py\nx\n\n```\n\nt", ["```py\nx\n\n```\n\n"], "t"),
    "a fence in a fence": ("````\n```\n\nx\n````\n\nt", ["````\n```\n\nx\n````\n\n"], "t"),
    "other fences": ("~~~\n```\n\n~~~ no\n\n~~~~\n\nt", ["~~~\n```\n\n~~~ no\n\n~~~~\n\n"], "t"),
    "a fence in an item": ("1. ```\n   x\n\ny", [], "1. ```\n   x\n\ny"),
    "no fence": ("```a``` b\n\nt", ["```a``` b\n\n"], "t"),
}


@pytest.mark.parametrize(("text", "final", "tail"), BLOCKS.values(), ids=BLOCKS)
def test_blocks(text: str, final: list[str], tail: str) -> None:
    """The same blocks, however the text was cut."""
    for pieces in ([text], list(text)):
        blocks = Blocks()
        found = [block for piece in pieces for block in blocks.feed(piece)]
        assert (found, blocks.tail) == (final, tail)


def test_the_tail_stays_short() -> None:
    """A repaint draws at most a screen, also in a fence of 10,000 lines or a line of 1 MB."""
    blocks = Blocks()
    blocks.feed("```py\n" + "x = 1\n" * 10_000)
    assert blocks.tail_end(20, 80) == "```py\n" + "x = 1\n" * 20
    blocks = Blocks()
    blocks.feed("x" * 1_000_000)
    assert blocks.tail_end(20, 80) == "x" * 1600
    blocks.feed("\ny")
    assert blocks.tail_end(20, 80) == "x" * 1598 + "\ny"


def test_a_long_line_is_not_copied_for_each_piece() -> None:
    """After a line of 1 MB a piece takes few bytes: else n pieces would copy n² bytes."""
    blocks = Blocks()
    blocks.feed("x" * 1_000_000)
    tracemalloc.start()
    try:
        for piece in ("y", "z"):
            blocks.feed(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000
    assert blocks.tail_end(1, 4) == "xxyz"
    assert blocks.feed("\n") == []
    assert len(blocks.tail) == 1_000_003


def shown(*texts: str, last: int | None = None) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    for text in texts:
        console.print(Lines(text, last))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().split("\n") if line.strip()]


def test_blocks_look_the_same_as_the_whole_text() -> None:
    blocks = Blocks()
    final = [block for letter in TORTURE for block in blocks.feed(letter)]
    assert len(final) > 20
    assert shown(*final, blocks.tail) == shown(TORTURE)


def test_link_definitions_are_shown() -> None:
    """Models write sources and warnings in this form."""
    text = (
        "See [1] and [two][2].\n\n[1]: https://a.example/one\n[2]: /two 'Two'\n\n[Warning]: do-not"
    )
    assert shown(text) == [
        "See [1] and [two][2].",
        "[1]: https://a.example/one [2]: /two 'Two'",
        "[Warning]: do-not",
    ]


CUT = "# A\r\n\r\n```py\r\nx = 1\r\n```\r\n\r\nafter **b**\rand c\r\r- d\r\n- 😀\r\n"


def drawn(pieces: list[str]) -> str:
    file = io.StringIO()
    console = Console(file=file, width=60, height=10)
    with TerminalView(console, keep_thinking=True) as screen:
        for piece in pieces:
            screen.thinking(piece)
        for piece in pieces:
            screen.text(piece)
            screen.paint()
    return file.getvalue()


def test_a_text_cut_anywhere_looks_the_same() -> None:
    """CR LF is one line end, even if a piece ends inside it. A CR alone is one, too."""
    whole = drawn([CUT])
    assert "␍" not in whole
    assert "after b and c" in whole
    assert drawn([CUT.replace("\r\n", "\n").replace("\r", "\n")]) == whole
    assert drawn(list(CUT)) == whole
    for cut in range(len(CUT)):
        assert drawn([CUT[:cut], CUT[cut:]]) == whole


def test_a_pipe_to_a_terminal_that_cannot_move_its_cursor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for pieces in (["a\r\nb\x1b"], list("a\r\nb\x1b")):
        pipe = PipeView(to_terminal=True)
        for piece in pieces:
            pipe.text(piece)
        pipe.end()
        assert capsys.readouterr().out == "a\nb␛\n"
    pipe = PipeView(to_terminal=True)
    for piece in ("a\r\n", "\r"):
        pipe.text(piece)
    pipe.end()
    assert capsys.readouterr().out == "a\n"


def test_html_and_pictures_are_shown_as_text() -> None:
    """A link shows its address."""
    assert shown("<b>x</b> ![p](q.png) [a](https://e.org/)\n\n<script>\ny") == [
        "<b>x</b> !p (q.png) a (https://e.org/)",
        "<script> y",
    ]


def test_the_last_lines() -> None:
    assert shown("1. a\n2. b\n3. c", last=2) == [" 2 b", " 3 c"]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\tb\n你🌊", "a\tb\n你🌊"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\u202emoc.live\u202c \u200fשלום", "\ufffdmoc.live\u202c \u200fשלום"),
        ("a\r\nb\rc", "a\nb␍c"),
        ("\x9b31m\x7f\x00", "�31m␡␀"),
    ],
)
def test_escape(text: str, seen: str) -> None:
    assert escape(text) == seen


HOSTILE = (
    "\x1b]52;c;cm0gLXJm\x07 \x1b[2J\x9b2J &#27;[2J &#x9b;2J `\x1b[2J`\n\n\x1b[1A\r\n- \x08\x0c"
)


def test_a_models_text_does_not_control_the_terminal() -> None:
    """The only escape sequences are rich's own: colours, and the cursor within the tail."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=60, height=10)
    with TerminalView(console, keep_thinking=True) as screen:
        for piece in HOSTILE:
            screen.thinking(piece)
            screen.paint()
        for piece in HOSTILE:
            screen.text(piece)
            screen.paint()
    written = re.sub(r"\x1b\[([0-9;]*m|2K|1A|\?25[lh])", "", file.getvalue())
    assert re.findall(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", written) == []
    assert "␛]52;c;cm0gLXJm␇" in written


# ---- One question


@pytest.fixture(scope="module")
def llm() -> Iterator[Held]:
    """The simulated LLM, which is allowed to send 3,000 pieces."""
    with hold(server.routes(Pace(0, 0))) as held:
        held.release(3000)
        yield held


def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
    given: str = "",
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    code = main(arguments)
    out, error = capsys.readouterr()
    return code, out, error


def test_a_pipe(
    llm: Held, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text and nothing else."""
    at = ("--base-url", f"{llm.url}/v1")
    text = "".join(answer("你好").text)
    expected = text if text.endswith("\n") else text + "\n"
    assert run(monkeypatch, capsys, *at, given="你好\n") == (0, expected, "")
    assert run(monkeypatch, capsys, *at, "你好") == (0, expected, "")


def test_a_cut_off_answer(
    llm: Held, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text that came is printed. Exit code and standard error say that it is incomplete."""
    code, out, error = run(
        monkeypatch, capsys, "--base-url", f"{llm.url}/v1", "--model", "fault-clean-cut@40", "你好"
    )
    assert code == 3
    assert out.strip()
    assert "".join(answer("你好").text).startswith(out.rstrip("\n"))
    assert error == (
        "workshop chat: cut off: the stream ended without a finish_reason and without [DONE]\n"
    )


def test_a_refusal(
    llm: Held, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--base-url", f"{llm.url}/v1", "--model", "fault-429", "--no-usage", "hi")
    code, out, error = run(monkeypatch, capsys, *asked)
    assert (code, out) == (1, "")
    assert re.fullmatch(r"workshop chat: error: .*\(status 429\); try again in \d+ s\n", error)


def test_nobody_listens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("workshop.chat.answer.LOCAL_URL", "http://127.0.0.1:1/v1")
    code, out, error = run(monkeypatch, capsys, "--base-url", "http://127.0.0.1:1/v1", "hi")
    assert (code, out) == (1, "")
    assert error == (
        "workshop chat: error: nothing listens at http://127.0.0.1:1/v1; start it with: workshop\n"
    )


def test_a_server_that_sends_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It accepts the connection."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        asked = ("--base-url", url, "--timeout", "0.01", "hi")
        code, out, error = run(monkeypatch, capsys, *asked)
    assert (code, out) == (1, "")
    assert error == f"workshop chat: error: no answer from {url} in 0.01 s\n"


def test_raw(
    llm: Held,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It shows both directions, with visible line ends, and no key."""
    key = tmp_path / "key"
    key.write_text("a-canary-of-no-form\n")
    key.chmod(0o600)
    flags = ("--base-url", f"{llm.url}/v1", "--key-file", str(key), "--raw", "--model", "echo")
    code, out, error = run(monkeypatch, capsys, *flags, "a\x1bb")
    assert (code, error) == (0, "")
    assert "\n  Authorization: Bearer [redacted]␍␊\n" in out
    assert "\n  HTTP/1.1 200 OK␍␊\n" in out
    assert '"delta":{"content":"a' in out
    assert "data: [DONE]␊\n" in out
    assert "canary" not in out
    assert "\x1b" not in out


USAGE = {
    "no question": ([], "no question"),
    "no URL": (["--base-url", "localhost:8000", "hi"], "not a base URL"),
    "no such file": (["--key-file", "/no/such", "hi"], os.strerror(errno.ENOENT)),
    "no time": (["--timeout", "soon", "hi"], "not a number of seconds"),
    "no CA": (["--ca-file", "/no/such", "hi"], "the CA file /no/such"),
}


@pytest.mark.parametrize(("arguments", "said"), USAGE.values(), ids=USAGE)
def test_usage(
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, capsys, *arguments, given=" \n")
    assert said in capsys.readouterr().err


def test_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent over https only."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-chat")
    assert key_of(Namespace(key_file=None, base_url="http://localhost:8000/v1")) is None
    key = key_of(Namespace(key_file=None, base_url="https://example.com/v1"))
    assert key is not None
    assert key.reveal() == "sk-canary-chat"
    assert usual_model("https://example.com/v1") == "gpt-4o-mini"


@pytest.mark.parametrize("flags", [[], ["--raw"]])
def test_the_reader_of_our_output_closes_it(llm: Held, start: Start, flags: list[str]) -> None:
    """`workshop chat hi | head -c 1` ends without a traceback."""
    process = start("-m", "workshop", "chat", *flags, "--base-url", f"{llm.url}/v1", "你好")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    assert process.wait(60) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""


# ---- The end of an answer, and its statistics


@pytest.mark.parametrize(
    ("reason", "ending", "words"),
    [
        ("stop", Ending.COMPLETE, "complete"),
        (None, Ending.COMPLETE, "complete"),
        ("length", Ending.LENGTH, "length limit"),
        ("content_filter", Ending.COMPLETE, "complete: content_filter"),
        ("error", Ending.ERROR, "error: the server only says error"),
    ],
)
def test_ending(reason: str | None, ending: Ending, words: str) -> None:
    found, why = _ending(reason)
    assert (found, Answer(ending=found, reason=why).outcome) == (ending, words)


def test_stats() -> None:
    assert Answer(pieces=3, tokens=5, first=1.0, last=3.0, request_id="r").stats() == (
        "TTFT 1.00 s · 5 tokens · 2.0/s · r · complete"
    )
    assert Answer(pieces=1, first=0.5, last=0.5).stats() == "TTFT 0.50 s · 1 piece · complete"
    assert Answer(ending=Ending.ERROR, reason="no").stats() == "error: no"


def test_a_question_without_an_answer_is_not_kept() -> None:
    conversation = Conversation("m", "be brief")
    conversation.add("a", "")
    conversation.add("b", "B")
    said = [(one.role, one.text) for one in conversation.request("c", include_usage=False).messages]
    assert said == [("system", "be brief"), ("user", "b"), ("assistant", "B"), ("user", "c")]
