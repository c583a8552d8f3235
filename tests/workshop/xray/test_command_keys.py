"""`workshop xray` and keys: a key is sent only if a flag asks for it, and no key is shown or
saved."""

import json
from pathlib import Path

import pytest

from protocol.recording import read_recording
from servers.http.reply import Reply
from workshop.xray.command import main

from .running import KEY, Saying, xray_of


async def test_a_key_is_sent_only_when_asked(
    autojump_clock: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o600)
    saved = tmp_path / "saved.jsonl"
    # A server that repeats its request in the response.
    server = Saying(Reply(f"no such key: {KEY}", 401))
    url = "http://localhost/v1/models"

    async def sent(*flags: str) -> str | None:
        _, shown = await xray_of({"localhost": server}, url, "--save", str(saved), *flags)
        told = capsys.readouterr()
        assert KEY not in shown + told.out + told.err + saved.read_text()
        assert "the server wants a key: --key-file FILE, or --key" in told.err
        return server.asked.pop().header("authorization")

    assert await sent() is None
    assert await sent("--key") == f"Bearer {KEY}"
    assert await sent("--key-file", str(file)) == f"Bearer {KEY}"
    code, _ = await xray_of({"h": server}, "http://h/", "--key")
    assert (code, server.asked) == (2, [])
    code, _ = await xray_of({"h": server}, url, "--key", "--via", "h", "--via", "localhost")
    assert (code, server.asked) == (2, [])


def files_in(folder: Path) -> list[bytes]:
    """The content of all files. For recordings, this is the bytes of their reads."""
    found = [path.read_bytes() for path in folder.iterdir() if path.name != "--save"]
    for path in folder.glob("--save"):
        lines = path.read_bytes().splitlines()
        found.append(b"".join(read.bytes + read.url.encode() for read in read_recording(lines)))
    return found


@pytest.mark.parametrize("output", ["--summary", "--json", "--hex", "--probe", "--compare"])
async def test_no_key_is_shown_or_saved(
    output: str,
    autojump_clock: object,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A key in a URL and a key in a field that is not standard are sent to a server that repeats
    them."""
    keys = ["canary-in-the-url-1", "canary-in-a-field-2", "canary-in-userinfo-3"]
    keys += ["canary-in-the-body-4", "canary-in-the-body-5"]
    server = Saying(Reply(f"You sent {keys}", 401))
    url = f"http://me:{keys[2]}@localhost/v1/models?api_key={keys[0]}"
    body = json.dumps({"stream": True, "api_key": keys[3], "tool": [{"password": keys[4]}]})
    flags = ["-H", f"X-My-Token: {keys[1]}", "-d", body]
    if output == "--compare":
        flags += ["--compare", f"a={url}", f"b={url}"]
    else:
        exports = {flag: tmp_path / flag for flag in ("--save", "--html", "--har", "--pcap")}
        flags += [url, output, *(str(part) for export in exports.items() for part in export)]
    _, shown = await xray_of({"localhost": server}, *flags)
    assert server.asked[0].header("x-my-token") == keys[1]
    assert keys[0] in server.asked[0].target
    assert server.asked[0].body == body.encode()
    told = capsys.readouterr()
    saved = files_in(tmp_path)
    assert len(saved) == (0 if output == "--compare" else 4)
    for key in keys:
        assert key not in shown + told.out + told.err
        assert not any(key.encode() in data for data in saved)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ftp://h/x?key=abc12345"], "not an http:// or https:// URL: 'ftp://h/x?key=*********"),
        (["h/x?key=abc12345"], "h/x?key=******** is neither a file nor a URL"),
        (["http://h", "--bogus=sk-oops", "-uwe:sk-oops"], "unknown flag: --bogus, -u\n"),
        (["http://h", "sk-oops"], "give one URL or one FILE"),
        (["http://h", "--json=sk-oops"], "argument --json: ignored explicit argument (a value)\n"),
        (["http://h", "--m=sk-oops"], "ambiguous option: --m could match --model, "),
    ],
)
def test_errors_quote_no_key(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main(arguments)
    except SystemExit as ended:  # from argparse
        code = ended.code
    told = capsys.readouterr().err
    assert code == 2
    assert said in told
    assert "sk-oops" not in told
    assert "abc12345" not in told
