"""`workshop bench streams` shows each figure and writes its JSON. No test checks a speed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.bench import figures, peers, streams, table
from tests.bench.figures import Figure, Goal, Result, Run
from tests.bench.peers import client
from tests.bench.peers.check import check, check_whole
from tests.bench.stream_figures import CAPACITY, CPU
from tests.interop.peers import need
from workshop import bench

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the load client needs epoll and /proc"
)
TINY = streams.Scale(
    streams=4,
    most=4,
    clients=2,
    many=2,
    together=2,
    memory=4,
    seconds=0.2,
    rounds=1,
    tries=1,
    everyone=False,
)
SAME_CODE = (
    "unpaced",
    "short answers, streamed",
    "first byte, 1 client",
    "first byte, many clients",
)


@pytest.fixture(scope="module")
def program() -> Iterator[Path]:
    need("cc", "gcc and libc6-dev", "gcc")
    compiler = client.compiler()
    assert compiler is not None
    with client.built(compiler) as program:
        yield program


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, program: Path) -> None:
    """A few short streams, ours beside peers that need no installation, once for each measure."""
    monkeypatch.setattr(streams, "FULL", TINY)
    once = {figure: run for figure, run in streams.FIGURES.items() if figure.name not in SAME_CODE}
    monkeypatch.setattr(streams, "FIGURES", once)
    monkeypatch.setattr(streams, "PEERS", (peers.OURS, peers.FASTAPI, peers.SEND))
    monkeypatch.setattr(peers.Peer, "absence", property(absence))


HERE = {peers.OURS.name, peers.SEND.name, peers.ONE_WORKER.name}


def absence(peer: peers.Peer) -> str:
    return "" if peer.name in HERE else "without it; to add: install it"


@pytest.mark.usefixtures("tiny")
def test_every_figure_is_shown_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "streams.json"
    assert bench.main(["streams", "--json", str(file)]) == 0
    captured = capsys.readouterr()
    report = json.loads(file.read_text(encoding="utf-8"))
    assert [figure["name"] for figure in report["figures"]] == streams.names()
    for figure in report["figures"]:
        assert figure["name"] in captured.out
        for name, server in figure["servers"].items():
            assert name in captured.out
            assert server["runs"] if name in HERE else "absent" in server, figure["name"]
    assert "FastAPI is marked as absent: without it; to add: install it" in captured.err
    assert "FastAPI is absent: " in captured.out
    assert report["settings"]["streams"] == 4
    assert {"processor", "cores", "python"} <= report["machine"].keys()


PRESENT = [peer for peer in peers.PEERS if not peer.absence]


@pytest.mark.parametrize("peer", PRESENT, ids=lambda peer: peer.name)
def test_peers_do_the_same_work(peer: peers.Peer) -> None:
    """One answer of each installed server."""
    found = check(peer, client.cores()[0])
    assert found["tokens"] == 12 or peer is peers.OURS
    assert round(found["bytes"]) in range(180, 330)


@pytest.mark.parametrize("peer", [peer for peer in PRESENT if peer is not peers.AIMOCK])
def test_peers_give_the_same_whole_answer(peer: peers.Peer) -> None:
    if peer is not peers.SEND:  # it only streams
        check_whole(peer, client.cores()[0])


@pytest.mark.parametrize("itl", [0.0002, 0.0], ids=["paced", "unpaced"])
def test_every_token_of_every_stream_arrives_once_under_overload(program: Path, itl: float) -> None:
    """64 streams of 5,000 tokens/s each, or of as many as possible, are more than a core can make.
    The load client counts the tokens of each answer, and compares their text."""
    setting = peers.Setting(0, itl, 50)
    with peers.serving(peers.OURS, setting, client.cores()[0]) as server:
        load = client.Client(program, client.cores()[1])
        counted = load.drive(server, setting, 64, spread=0.1, warm=0.1, seconds=0.5, begins=True)
    assert counted["answers"] > 0
    assert (counted["failures"], counted["different"]) == (0, 0)


@pytest.mark.parametrize(
    ("arrivals", "late", "lag"),
    [
        ([0.25, 0.30, 0.35, 0.40], [0, 0, 0, 0], 0.05),  # the whole schedule is late by `lag`
        ([0.20, 0.25, 0.33, 0.35], [0, 0, 0.03, 0], 0.0),  # one late token delays no other
        ([0.20, 0.26, 0.32, 0.38], [0, 0.01, 0.02, 0.03], 0.0),  # a drift adds up
        ([0.35, 0.35, 0.35, 0.35], [0.15, 0.10, 0.05, 0], 0.0),  # a burst: late by the wait
        ([0.20, 0.25, 0.30], [0, 0, 0, 0.05], 0.0),  # missing: late by the time since it was due
        ([], [0.20, 0.15, 0.10, 0.05], None),  # without any token all are late
    ],
)
def test_lateness(
    program: Path, arrivals: list[float], late: list[float], lag: float | None
) -> None:
    """ITL 0.05 s, four tokens, the first due at 0.20 s; the measurement ends at 0.40 s."""
    answer = subprocess.run(
        [str(program), "lateness", "0.05", "0.20", "0.40", "4"],
        input=" ".join(map(str, arrivals)),
        capture_output=True,
        text=True,
        check=True,
    )
    numbers, _, schedule = answer.stdout.partition("|")
    assert [float(number) for number in numbers.split()] == pytest.approx(late, abs=1e-5)
    assert [float(number) for number in schedule.split()] == pytest.approx(
        [] if lag is None else [lag], abs=1e-5
    )


@pytest.mark.parametrize("limit", [1, 130, 700, 1000, 1001, 2500, 99999])
def test_search(limit: int) -> None:
    scale = streams.Scale(streams=1000, most=8000, tries=1)
    search, levels = streams.Search(scale), 0
    while not search.done:
        search.tell(search.level <= limit)
        levels += 1
    assert min(limit, 8000) / 1.15 <= search.held <= limit
    assert levels <= 14


def test_a_missed_level_gets_a_second_try() -> None:
    search = streams.Search(streams.Scale(streams=100))
    search.tell(False)
    assert search.level == 100
    search.tell(True)
    assert (search.held, search.level) == (100, 200)


def test_a_race_ends_in_time() -> None:
    """When its minutes are over, each figure gets one round, and a search ends as soon as each
    server has held a level."""
    late = streams.Bench(streams.FULL, client.Client(Path(), 0), 0, until=0.0)
    here = [peers.OURS, peers.SEND]
    assert [peer for peer, _ in streams._turns(late, CPU, here)] == here
    levels = []
    for peer, try_level in streams._turns(late, CAPACITY, here):
        *_, search = cast(Any, try_level).args
        levels.append((peer, search.level))
        search.tell(peer is peers.OURS or search.level < 1000)
    assert levels == [
        (peers.OURS, 1000),
        (peers.SEND, 1000),
        (peers.OURS, 2000),
        (peers.SEND, 1000),  # a second try
        (peers.OURS, 4000),
        (peers.SEND, 500),
    ]


def test_goals() -> None:
    figure = Figure("cpu", "µs", (), ())
    results = {
        "ours": Result([Run(9, {"p99": 2.0}), Run(4, {"p99": 4.0}), Run(5, {"p99": 3.0})]),
        "peer": Result([Run(10, {"p99": 2.0})]),
        "gone": Result(absent="without it"),
    }
    found = figures.judge(figure, Goal("peer", 0.55, 0.4), results)
    assert found
    assert (found.number, found.met, found.aim_met) == (0.5, True, False)
    found = figures.judge(figure, Goal("peer", aim=1, fact="p99"), results)
    assert found
    assert (found.number, found.met, found.aim_met) == (1.5, None, False)
    found = figures.judge(figure, Goal(must=5), results)
    assert found
    assert (found.number, found.met, found.aim_met) == (5, True, None)
    assert figures.judge(figure, Goal("gone", 1), results) is None


def test_a_server_with_another_answer_is_not_timed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], program: Path
) -> None:
    def other(peer: peers.Peer, core: int) -> dict[str, float]:
        raise table.DifferentWork(f"{peer.name}: 2 tokens in one chunk")

    monkeypatch.setattr(streams, "check", other)
    assert bench.main(["streams", "--quick"]) == 1
    assert "not timed: ours: 2 tokens in one chunk" in capsys.readouterr().err


def test_without_a_compiler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(client, "compiler", lambda: None)
    assert bench.main(["streams"]) == 2
    assert "install gcc" in capsys.readouterr().err


def test_no_such_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["streams", "--only", "nonsense"]) == 2
    assert "CPU per paced token" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--rounds", "0"], ["--seconds", "0"], ["--seconds", "x"]])
def test_bad_numbers(flags: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        bench.main(["streams", *flags])
    assert stop.value.code == 2


def test_a_missing_peer_says_how_to_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert "uvloop" in peers.FASTAPI.absence
    assert "pip install -c .ci/locked.txt -e '.[bench]'" in peers.FASTAPI.absence
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("NPM_CONFIG_CACHE", "/nowhere")
    monkeypatch.setattr(peers, "ROOT", Path("/nowhere"))
    assert "llmock" in peers.AIMOCK.absence
    assert "npm install" in peers.AIMOCK.absence
    assert peers.OURS.absence == ""


@pytest.mark.parametrize("where", ["clone/node_modules/.bin", "npm/_npx/5f/node_modules/.bin"])
def test_a_peer_is_found_where_npm_puts_it(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / where / "llmock"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("NPM_CONFIG_CACHE", str(tmp_path / "npm"))
    monkeypatch.setattr(peers, "ROOT", tmp_path / "clone")
    assert peers.AIMOCK.absence == ""
    assert peers.aimock(peers.Setting(0, 0, 1), tmp_path)[0] == str(program)
