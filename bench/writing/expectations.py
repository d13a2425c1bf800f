"""What the measurements have to show: one table, checked by `make bench-check`."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from operator import attrgetter

from figures import Figures

WARM = attrgetter("warm")
PEAK_MIB = attrgetter("peak_mib")


@dataclass(frozen=True)
class Expectation:
    """A ratio, or a figure of ours alone, and its bound."""

    name: str
    mode: str
    """The mode of ours that it is about; data sets without it are left out."""
    figure: Callable[[Figures], float | None]
    peer: str | None
    """The participant to compare with, by the beginning of its name."""
    peer_figure: Callable[[Figures], float | None] | None
    at_most: float
    """Bound of ours / peer, or of ours."""


# Seconds are those of a process that has done the same before, as a worker has: neither an interpreter's start nor the
# making of a table is among them. CPU seconds are of the whole process for ours, and without imports for DuckDB.
EXPECTATIONS = [
    Expectation("splice: seconds, a tenth of PyIceberg's", "splice", WARM, "PyIceberg", WARM, 0.1),
    Expectation("splice: seconds, 1.5 times cp's", "splice", WARM, "cp", lambda of: of.warm or of.cold, 1.5),
    Expectation("splice: peak memory, 64 MiB", "splice", PEAK_MIB, None, None, 64),
    Expectation("rewrite: CPU seconds, DuckDB's", "rewrite", lambda of: of.cpu, "DuckDB", lambda of: of.own_cpu, 1.0),
    Expectation("rewrite: peak memory, 128 MiB", "rewrite", PEAK_MIB, None, None, 128),
]


@dataclass(frozen=True)
class Verdict:
    where: str
    data_set: str
    name: str
    ours: float | None
    peer: float | None
    ratio: float | None
    """Ours / peer; absent if there is no peer."""
    expected: float
    """What the ratio, or ours where there is no peer, is at most."""
    ok: bool


def verdicts(all_figures: list[Figures]) -> Iterator[dict]:
    """Every expectation for every data set that it is about. What could not be measured is not met."""
    for where, data_set in dict.fromkeys((of.where, of.data_set) for of in all_figures):
        here = [of for of in all_figures if (of.where, of.data_set) == (where, data_set)]
        for expectation in EXPECTATIONS:
            ours = next((of for of in here if of.mode == expectation.mode), None)
            if ours:
                yield asdict(verdict(expectation, ours, here))


def verdict(expectation: Expectation, ours: Figures, here: list[Figures]) -> Verdict:
    # A mode that was asked for and not kept says nothing about it.
    own = expectation.figure(ours) if ours.mode_reported == expectation.mode else None
    if expectation.peer is None:
        other, ratio, judged = None, None, own
    else:
        peer = next(of for of in here if of.name.startswith(expectation.peer))
        other = expectation.peer_figure(peer)
        judged = ratio = own / other if own and other else None
    ok = judged is not None and judged <= expectation.at_most
    rounded = [None if each is None else round(each, 3) for each in (own, other, ratio)]
    return Verdict(ours.where, ours.data_set, expectation.name, *rounded, expectation.at_most, ok)
