"""A process that is measured while it lives, and ended when its work is done."""

import json
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
# What hangs fails instead.
LONGEST_SECONDS = 600
STOP_SECONDS = 60


class Failed(Exception):
    """A command ended with an error; the message is its last word."""


@dataclass
class Usage:
    """What a process has taken so far, as the operating system accounts for it."""

    cpu_seconds: float
    """User and system, of all its threads."""
    peak_mib: float
    """The most memory that it held at once, mapped files included."""


class Process:
    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        self.output = log.open("wb")
        self.began = time.time()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.output, env=environment()
        )

    def seconds_to_its_line(self) -> float:
        """From its start to the line that it prints when it has done its work."""
        ready, _, _ = select.select([self.process.stdout], [], [], LONGEST_SECONDS)
        if not ready or not self.process.stdout.readline():
            raise Failed(f"it ended or hung: {last_line(self.log)}")
        return time.time() - self.began

    def usage(self) -> Usage:
        folder = Path("/proc") / str(self.process.pid)
        try:
            # Behind the name, which may hold anything, the fields from the third on.
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
            peak = int(status["VmHWM"].split()[0]) / 1024
        except (FileNotFoundError, KeyError):
            raise Failed(f"it ended by itself: {last_line(self.log)}") from None
        return Usage((int(stat[11]) + int(stat[12])) / TICKS, peak)

    def stop(self) -> None:
        """Ends it as an operator would; what it holds gets out."""
        self.process.stdin.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.output.close()


def call(command: list[str]) -> dict:
    """What a command says in one line of JSON."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST_SECONDS, env=environment()
    )
    if done.returncode != 0:
        raise Failed((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[0])
    return json.loads(done.stdout) if done.stdout else {}


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")} | {"RUST_BACKTRACE": "0"}


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"
