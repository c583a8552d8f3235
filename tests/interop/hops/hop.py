"""A hop: a real program, and the configurations of it that are tested.

A program is started only once, with all of its configurations, each on its own port. So a start
costs little, and the files of a program are in one folder.
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
"""The idle timeout, in seconds, that the programs are configured with. It is shorter than the usual
60, so that the measurement is quick, but longer than any pause in an answer here."""


@dataclass(frozen=True)
class Configuration:
    """One way to configure a program.

    Args:
        lines: The lines of the configuration that concern the stream.
        cure: Name of another configuration of this program that cures this one's fault, or "".
        forward: Whether this is a forward proxy, which gets the upstream's URL in the request.
    """

    lines: str
    cure: str = ""
    forward: bool = False


Configurations = Mapping[str, Configuration]
"""By name."""


class Hop(ABC):
    """A program.

    Attributes:
        name: The program's name in the table.
        command: Names or paths of the executable. The first one that exists is used.
        package: The package to install if the program is missing.
        versions: The arguments that print the program's version, and a pattern that finds the
            version in the output.
        idle: The table's text about the timeout for a silent upstream.
        configurations: The configurations that are tested, by name.
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
        """The package to install, or "" if nothing is missing."""
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
            folder: The folder for the program's files.
            upstream: The upstream's port.
            ports: The port of each configuration.
        """
