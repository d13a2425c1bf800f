"""Runs `event-ingest standalone` on free ports, and waits for it."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

# Seconds. Generous: a slow machine is no failure.
READY_WITHIN = 60
STOPPED_WITHIN = 30
POLL_EVERY = 0.1

LOG_LINES = 10
ANY_PORT = "127.0.0.1:0"


class ServerError(Exception):
    """The server did not do what it should. The text ends with its last lines."""


class Server:
    """A running `event-ingest standalone`."""

    def __init__(self, program: Path, data: Path, *options: str) -> None:
        self.log = data / "server.log"
        self.process = subprocess.Popen(
            [program, "standalone", "--data", data, "--listen", ANY_PORT, "--admin-listen", ANY_PORT, *options],
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
            # Ctrl-C is for us: we then ask it to end.
            start_new_session=True,
        )
        self.endpoint = None
        self.announced = data / "endpoint.json"

    def wait_until_ready(self) -> None:
        """Waits until the server says where it listens."""
        self.wait_for(self.announced.exists, READY_WITHIN, "the server is not ready")
        self.endpoint = json.loads(self.announced.read_text())

    def wait_for(self, condition: Callable[[], bool], seconds: float, complaint: str) -> None:
        """Polls until the condition holds; a server that ends meanwhile is an error."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                raise ServerError(f"the server ended with exit code {self.process.returncode}{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{complaint} after {seconds} s{self.log_tail()}")
            time.sleep(POLL_EVERY)

    def activity(self) -> dict:
        """What became of which file."""
        with urllib.request.urlopen(f"{self.endpoint['admin_url']}/api/v1/activity", timeout=10) as answer:
            return json.load(answer)

    def peak_memory(self) -> int | None:
        """Most bytes that the server has had in memory, where the system tells."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return None
        return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), None)

    def log_tail(self) -> str:
        """The last lines of the log, to end an error message with."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join([f"; the end of {self.log}:", *lines])

    def stop(self) -> None:
        """Asks the server to end, and insists when it does not."""
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise ServerError(f"the server did not end within {STOPPED_WITHIN} s of SIGTERM{self.log_tail()}") from None
