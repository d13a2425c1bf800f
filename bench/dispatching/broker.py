"""The Kafka that all are measured with, and the small program that fills and watches it."""

import contextlib
import itertools
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from process import call

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "kafka.sh"
SOURCE = "s3-events"
PARTITIONS = 3
# Members of a group that begin within this time get their partitions at once, and not one after the other.
JOIN_MILLIS = 1000


@dataclass(frozen=True)
class Outputs:
    """The group and the topics of one run."""

    group: str
    light: str
    heavy: str
    dead_letters: str


@dataclass
class Broker:
    address: str
    tool: str
    """The program `dispatching`."""
    runs: Iterator[int] = field(default_factory=itertools.count)

    def ask(self, command: str, *arguments: str) -> dict:
        return call([self.tool, "--brokers", self.address, command, *arguments])

    def fill(self, records: int) -> dict:
        self.ask("topics", "--partitions", str(PARTITIONS), SOURCE)
        return self.ask("fill", "--topic", SOURCE, "--records", str(records))

    def outputs(self) -> Outputs:
        """Topics that nobody has written to."""
        run = next(self.runs)
        made = Outputs(f"group-{run}", f"light-{run}", f"heavy-{run}", f"dead-{run}")
        self.ask("topics", "--partitions", str(PARTITIONS), made.light, made.heavy, made.dead_letters)
        return made

    def wait_for(self, outputs: Outputs, requests: int) -> None:
        self.ask("watch", "--topic", outputs.light, "--topic", outputs.heavy, "--records", str(requests))

    def tally(self, outputs: Outputs, records: int, still_open: int) -> dict:
        topics = ["--topic", outputs.light, "--topic", outputs.heavy]
        return self.ask("tally", *topics, "--records", str(records), "--open", str(still_open))


@contextlib.contextmanager
def broker(tool: str, folder: Path, joins_at_once: bool = False) -> Iterator[Broker]:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="kafka-") as data:
        port, controller = free_ports(2)
        ports = ["--port", str(port), "--controller-port", str(controller)]
        delay = ["--property", f"group.initial.rebalance.delay.ms={JOIN_MILLIS}"] if joins_at_once else []
        server = subprocess.Popen(
            [SCRIPT, "run", *ports, *delay, "--dir", data, "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            said = ""
            while "is ready" not in said:
                said = server.stderr.readline()
                if not said:
                    raise RuntimeError("Kafka did not start: run 'scripts/setup.sh kafka', and see what it says")
            yield Broker(f"127.0.0.1:{port}", tool)
        finally:
            server.stdin.close()
            server.wait()
            server.stderr.close()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
