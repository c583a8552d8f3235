"""`workshop bench proxy` shows each figure and writes its JSON. No test checks a speed."""

import json
from pathlib import Path

import pytest

from tests.bench import proxy, table, tls_write
from tests.bench.peers import Peer, client
from tests.bench.peers.proxies import DIRECT, FASTAPI, LITELLM, OURS
from tests.interop.peers import need
from tests.workshop.test_bench_streams import pytestmark  # noqa: F401 - Linux only
from workshop import bench

TINY = proxy.Scale(streams=4, memory=4, writes=100, seconds=0.2, rounds=1)


@pytest.fixture(autouse=True)
def _compiler() -> None:
    need("cc", "gcc and libc6-dev", "gcc")


def absence(peer: Peer) -> str:
    return "" if peer.name == OURS else "without it; to add: install [it]"


def test_every_figure_is_shown_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only over TLS, because the plain race differs only in its connections."""
    monkeypatch.setattr(proxy, "FULL", TINY)
    monkeypatch.setattr(Peer, "absence", property(absence))
    file = tmp_path / "proxy.json"
    assert bench.main(["proxy", "--only", "TLS", "--json", str(file)]) == 0
    captured = capsys.readouterr()
    report = json.loads(file.read_text(encoding="utf-8"))
    *figures, write = report["figures"]
    assert [figure["name"] for figure in report["figures"]] == proxy.names("TLS")
    assert list(write["servers"]) == [tls_write.OURS, tls_write.TRIO]
    for figure in figures:
        assert figure["name"] in captured.out
        assert list(figure["servers"]) == [peer.name for peer in proxy.PEERS]
        for name, server in figure["servers"].items():
            assert "absent" in server if name != OURS else server["runs"], figure["name"]
    assert f"{FASTAPI} is absent: without it; to add: install [it]" in captured.out
    assert report["settings"]["streams"] == 4


PRESENT = [peer.name for peer in proxy.PEERS if not peer.absence and peer.name != LITELLM]


@pytest.mark.parametrize(("name", "secure"), [(OURS, False), *((name, True) for name in PRESENT)])
def test_proxies_do_the_same_work(name: str, secure: bool) -> None:
    """One answer through each installed proxy, except LiteLLM, which takes long to load."""
    core = client.cores()[0]
    with proxy.certified() as certificate:
        unused = client.Client(Path(), core)
        setup = proxy.Bench(TINY, unused, core, certificate if secure else None)
        proxy._check(setup, name)


def test_a_proxy_that_changes_the_answer_is_not_timed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If it is ours, the race stops; another proxy is left out, with the reason."""

    def other(setup: proxy.Bench, name: str) -> None:
        raise table.DifferentWork(f"{name}: 2 tokens in one chunk")

    monkeypatch.setattr(proxy, "_check", other)
    assert bench.main(["proxy", "--quick", "--only", "CPU per relayed event, plain"]) == 1
    assert "not timed: ours: 2 tokens in one chunk" in capsys.readouterr().err


def test_a_timestamp_in_a_token_gives_its_age() -> None:
    """Without a proxy the age is more than nothing and less than 10 s."""
    with client.built(client.compiler() or "") as program:
        core = client.cores()[0]
        setup = proxy.Bench(TINY, client.Client(program, core), core)
        (run,) = proxy._relay(setup, DIRECT).values()
    assert 0 < run.value <= run.facts["p99"] <= run.facts["max"] < 10_000
