"""What the measurements have to show: one table, checked by `make bench-check`."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from operator import attrgetter

from figures import Figures
from participants import BARE, CAMEL_ROUTE, OURS

PER_SECOND = attrgetter("per_second")
PER_CPU_SECOND = attrgetter("per_cpu_second")
PEAK_MIB = attrgetter("peak_mib")


@dataclass(frozen=True)
class Expectation:
    name: str
    figure: Callable[[Figures], float | None]
    peer: str | None = None
    """The participant to compare with."""
    at_least: float | None = None
    """Bound of ours / peer."""
    at_most: float | None = None
    """Bound of ours alone."""


EXPECTATIONS = [
    Expectation("records a CPU-second, ten times Camel's", PER_CPU_SECOND, CAMEL_ROUTE, at_least=10),
    Expectation("records a second, ten times Camel's", PER_SECOND, CAMEL_ROUTE, at_least=10),
    Expectation("records a CPU-second, half of the bare loop's", PER_CPU_SECOND, BARE, at_least=0.5),
    Expectation("records a second, half of the bare loop's", PER_SECOND, BARE, at_least=0.5),
    Expectation("peak memory, 48 MiB", PEAK_MIB, at_most=48),
]


@dataclass(frozen=True)
class Verdict:
    name: str
    ours: float | None
    peer: float | None
    ratio: float | None
    """Ours / peer; absent if there is no peer."""
    at_least: float | None
    at_most: float | None
    ok: bool


def verdicts(found: list[Figures]) -> Iterator[dict]:
    """Every expectation. What could not be measured is not met."""
    by_name = {figures.name: figures for figures in found}
    for expectation in EXPECTATIONS:
        yield asdict(verdict(expectation, by_name))


def verdict(expectation: Expectation, by_name: dict[str, Figures]) -> Verdict:
    def measured(name: str) -> float | None:
        figures = by_name.get(name)
        return expectation.figure(figures) if figures and not figures.failure else None

    ours, peer = measured(OURS), measured(expectation.peer) if expectation.peer else None
    ratio = ours / peer if ours and peer else None
    judged = ratio if expectation.peer else ours
    low, high = expectation.at_least, expectation.at_most
    ok = judged is not None and (low is None or judged >= low) and (high is None or judged < high)
    rounded = [None if each is None else round(each, 3) for each in (ours, peer, ratio)]
    return Verdict(expectation.name, *rounded, low, high, ok)
