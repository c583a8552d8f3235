"""The numbers of several workers as those of one server: prometheus-client's multiprocess mode.

    FOLDER/counter_4711.db          what worker 4711 has counted; it stays when the worker dies
    FOLDER/gauge_livesum_4711.db    what goes up and down; it is removed when the worker dies
    FOLDER/histogram_4711.db

Each worker writes its numbers once a second into files of its own. The worker that is asked for
`GET /metrics` writes its own at once, and adds those of all files. So the numbers of the others are
up to a second old. No counter ever goes down, even if its worker dies.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import trio
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

__all__ = ["SharedMetrics", "forget"]

FILES = {"counter": "counter", "gauge": "gauge_livesum", "histogram": "histogram"}
EVERY = 1.0  # seconds between two writes of the numbers


class SharedMetrics:
    """The files of one worker.

    Args:
        folder: The folder with the files of all workers.
        collect: The function that returns this worker's numbers.
    """

    def __init__(self, folder: Path, collect: Callable[[], Iterable[Metric]]) -> None:
        self._folder = folder
        self._collect = collect
        self._files = {
            kind: MmapedDict(str(folder / f"{name}_{os.getpid()}.db"))
            for kind, name in FILES.items()
        }

    @property
    def worker_count(self) -> int:
        """The number of workers that are alive."""
        return len(list(self._folder.glob(f"{FILES['gauge']}_*.db")))

    async def run(self) -> None:
        """Write the numbers once a second, until this is cancelled, and then once more."""
        try:
            while True:
                self.write()
                await trio.sleep(EVERY)
        finally:
            self.write()
            self.close()

    def close(self) -> None:
        """Close this worker's files. They stay in the folder."""
        for file in self._files.values():
            file.close()

    def write(self) -> None:
        """Write this worker's numbers into its files."""
        for family in self._collect():
            below = 0.0
            for sample in family.samples:
                value = sample.value
                if sample.name.endswith("_bucket"):  # a file has each bucket alone, not their sums
                    value, below = value - below, value
                key = mmap_key(
                    family.name,
                    sample.name,
                    list(sample.labels),
                    list(sample.labels.values()),
                    family.documentation,
                )
                self._files[family.type].write_value(key, value, 0.0)

    def registry(self) -> CollectorRegistry:
        """Return the numbers of all workers, those of this one as they are now."""
        self.write()
        registry = CollectorRegistry(auto_describe=False)
        MultiProcessCollector(registry, str(self._folder))
        return registry


def forget(folder: Path, process: int) -> None:
    """Remove the gauges of a worker that has died."""
    mark_process_dead(process, str(folder))
