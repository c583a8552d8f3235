"""The laws of the tree, read from its imports: who may use whom, how long a page is, what is where.

    protocol          the standard library, h11, msgspec; no sockets, no clock
    clients.streams   protocol
    clients           protocol
    servers.http      protocol, the byte streams; it knows no application
    servers           protocol, the byte streams, servers.http
    the proxies       the HTTP client too; but they and the simulated model do not know each other
    workshop          all of them, and nothing imports workshop
    tests             nothing imports tests but `workshop bench` and `workshop spec`

Each law is a function of a root folder that returns the lines that break it, so that it can be
seen to fail on a small broken tree.
"""

import ast
import fnmatch
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("workshop", "protocol", "servers", "clients", "tests")
TOP_LEVEL = {*FOLDERS, "README.md", "pyproject.toml", "LICENSE"}
MAX_LINES = 400
# What each room may import of the project, beside itself. The longest name that fits decides.
MAY_IMPORT = {
    "protocol": (),
    "clients": ("protocol",),
    "clients.streams": ("protocol",),
    "servers": ("protocol", "clients.streams"),
    "servers.http": ("protocol", "clients.streams"),
    "servers.llm": ("protocol", "clients.streams", "servers.http"),
    "servers.openai_proxy": ("protocol", "clients", "servers.http"),
    "servers.badproxy": ("protocol", "clients", "servers.http"),
    "workshop": ("protocol", "clients", "servers"),
    "workshop.bench": ("protocol", "clients", "servers", "workshop", "tests"),
    "workshop.spec": ("protocol", "clients", "servers", "workshop", "tests"),
    "tests": FOLDERS,
}
NO_IO = {"trio", "ssl", "socket", "time"}
Law = Callable[[Path], list[str]]


def is_part_of(module: str, whole: str) -> bool:
    return module == whole or module.startswith(whole + ".")


def python_files(root: Path) -> dict[str, Path]:
    """The modules of the five folders, by their dotted names."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(source: str) -> list[ast.AST]:
    """All statements of a module, with those inside others. Expressions, which are most of a tree,
    are skipped: they contain no statement."""
    found: list[ast.AST] = [ast.parse(source)]
    for node in found:
        for name in ("body", "handlers", "cases", "orelse", "finalbody"):
            found += getattr(node, name, ())
    return found


def imports(module: str, path: Path) -> Iterator[tuple[int, str, str]]:
    """(line, the module imported from, the name taken from it or ""), inside functions too."""
    for node in statements(path.read_text(encoding="utf-8")):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                # One dot is this package; each one more, the package around it.
                up = node.level - (path.name == "__init__.py")
                package = module.split(".")[: len(module.split(".")) - up]
                base = ".".join([*package, *([base] if base else [])])
            for alias in node.names:
                yield node.lineno, base, alias.name


@cache
def project_imports(root: Path) -> list[tuple[str, str, str]]:
    """(importing module, imported module, place): `from clients import nc` is `clients.nc`."""
    files = python_files(root)
    found = []
    for module, path in files.items():
        for line, base, name in imports(module, path):
            inner = f"{base}.{name}" if name else base
            found.append(
                (module, inner if inner in files else base, f"{path.relative_to(root)}:{line}")
            )
    return found


# ---- the laws


def protocol_is_pure(root: Path) -> list[str]:
    allowed = (set(sys.stdlib_module_names) - NO_IO) | {"h11", "msgspec", "protocol"}
    return [
        f"{place}: protocol imports {imported}"
        for module, imported, place in project_imports(root)
        if is_part_of(module, "protocol") and imported.split(".")[0] not in allowed
    ]


def rooms_keep_their_borders(root: Path) -> list[str]:
    """Nothing imports `workshop` or `tests`: only the last two rooms have them in their lists."""
    found = []
    for module, imported, place in project_imports(root):
        if imported.split(".")[0] not in FOLDERS:
            continue
        room = max((room for room in MAY_IMPORT if is_part_of(module, room)), key=len)
        if not any(is_part_of(imported, other) for other in (room, *MAY_IMPORT[room])):
            found.append(f"{place}: {module} imports {imported}")
    return found


def no_import_circle(root: Path) -> list[str]:
    """Find circles: again and again, remove the modules that import no remaining module, and those
    that no remaining module imports. The modules that cannot be removed form a circle."""
    files = python_files(root)
    left = {
        (module, imported)
        for module, imported, _ in project_imports(root)
        if imported in files and imported != module
    }
    while True:
        importing, imported_ones = {a for a, _ in left}, {b for _, b in left}
        inner = {(a, b) for a, b in left if a in imported_ones and b in importing}
        if inner == left:
            return [f"{module} imports {imported}" for module, imported in sorted(left)]
        left = inner


def no_long_file(root: Path) -> list[str]:
    found = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix in {".py", ".js", ".css"} and not name.startswith("tests/vectors/"):
                lines = len(path.read_text(encoding="utf-8").splitlines())
                if lines > MAX_LINES:
                    found.append(f"{name}: {lines} lines")
    return found


def packages_list_their_files(root: Path) -> list[str]:
    """A package whose docstring lists its files lists all of them, and the packages in it."""
    found = []
    for path in python_files(root).values():
        if path.name != "__init__.py":
            continue
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        listed = {word.strip(",;") for word in text.split()}
        files = [other.name for other in path.parent.glob("*.py") if other.name[:2] != "__"]
        if len(listed.intersection(files)) > 1:
            packages = [f"{inner.parent.name}/" for inner in path.parent.glob("*/__init__.py")]
            omitted = sorted({*files, *packages} - listed)
            found += [f"{path.relative_to(root)} omits {name}" for name in omitted]
    return found


def top_level(root: Path) -> list[str]:
    """Return the files that git tracks there. Without git, return the files there that are not
    ignored. Dotfiles are allowed."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z"]
        listed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        names = {name.split("/")[0] for name in listed.split("\0") if name}
    else:
        ignored = []
        if (root / ".gitignore").exists():
            ignored = (root / ".gitignore").read_text(encoding="utf-8").split()
        names = {path.name for path in root.iterdir()}
        names = {
            name
            for name in names
            if not any(fnmatch.fnmatch(name, pattern.rstrip("/")) for pattern in ignored)
        }
    names = {name for name in names if not name.startswith(".")}
    return [
        *(f"{name} is not there" for name in sorted(TOP_LEVEL - names)),
        *(f"{name} does not belong there" for name in sorted(names - TOP_LEVEL)),
    ]


LAWS: list[Law] = [
    protocol_is_pure,
    rooms_keep_their_borders,
    no_import_circle,
    no_long_file,
    packages_list_their_files,
    top_level,
]


@pytest.mark.parametrize("law", LAWS)
def test_law(law: Law) -> None:
    assert law(ROOT) == []


# ---- the laws on small trees: kept by GOOD, each broken by one file more

GOOD = {
    "README.md": "",
    "pyproject.toml": "",
    "LICENSE": "",
    ".gitignore": "build/\n__pycache__/\n*.egg-info/\n",
    "build/x.py": "import nonsense",
    "protocol/__init__.py": "from . import sse\n",
    "protocol/sse.py": "import re\nimport h11, msgspec\nfrom collections.abc import Callable\n",
    "protocol/deep/__init__.py": "from ..sse import x\nfrom .inner import y\n",
    "protocol/deep/inner.py": "from protocol import sse\n",
    "clients/__init__.py": '"""Clients: nc.py is one, http/client.py another."""\n',
    "clients/streams/tcp.py": "import trio\nfrom protocol.sse import x\n",
    "clients/streams/tls.py": "import ssl\nfrom .tcp import x\n",
    "clients/http/client.py": "from ..streams import tcp, tls\n",
    "clients/nc.py": "from .streams import tcp\n",
    "servers/http/server.py": "from clients.streams.tls import x\n",
    "servers/llm/__init__.py": '"""engine.py   runs\n\npace.py, model/   are used."""\n',
    "servers/llm/__main__.py": "",
    "servers/llm/engine.py": "from ..http import server\n",
    "servers/llm/pace.py": "",
    "servers/llm/model/__init__.py": "",
    "servers/chat.py": "import rich\nfrom clients.streams import tcp\nfrom .llm import engine\n",
    "servers/openai_proxy/relay.py": "from clients.http.client import x\nimport clients\n",
    "servers/badproxy.py": "import clients.http.client\nfrom .http import server\n",
    "servers/page/page.js": "\n" * 400,
    "workshop/__main__.py": "import servers.chat, clients.http.client, protocol.sse\n",
    "workshop/bench.py": "from tests.bench import table\n",
    "workshop/01_first/__main__.py": "import trio\nfrom workshop import __main__\n",
    "tests/bench/table.py": "import workshop.__main__\n",
    "tests/vectors/long.py": "\n" * 500,
}
BROKEN: list[tuple[Law, str, str, list[str]]] = [
    (protocol_is_pure, "protocol/x.py", "import trio.socket", ["trio.socket"]),
    (
        protocol_is_pure,
        "protocol/x.py",
        "def f():\n    import time",
        ["x.py:2: protocol imports time"],
    ),
    (protocol_is_pure, "protocol/x.py", "from ssl import SSLContext as C", ["ssl"]),
    (protocol_is_pure, "protocol/x.py", "import re, socket", ["socket"]),
    (protocol_is_pure, "protocol/deep/x.py", "from rich import print", ["rich"]),
    (protocol_is_pure, "protocol/x.py", "from clients import nc", ["clients.nc"]),
    (
        protocol_is_pure,
        "protocol/x.py",
        "from ..clients import nc",
        ["x.py:1: protocol imports"],
    ),
    (rooms_keep_their_borders, "clients/x.py", "from servers import chat", ["servers.chat"]),
    (rooms_keep_their_borders, "clients/x.py", "import tests.bench", ["tests.bench"]),
    (
        rooms_keep_their_borders,
        "clients/streams/x.py",
        "from ..http import client",
        ["clients.http.client"],
    ),
    (rooms_keep_their_borders, "servers/x.py", "import clients", ["servers.x imports clients"]),
    (rooms_keep_their_borders, "servers/x.py", "from clients import nc", ["clients.nc"]),
    (
        rooms_keep_their_borders,
        "servers/x.py",
        "from clients.http.client import x",
        ["clients.http.client"],
    ),
    (
        rooms_keep_their_borders,
        "servers/http/x.py",
        "from ..llm import engine",
        ["servers.llm.engine"],
    ),
    (rooms_keep_their_borders, "servers/http/x.py", "from .. import chat", ["servers.chat"]),
    (
        rooms_keep_their_borders,
        "servers/llm/x.py",
        "from ..openai_proxy import relay",
        ["servers.openai_proxy.relay"],
    ),
    (
        rooms_keep_their_borders,
        "servers/llm/x.py",
        "from clients.http import client",
        ["clients.http.client"],
    ),
    (
        rooms_keep_their_borders,
        "servers/openai_proxy/x.py",
        "from ..llm import engine",
        ["servers.llm.engine"],
    ),
    (rooms_keep_their_borders, "servers/x.py", "import workshop.bench", ["workshop.bench"]),
    (rooms_keep_their_borders, "clients/x.py", "from workshop import bench", ["workshop.bench"]),
    (rooms_keep_their_borders, "servers/x.py", "def f():\n  import workshop", ["x.py:2"]),
    (
        rooms_keep_their_borders,
        "workshop/x.py",
        "from tests.bench import table",
        ["tests.bench.table"],
    ),
    (rooms_keep_their_borders, "servers/x.py", "import tests", ["servers.x imports tests"]),
    (
        no_import_circle,
        "protocol/sse.py",
        "def f():\n    from .deep.inner import y",
        ["protocol.deep.inner imports protocol.sse", "protocol.sse imports protocol.deep.inner"],
    ),
    (
        no_import_circle,
        "clients/streams/tcp.py",
        "from . import tls",
        ["tcp imports", "tls imports"],
    ),
    (no_long_file, "servers/page/x.css", "\n" * 401, ["servers/page/x.css: 401 lines"]),
    (no_long_file, "tests/x.py", "\n" * 401, ["tests/x.py: 401 lines"]),
    (packages_list_their_files, "servers/llm/x.py", "", ["llm/__init__.py omits x.py"]),
    (packages_list_their_files, "servers/llm/x/__init__.py", "", ["llm/__init__.py omits x/"]),
    (top_level, "setup.cfg", "", ["setup.cfg does not belong there"]),
    (top_level, "docs/x.md", "", ["docs does not belong there"]),
]


def plant(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("law", LAWS)
def test_a_good_tree_keeps_every_law(law: Law, tmp_path: Path) -> None:
    plant(tmp_path, GOOD)
    assert law(tmp_path) == []


@pytest.mark.parametrize(("law", "name", "text", "told"), BROKEN)
def test_a_broken_tree_is_told_where(
    law: Law, name: str, text: str, told: list[str], tmp_path: Path
) -> None:
    plant(tmp_path, GOOD | {name: text})
    found = law(tmp_path)
    assert len(found) == len(told)
    for line, part in zip(found, told, strict=True):
        assert part in line


def test_the_top_level_is_complete(tmp_path: Path) -> None:
    plant(tmp_path, {name: text for name, text in GOOD.items() if name != "LICENSE"})
    assert top_level(tmp_path) == ["LICENSE is not there"]


def test_the_top_level_is_what_git_keeps(tmp_path: Path) -> None:
    plant(tmp_path, GOOD)
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "add", "."], check=True)
    plant(tmp_path, {"notes.txt": "not added"})
    assert top_level(tmp_path) == []
    subprocess.run(["git", "-C", str(tmp_path), "add", "-f", "build"], check=True)
    assert top_level(tmp_path) == ["build does not belong there"]
