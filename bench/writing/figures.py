"""The figures of one participant on one data set: medians over its runs, and how they are printed."""

import statistics
from dataclasses import dataclass, field

from measure import Measured

HEADINGS = [
    ("data set", "<13"),
    ("way", "<15"),
    ("mode", "<8"),
    ("cold s", ">7"),
    ("warm s", ">7"),
    ("CPU s", ">7"),
    ("MiB", ">6"),
    ("MB out", ">7"),
    ("files", ">5"),
    ("scan s", ">7"),
    ("table s", ">7"),
    ("rows", ">10"),
]


@dataclass
class Figures:
    where: str
    data_set: str
    name: str
    mode: str
    cold_runs: list[Measured] = field(default_factory=list)
    warm_runs: list[Measured] = field(default_factory=list)
    scan: dict = field(default_factory=dict)
    failure: str = ""

    @property
    def cold(self) -> float | None:
        """Seconds of a process, from its start to its end."""
        return median(run.seconds for run in self.cold_runs)

    @property
    def warm(self) -> float | None:
        """Seconds of the work in a process that has done it before."""
        return median(run.said["seconds"] for run in self.warm_runs)

    @property
    def cpu(self) -> float | None:
        """CPU seconds of a process that does the work once."""
        return median(run.cpu_seconds for run in self.cold_runs)

    @property
    def own_cpu(self) -> float | None:
        """CPU seconds of the work alone, without what a process needs to start."""
        return median(run.said["cpu_seconds"] for run in self.cold_runs)

    @property
    def peak_mib(self) -> float | None:
        return median(run.peak_bytes / (1024 * 1024) for run in self.cold_runs)

    @property
    def mode_reported(self) -> str:
        """The mode that the answer to the request named."""
        return next((run.said.get("mode", "") for run in self.cold_runs), "")

    def line(self) -> str:
        if self.failure and not self.cold_runs:
            return f"{self.data_set:<13} {self.name:<15} failed: {self.failure}"
        cells = [
            self.data_set,
            self.name,
            self.mode_reported,
            number(self.cold, 2),
            number(self.warm, 2),
            number(self.cpu, 2),
            number(self.peak_mib, 0),
            number(self.scan.get("bytes", 0) / 1e6, 1),
            str(self.scan.get("files", "")),
            number(self.scan.get("duckdb_seconds"), 3),
            number(self.scan.get("pyiceberg_seconds"), 3),
            str(self.scan.get("rows", "")),
        ]
        note = f"  failed: {self.failure}" if self.failure else ""
        return " ".join(f"{cell:{form}}" for cell, (_, form) in zip(cells, HEADINGS)) + note


def heading() -> str:
    return " ".join(f"{title:{form}}" for title, form in HEADINGS)


def median(values) -> float | None:
    found = list(values)
    return statistics.median(found) if found else None


def number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
