"""`workshop course`: print the address of the course's pages, or write them as files.

$ workshop course --build DIR
212 pages in DIR: open DIR/index.html
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..help_text import HelpFormatter
from ..language import _, n_
from . import in_step
from .pages import Pages
from .routes import FILES, INDEX_SCRIPT
from .tree import Tree
from .words import ENGLISH, TABLES

__all__ = ["build", "main"]


def build(folder: Path, tree: Tree | None = None) -> int:
    """Write all pages into a folder, and overwrite existing files. Returns the number of pages.

    Args:
        folder: The folder to write into, which is created if it does not exist.
        tree: The files that have pages. By default these are this project's files.

    Raises:
        OSError: A file cannot be written.
    """
    tree = tree or Tree()
    number = 0
    for language in TABLES:
        pages = Pages(tree, live=False, language=language)
        top = folder if language == ENGLISH else folder / language
        for name in pages.names:
            _write(top / f"{name}.html", pages.page(name) or "")
        _write(top / INDEX_SCRIPT, pages.search_index())
        number += len(pages.names)
    # A web server that serves the folder may be told to show this page.
    _write(folder / "404.html", Pages(tree, live=False).missing("404"))
    for name, file in FILES.items():
        if not name.endswith(".js") or "/" not in name:  # the modules of figures need a server
            _write(folder / name, file.read_text(encoding="utf-8"))
    return number


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="workshop course",
        description=_("The lessons and the annotated source, as web pages."),
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--build", metavar="DIR", help=_("write them to this folder, as HTML"))
    parser.add_argument(
        "--stale",
        action="store_true",
        help="list what has changed in English since the Chinese pages were translated",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="with --stale: PAGE is translated; bring its fingerprints and commands up to date",
    )
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="with --stale: only these")
    options = parser.parse_args(argv)
    if options.stale:
        return in_step.main(options.pages, writing=options.write)
    if options.pages or options.write:
        parser.error("PAGE and --write need --stale")
    if options.build is None:
        print(_("`workshop` serves the course at http://localhost:8000/course/"))
        print(_("To write it as files: workshop course --build DIR"))
        return 0
    folder = Path(options.build)
    try:
        number = build(folder)
    except OSError as error:
        print(f"workshop course: {error}", file=sys.stderr)
        return 1
    done = n_(
        "{n} page in {folder}: open {file}",
        "{n} pages in {folder}: open {file}",
        number,
        folder=folder,
        file=folder / "index.html",
    )
    print(done)
    return 0
