"""`workshop xray` as a command: its flags, its output, its files, and its exit codes."""

import errno
import io
import json
import os
import sys
from base64 import b64encode
from pathlib import Path

import pytest
import trio
from rich.console import Console

from clients.streams.tcp import Connect
from protocol.recording import read_recording
from servers.http.reply import Reply
from workshop.__main__ import main as workshop
from workshop.xray import command
from workshop.xray.command import Command, exit_code
from workshop.xray.flags import parser
from workshop.xray.report import Verdict
from workshop.xray.tap.tap import TapOptions

from .chains import network
from .running import HOP, KEY, URL, Saying, chained, xray
from .test_curl_trace import HEAD, trace

# ---- What it prints


async def test_live_view_and_summary(autojump_clock: object) -> None:
    code, shown = await xray(URL)
    assert code == 0
    assert shown.index("HTTP/1.1 200 OK") < shown.index("one7") < shown.index(URL)


async def test_summary_shows_no_bytes(autojump_clock: object) -> None:
    code, shown = await xray(URL, "--summary")
    assert code == 0
    assert "live" in shown
    assert "HTTP/1.1" not in shown


async def test_json(autojump_clock: object) -> None:
    code, shown = await xray(URL, "--json")
    assert code == 0
    assert shown.count("\n") == 1
    report = json.loads(shown)
    assert list(report) == [
        "url",
        "status",
        "verdicts",
        "counts",
        "ttft_ms",
        "head_ms",
        "gaps_ms",
        "wire_bytes",
        "text_bytes",
        "end",
        "end_ms",
        "quiet_ms",
    ]
    assert (report["url"], report["status"]) == (URL, 200)
    assert list(report["verdicts"][0]) == ["code", "sure", "say", "cure", "hop", "facts"]
    assert (report["ttft_ms"], report["gaps_ms"]["p50"]) == (500, 50)


async def test_json_does_not_control_the_terminal(autojump_clock: object) -> None:
    hostile = "\x1b]0;a\x07\x7f\x9b31m\u202e\U000e0001你"
    body = f'data: {{"error":{{"message":{json.dumps(hostile)}}}}}\n\n'
    reply = Reply(body, content_type="text/event-stream")
    _, shown = await xray(URL, "--json", server=Saying(reply))
    assert hostile in json.loads(shown)["verdicts"][0]["say"]
    assert shown.removesuffix("\n").isprintable()


async def test_hex(autojump_clock: object) -> None:
    _, shown = await xray(URL, "--hex")
    assert "48 54 54 50" in shown


# ---- Exit codes


async def test_a_fault_is_1(autojump_clock: object) -> None:
    code, shown = await xray(URL, "--json", server=Saying(Reply("<p>Hello</p>", 502)))
    assert code == 1
    assert json.loads(shown)["verdicts"][0]["code"] == "not-a-stream"


USAGE = {
    (): "give a URL, or a FILE with a recording; --help shows examples",
    ("nothing.jsonl",): "nothing.jsonl is neither a file nor a URL; a URL begins with http://",
    ("ftp://h/",): "not an http:// or https:// URL: 'ftp://h/'",
    (URL, "--key"): "--key sends OPENAI_API_KEY, but that is not set; or --key-file",
    ("--compare", f"a={URL}"): "a comparison needs two ways or more, nearest to the server first",
    ("--compare", URL, URL): "--compare wants NAME=URL NAME=URL …, nearest to the server first",
    (URL, "--compare", f"a={URL}"): "give --compare NAME=URL …, or one URL with --via, not both",
    ("--compare", f"a={URL}", f"b={URL}", "--har", "a"): "a comparison writes no files: --save, "
    "--html, --har and --pcap take one URL",
    (URL, "--via", "a b/"): "--via wants [NAME=]HOST[:PORT], such as nginx=10.0.0.7:8080",
    (URL, "--via", "h:65536"): "--via wants [NAME=]HOST[:PORT], such as nginx=10.0.0.7:8080",
    (URL, "--probe"): "an answer may cost money: add --yes to send these requests",
    ("--listen", "0"): "a tap needs both: --listen PORT --to URL",
    ("--to", "http://h"): "a tap needs both: --listen PORT --to URL",
    (URL, "--listen", "0", "--to", "http://h"): "a tap asks nothing itself: give --listen PORT "
    "--to URL without these",
    (URL, "--top"): "--top does nothing with a URL",
    (URL, "--speed", "2"): "--speed does nothing with a URL",
    ("a.jsonl", "--probe"): "--probe does nothing with a FILE: what is in it was asked already",
    (
        "a.jsonl",
        "-X",
        "POST",
    ): "--request does nothing with a FILE: what is in it was asked already",
    ("--listen", "0", "--to", "http://h", "--summary"): "--summary does nothing with --listen: "
    "--top shows a table, and on a pipe a line for each stream",
    (URL, "--via", "h", "--hex"): "--hex does nothing with a comparison",
    (URL, "-d", "@nothing"): f"nothing: {os.strerror(errno.ENOENT)}",
    (URL, "--ca-file", "nothing"): f"the CA file nothing: {os.strerror(errno.ENOENT)}",
}


@pytest.mark.parametrize("arguments", USAGE)
async def test_usage_is_2(
    arguments: tuple[str, ...],
    autojump_clock: object,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    server = Saying(Reply(""))
    assert await xray(*arguments, server=server) == (2, "")
    assert capsys.readouterr().err.splitlines()[-1] == f"workshop xray: {USAGE[arguments]}"
    assert server.asked == []


@pytest.mark.parametrize("flag", ["-k", "--insecure"])
def test_insecure_is_refused(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        workshop(["xray", URL, flag])
    assert ended.value.code == 2
    assert "x-ray checks every certificate" in capsys.readouterr().err


async def test_no_connection_is_3(
    autojump_clock: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await xray("http://nowhere/") == (3, "")
    words = "no connection to nowhere: Name or service not known"
    assert capsys.readouterr().err == f"workshop xray: {words}\n"
    assert await xray("--compare", f"server={URL}", "proxy=http://nowhere/") == (3, "")
    assert capsys.readouterr().err == f"workshop xray: proxy: {words}\n"


def test_exit_code() -> None:
    def code(*verdicts: tuple[str, float]) -> int:
        return exit_code([Verdict(code=name, sure=sure, say="") for name, sure in verdicts])

    assert code(("live", 0.9)) == 0
    assert code(("live", 0.5)) == 4
    assert code(("coalesced", 0.6)) == 1
    assert code(("coalesced", 0.5), ("nagle", 0.6)) == 1
    assert code(("coalesced", 0.5)) == 4
    assert code(("unsure", 0.9)) == 4


@pytest.mark.parametrize("habit", ["-sN", "-i", "--compressed", "-sSN", "--no-buffer"])
async def test_habits_of_curl_are_accepted(habit: str, autojump_clock: object) -> None:
    assert (await xray(habit, URL, "--json"))[0] == 0


# ---- What it quotes


async def test_a_refusal_is_quoted(autojump_clock: object) -> None:
    error = Reply('{"error":{"message":"no such model"}}', 404)
    _, shown = await xray(URL, "--summary", server=Saying(error))
    assert 'It says: "no such model"' in " ".join(shown.split())


# ---- Recordings


async def test_save_and_replay(autojump_clock: object, tmp_path: Path) -> None:
    """A recording gives the same report and the same view as the stream."""
    saved = tmp_path / "a.jsonl"
    _, told = await xray(URL, "--json", "--save", str(saved))
    with saved.open("rb") as lines:
        reads = list(read_recording(lines))
    assert (reads[0].sender, reads[0].url) == ("client", URL)
    assert await xray(str(saved), "--json") == (0, told)
    assert (await xray(str(saved)))[1].count("one7") == 1
    har, pcap, again = tmp_path / "a.har", tmp_path / "a.pcap", tmp_path / "again.jsonl"
    await xray(str(saved), "--summary", "--har", str(har), "--pcap", str(pcap))
    await xray(str(har), "--summary", "--save", str(again))
    assert (await xray(str(again), "--json"))[0] == 0
    assert json.loads(har.read_bytes())["log"]["entries"][0]["request"]["url"] == URL
    assert b"one7 " in pcap.read_bytes()


def test_main(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command itself, started as `workshop`."""
    saved = tmp_path / "a.jsonl"
    head = b64encode(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").decode()
    saved.write_text(f'{{"at":1,"sender":"server","bytes":"{head}"}}\n')
    assert workshop(["xray", str(saved), "--summary"]) == 1
    assert "not-a-stream" in capsys.readouterr().out
    saved.write_text('{"at":1,"sender":"client"}\n')
    assert workshop(["xray", str(saved)]) == 2
    assert capsys.readouterr().err == f"workshop xray: {saved} holds no response\n"


async def test_replay_takes_its_time(autojump_clock: object, tmp_path: Path) -> None:
    saved = tmp_path / "a.jsonl"
    await xray(URL, "--summary", "--save", str(saved))
    for flags, seconds in ((), 0.0), (("--speed", "1"), 2.5), (("--speed", "5"), 0.5):
        start = trio.current_time()
        await xray(str(saved), *flags)
        assert trio.current_time() - start == pytest.approx(seconds, abs=0.1)


async def test_a_recording_of_two_responses(autojump_clock: object, tmp_path: Path) -> None:
    """Each exchange is shown. The exit code is that of the worst one."""
    saved = tmp_path / "a.jsonl"
    codes, both = [], b""
    for reply in Reply("Hello"), Reply("<p>Hello</p>", 502):
        codes.append((await xray(URL, "--json", "--save", str(saved), server=Saying(reply)))[0])
        both += saved.read_bytes().replace(b'"sender"', b'"connection":%d,"sender"' % len(codes))
    assert codes == [4, 1]  # of one token nothing is sure
    saved.write_bytes(both)
    code, shown = await xray(str(saved), "--json")
    assert code == 1
    assert [json.loads(line)["status"] for line in shown.splitlines()] == [200, 502]


async def test_which_response_of_a_recording(autojump_clock: object, tmp_path: Path) -> None:
    """A tap records the origin alone. The report has the path, the connection and the time."""
    saved = tmp_path / "a.jsonl"
    await xray(URL, "--json", "--save", str(saved))
    one = saved.read_bytes().replace(URL.encode(), b"http://server")
    saved.write_bytes(one + one.replace(b'"sender"', b'"connection":1,"sender"'))
    _, shown = await xray(str(saved), "--summary")
    assert "response 2 of 2 · connection 1 · asked 0.000 s after the recording began\n" in shown
    assert shown.count(f"GET {URL}\n") == 2


async def test_a_trace_in_ascii_is_not_judged_by_its_contents(tmp_path: Path) -> None:
    entries = [("00.000000", "<= Recv header", line) for line in HEAD]
    event = b'data: {"text":"a \xe4\xbd\xa0 \n\ndata: {broken}\n\n'
    entries += [(f"01.{number}00000", "<= Recv data", event) for number in range(9)]
    saved = tmp_path / "trace.txt"
    saved.write_bytes(trace(entries, is_hex=False))
    _, shown = await xray(str(saved), "--json")
    verdicts = json.loads(shown)["verdicts"]
    assert "bad-events" not in [one["code"] for one in verdicts]


# ---- Several requests


async def test_compare(autojump_clock: object, capsys: pytest.CaptureFixture[str]) -> None:
    ways = ("--compare", f"server={URL}", f"nginx={HOP}")
    code, shown = await chained("rechunk=1000", *ways)
    assert code == 1
    rows = [line.split() for line in shown.splitlines()]
    assert (rows[1][0], rows[1][-1]) == ("server", "live")
    assert (rows[2][0], rows[2][-1]) == ("nginx", "buffered-blocks")
    assert "\n✗ buffered-blocks by nginx, " in shown
    assert "\n  Cure: nginx: proxy_buffering off;\n" in shown
    code, shown = await chained("buffer", *ways, "--json")
    comparison = json.loads(shown)
    assert list(comparison) == ["ways", "verdicts", "cures"]
    assert [way["codes"] for way in comparison["ways"]] == [[], ["buffered-whole"]]
    assert [len(way["reports"]) for way in comparison["ways"]] == [3, 3]
    assert comparison["verdicts"][0]["hop"] == "nginx"
    assert next(iter(comparison["cures"])) == "nginx"
    assert (await chained("none", *ways))[0] == 0
    assert capsys.readouterr().err == ""


async def test_one_way_that_fails(
    autojump_clock: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are compared."""
    ways = ("--compare", f"server={URL}", "lost=http://nowhere/", f"nginx={HOP}", "--json")
    code, shown = await chained("buffer", *ways)
    assert code == 1
    assert [way["name"] for way in json.loads(shown)["ways"]] == ["server", "nginx"]
    lost = "x-ray: left out: lost: no connection to nowhere: Name or service not known\n"
    assert capsys.readouterr().err == lost
    assert (await chained("none", *ways))[0] == 3


async def test_a_comparison_waits_as_long_as_the_answer_takes(autojump_clock: object) -> None:
    """A hop that holds the whole answer is silent during that time, but it is not deaf."""
    ways = ("--compare", f"server={URL}", f"hop={HOP}", "--silence", "1", "--json")
    _, shown = await chained("buffer", *ways)
    assert json.loads(shown)["verdicts"][0]["code"] == "buffered-whole"


async def test_unknown_programs_get_every_line(autojump_clock: object) -> None:
    _, shown = await chained("buffer", "--compare", f"server={URL}", f"proxy={HOP}")
    lines = shown.partition("The line for each program:\n")[2].splitlines()
    assert lines[0].split()[:3] == ["nginx", "proxy_buffering", "off;"]
    assert [line.split()[0] for line in lines if "flush_interval" in line] == ["Caddy"]


async def test_via(autojump_clock: object) -> None:
    """The same URL at other addresses: Host and path stay."""
    server = Saying(Reply("Hello"))
    file = io.StringIO()
    async with network({"server": server, "10.0.0.7": server}) as made:
        vias = ["--via", "server", "--via", "nginx=10.0.0.7:8080"]
        options = parser().parse_args(["http://api.example/a?b", *vias, "--json"])
        await Command(options, Console(file=file), made.connect).run()
        assert made.asked == [("server", 80), ("10.0.0.7", 8080)] * 3
    assert {(one.header("host"), one.target) for one in server.asked} == {("api.example", "/a?b")}
    ways = json.loads(file.getvalue())["ways"]
    assert [(way["name"], way["address"]) for way in ways] == [
        ("server", "server"),
        ("nginx", "10.0.0.7:8080"),
    ]


async def test_probe(autojump_clock: object, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the number of requests before it sends them."""
    code, shown = await chained("only-method=POST", HOP, "--probe", "--yes", "--json")
    assert code == 1
    verdict = json.loads(shown)["verdicts"][0]
    assert verdict["code"] == "method-gated"
    assert verdict["facts"] == {"held": "GET", "live": "POST"}
    changes = "Accept-Encoding: identity, Accept: text/event-stream, POST"
    said = f"x-ray: 4 requests to hop1: yours, and again with {changes}\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(("answer", "count"), [("y\n", 4), ("n\n", 0), ("\n", 0)])
async def test_probe_asks_first(
    answer: str,
    count: int,
    autojump_clock: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed = io.StringIO(answer)
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", typed)
    server = Saying(Reply("Hello"))
    await xray(URL, "--probe", "--summary", server=server)
    assert len(server.asked) == count
    assert "An answer may cost money. Send them? [y/N] " in capsys.readouterr().err


# ---- A tap


async def test_tap(autojump_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {}

    async def listen(options: TapOptions, console: Console, *, connect: Connect) -> int:
        told[options] = connect
        return 130

    monkeypatch.setattr(command, "listen", listen)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    flags = ["--top", "--metrics", "0", "--hex", "--save", "a", "--ca-file", "b", "--keep-host"]
    code, shown = await xray("--listen", "0", "--to", "http://h", *flags)
    assert (code, shown) == (130, "")
    (options,) = told
    assert options == TapOptions(
        to="http://h",
        top=True,
        metrics_port=0,
        hex=True,
        save=Path("a"),
        ca_file="b",
        keep_host=True,
        secrets=(KEY,),
    )
