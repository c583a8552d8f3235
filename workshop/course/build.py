"""`workshop course`: print the address of the course's pages, or write them as files.

$ workshop course --build DIR
212 pages in DIR: open DIR/index.html
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..language import _, n_
from . import in_step
from .pages import Pages
from .routes import FILES
from .tree import Tree

__all__ = ["build", "main"]


def build(folder: Path, tree: Tree | None = None) -> int:
    """Write all pages into a folder, and overwrite existing files. Returns the number of pages.

    Args:
        folder: The folder to write into, which is created if it does not exist.
        tree: The files that have pages. By default these are this project's files.

    Raises:
        OSError: A file cannot be written.
    """
    pages = Pages(tree or Tree(), live=False)
    for name in pages.names:
        path = folder / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages.page(name) or "", encoding="utf-8")
    for name, file in FILES.items():
        if name != "panel.js":  # the panel works only with a server
            (folder / name).write_bytes(file.read_bytes())
    return len(pages.names)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="workshop course",
        description=_("The lessons and the annotated source, as web pages."),
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
