"""The figures of one participant: medians over its runs, and how they are printed."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

HEADINGS = [
    ("who", "<22"),
    ("instances", ">9"),
    ("seconds", ">8"),
    ("records/s", ">10"),
    ("CPU s", ">7"),
    ("records/CPU s", ">13"),
    ("MiB each", ">8"),
    ("from 1st on", ">11"),
    ("again", ">6"),
]


@dataclass(frozen=True)
class OneRun:
    records: int
    seconds: float
    """From the start of the process to the last request, or the last record read."""
    cpu_seconds: float
    """Of all instances together."""
    peak_mib: float
    """Of the largest instance."""
    working_seconds: float | None = None
    """From the first request to the last: without a start."""
    again: int = 0
    """Files that were requested more than once."""


@dataclass
class Figures:
    name: str
    instances: int = 1
    runs: list[OneRun] = field(default_factory=list)
    failure: str = ""

    @property
    def per_second(self) -> float | None:
        return median(run.records / run.seconds for run in self.runs)

    @property
    def per_cpu_second(self) -> float | None:
        return median(run.records / run.cpu_seconds for run in self.runs)

    @property
    def working_per_second(self) -> float | None:
        """Records a second once it works."""
        return median(run.records / run.working_seconds for run in self.runs if run.working_seconds)

    @property
    def peak_mib(self) -> float | None:
        return median(run.peak_mib for run in self.runs)

    def line(self) -> str:
        if not self.runs:
            return f"{self.name:<22} failed: {self.failure}"
        cells = [
            self.name,
            str(self.instances),
            number(median(run.seconds for run in self.runs), 2),
            number(self.per_second),
            number(median(run.cpu_seconds for run in self.runs), 2),
            number(self.per_cpu_second),
            number(self.peak_mib, 1),
            number(self.working_per_second),
            number(median(run.again for run in self.runs)),
        ]
        note = f"  failed: {self.failure}" if self.failure else ""
        return " ".join(f"{cell:{form}}" for cell, (_, form) in zip(cells, HEADINGS)) + note


def heading() -> str:
    return " ".join(f"{title:{form}}" for title, form in HEADINGS)


def median(values: Iterable[float]) -> float | None:
    found = list(values)
    return statistics.median(found) if found else None


def number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
