"""Who is measured, and the command of each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from broker import SOURCE, Broker, Outputs

CAMEL = Path(__file__).resolve().parents[2] / "scripts" / "camel.sh"

OURS = "ours"
CAMEL_ROUTE = "Camel"
BARE = "bare loop"
BARE_PARSED = "bare loop, serde_json"


@dataclass(frozen=True)
class Participant:
    name: str
    command: Callable[[Broker, Outputs, int], list[str]]
    """Of the broker, the topics of this run and the number of records."""
    dispatches: bool = True
    """Whether it writes requests; otherwise it says when it has read all."""
    rounds: int | None = None
    """How often it is measured, if not as often as the others."""


def ours(program: str, *options: str, source: str = SOURCE) -> Participant:
    def command(broker: Broker, to: Outputs, _: int) -> list[str]:
        topics = ["--topic", source, "--light-topic", to.light, "--heavy-topic", to.heavy]
        rest = ["--dead-letter-topic", to.dead_letters, "--group", to.group, "--listen", "127.0.0.1:0"]
        return [program, "--kafka", f"bootstrap.servers={broker.address}", *topics, *rest, *options]

    return Participant(OURS, command)


def camel(broker: Broker, to: Outputs, _: int) -> list[str]:
    return [str(CAMEL), "run", broker.address, to.group, SOURCE, to.light, to.heavy]


def bare(*options: str) -> Callable[[Broker, Outputs, int], list[str]]:
    def command(broker: Broker, to: Outputs, records: int) -> list[str]:
        # librdkafka's own queues, but for the one default that would stall it.
        what = ["--topic", SOURCE, "--group", to.group, "--records", str(records), "--kafka", "fetch.queue.backoff.ms=10"]
        return [broker.tool, "--brokers", broker.address, "poll", *what, *options]

    return command


def participants(program: str) -> list[Participant]:
    return [
        ours(program),
        Participant(BARE, bare(), dispatches=False),
        Participant(BARE_PARSED, bare("--parse"), dispatches=False),
        # It takes ten times as long as the others.
        Participant(CAMEL_ROUTE, camel, rounds=1),
    ]
