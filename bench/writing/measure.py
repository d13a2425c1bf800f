"""Runs a command in a process of its own, and says what it took."""

import json
import os
import resource
import subprocess
import time
from dataclasses import dataclass, field

# A command that hangs fails instead.
LONGEST_SECONDS = 600
# Of what a failed command said: enough for its reason.
LONGEST_REASON = 300


class Failed(Exception):
    """The command ended with an error; the message is its last word."""


@dataclass
class Measured:
    """What one process took, as the operating system accounts for it when it has ended."""

    seconds: float
    cpu_seconds: float
    """User and system, of all its threads."""
    peak_bytes: int
    """The most memory that it held at once, mapped files included."""
    said: dict = field(default_factory=dict)
    """The last line that it printed, if that was JSON."""


def run(command: list[str], environment: dict[str, str] | None = None) -> Measured:
    # The peak of a child cannot be read below that of this process, which it starts as a copy of: so this one imports
    # nothing large.
    began = time.monotonic()
    process = subprocess.Popen(
        ["timeout", "--foreground", str(LONGEST_SECONDS), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"RUST_BACKTRACE": "0"} | (environment or {}),
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    lines = output.strip().splitlines() or [""]
    if process.returncode != 0:
        raise Failed(f"exit status {process.returncode}: {reason(lines)}")
    said = json.loads(lines[-1]) if lines[-1].startswith("{") else {}
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, said)


def reason(lines: list[str]) -> str:
    """What a failed command said of it: our programs from `Error:` on, Python in its last line."""
    begin = next((number for number, line in enumerate(lines) if line.startswith("Error:")), len(lines) - 1)
    return " ".join(line.strip() for line in lines[begin:])[:LONGEST_REASON]


def floor_mib() -> float:
    """The peak of this process: a child's begins there."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
