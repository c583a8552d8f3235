"""A hop: a real program, and the configurations of it that are tried.

A program runs once, with all of its configurations, each on a port of its own. So a start costs
little, and the programs' files are in one folder.
"""

import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shutil import which
from typing import ClassVar

__all__ = ["IDLE", "Configuration", "Configurations", "Hop"]

IDLE = 6
"""Seconds of silence after which programs that have an idle timeout are told to close: so short
that nobody waits for the usual 60, and longer than any pause of an answer here."""


@dataclass(frozen=True)
class Configuration:
    """One way to configure a program.

    Args:
        lines: What the configuration says about the stream, as its documentation writes it.
        cure: Name of the configuration of the same program that cures what this one spoils, or "".
        forward: It is a forward proxy: the request names the upstream's URL.
    """

    lines: str
    cure: str = ""
    forward: bool = False


Configurations = Mapping[str, Configuration]
"""By name."""


class Hop(ABC):
    """A program.

    Attributes:
        name: Its name in the table.
        command: Names or paths of the file to run; the first one that exists is taken.
        package: What to install if it is missing.
        versions: The arguments that make it print its version, and a pattern that finds it there.
        idle: What the table says about its timeout for a silent upstream.
        configurations: The ways to configure it that are tried, by name.
    """

    name: ClassVar[str]
    command: ClassVar[tuple[str, ...]]
    package: ClassVar[str]
    versions: ClassVar[tuple[str, str]]
    idle: ClassVar[str]
    configurations: ClassVar[Configurations]

    @cached_property
    def program(self) -> str:
        """The path of the program, or "" if it is missing."""
        return next(filter(None, map(which, self.command)), "")

    @property
    def missing(self) -> str:
        """What to install, or "" if nothing is missing."""
        return "" if self.program else f"{self.command[0]} is missing: install {self.package}"

    @cached_property
    def version(self) -> str:
        """The version of the program that is installed here."""
        flag, pattern = self.versions
        said = subprocess.run(
            [self.program, *flag.split()], capture_output=True, encoding="utf-8", check=True
        )
        found = re.search(pattern, said.stdout + said.stderr)
        return found[1] if found else "of unknown version"

    @abstractmethod
    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        """Write the program's files, and return the command lines that run it.

        Args:
            folder: For its files.
            upstream: The upstream's port.
            ports: The port of each configuration.
        """
