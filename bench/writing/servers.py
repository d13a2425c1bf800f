"""The S3 server that is measured against."""

import contextlib
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "minio.sh"
# As scripts/minio.sh says.
KEYS = {"s3.access-key-id": "event-ingest", "s3.secret-access-key": "for-tests-alone", "s3.region": "us-east-1"}


@contextlib.contextmanager
def minio(folder: Path) -> Iterator[dict[str, str]]:
    """A MinIO with its objects on the disk of `folder`; yields Iceberg's properties for it."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="minio-") as data:
        port = free_port()
        command = [SCRIPT, "run", "--port", str(port), "--dir", data, "--until-stdin-closes"]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            said = ""
            while "is ready" not in said:
                said = server.stderr.readline()
                if not said:
                    raise RuntimeError("MinIO did not start: run 'scripts/setup.sh minio', and see what it says")
            yield KEYS | {"s3.endpoint": f"http://127.0.0.1:{port}"}
        finally:
            server.stdin.close()
            server.wait()
            server.stderr.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
