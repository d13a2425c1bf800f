#!/usr/bin/env python3
"""Shows the heavy path at work: a batch of Parquet files that is too large for the light worker is announced, batched,
read by a Spark on this machine, staged and published. Then the same batch without Spark, for comparison.

Prints each stage with its seconds. The exit code is 0 only if the tables hold all rows, once.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import lakehouse
import s3_client
from demo import print_table
from server import Server

REPOSITORY = Path(__file__).resolve().parents[2]
CATALOG = "my_catalog"
ROWS_PER_FILE = 360_000
# From here on the dispatcher calls a batch heavy.
HEAVY_BYTES = 500_000_000
TOPICS = "s3-events,light-ingest,heavy-ingest,ingest-dlq"

# Seconds. Generous: a slow machine is no failure.
READY_WITHIN = 90
DONE_WITHIN = 1200
STOPPED_WITHIN = 60


class DemoError(Exception):
    """Something did not do what it should."""


class Service:
    """A program of ours that logs JSON into a file."""

    def __init__(self, folder: Path, name: str, command: list[object], environment: dict[str, str]) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            env=os.environ | {"LOG_FORMAT": "json"} | environment,
            start_new_session=True,
        )

    def lines(self) -> list[dict]:
        """What it has logged so far."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return found

    def said(self, message: str) -> dict | None:
        """The first line with this message."""
        return next((line for line in self.lines() if line.get("message") == message), None)

    def wait_for(self, what: str, seconds: float, look):
        """What `look` gives, as soon as it gives anything."""
        deadline = time.monotonic() + seconds
        while True:
            found = look()
            if found:
                return found
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
                raise DemoError(f"{what}: not within {seconds} s, or {self.name} has ended; the end of its log:\n{tail}")
            time.sleep(0.05)

    def url(self) -> str:
        """Where it listens, once it is ready."""
        address = self.wait_for("it listens", READY_WITHIN, lambda: self.said("listening"))["address"]
        url = f"http://{address}"
        self.wait_for("it is ready", READY_WITHIN, lambda: answers(f"{url}/readyz"))
        return url

    def peak_mib(self) -> float:
        """Most memory that it had at once."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def stop(self) -> None:
        """Asks it to end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except OSError:
        return False


def post(url: str, body: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.loads(answer.read() or b"{}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def make_file(path: Path, seed: int) -> None:
    """Numbers that compress badly, as measurements do, and names that repeat."""
    random = Random(seed)

    def noise(bits: int) -> pa.Array:
        numbers = pa.Array.from_buffers(pa.int64(), ROWS_PER_FILE, [None, pa.py_buffer(random.randbytes(8 * ROWS_PER_FILE))])
        return pc.bit_wise_and(numbers, (1 << bits) - 1)

    columns = {
        "id": pa.array(range(seed * ROWS_PER_FILE, (seed + 1) * ROWS_PER_FILE), pa.int64()),
        "sensor": noise(9).cast(pa.string()),
        "time": pc.add(noise(40), 1_700_000_000_000_000).cast(pa.timestamp("us", "UTC")),
        "value_0": pc.divide(noise(52).cast(pa.float64()), 1e9),
        "value_1": pc.divide(noise(52).cast(pa.float64()), 1e9),
        "count": noise(30),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def moment(text: str) -> float:
    """A time in a log, in seconds."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def driver_moments(log: Path) -> dict[str, float]:
    """When the driver said what, by its first words."""
    found = {}
    for line in log.read_text(errors="replace").splitlines():
        match = re.match(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) \w+ event_ingest_job (\w+) ", line)
        if match:
            # The job runs here, and so in this time zone.
            at = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").timestamp() + int(match[2]) / 1000
            found.setdefault(match[3], at)
    return found


class Demo:
    """All parts in one folder."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder, self.services = programs, folder, []
        data = folder / "bucket"
        data.mkdir()
        # Its own worker stays out of this: it only plays the bucket.
        self.server = Server(programs / "event-ingest", data, "--batch-wait", "1h", "--batch-files", "10000")

    def start(self, name: str, command: list[object], environment: dict[str, str] | None = None) -> Service:
        service = Service(self.folder, name, command, environment or {})
        self.services.append(service)
        return service

    def lake(self) -> list[str]:
        """Catalog, storage and ledger, as worker and launcher take them."""
        endpoint = self.server.endpoint
        properties = {
            "uri": f"sqlite:///{self.folder}/catalog.db",
            "warehouse": f"file://{self.folder}/warehouse",
            "s3.endpoint": endpoint["url"],
            "s3.access-key-id": endpoint["access_key"],
            "s3.secret-access-key": endpoint["secret_key"],
            "s3.region": "us-east-1",
        }
        given = [part for key, value in properties.items() for part in ("--catalog", f"{key}={value}")]
        return [*given, "--create-tables", "--allow-source", f"s3://{endpoint['bucket']}", "--listen", "127.0.0.1:0"]

    def launcher(self, name: str, *options: object) -> Service:
        catalog = f"spark.sql.catalog.{CATALOG}"
        conf = {
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.memory": "2g",
            "spark.local.dir": self.folder / "spark-local",
            "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            catalog: "org.apache.iceberg.spark.SparkCatalog",
            f"{catalog}.type": "jdbc",
            f"{catalog}.uri": f"jdbc:sqlite:{self.folder}/catalog.db",
            f"{catalog}.jdbc.schema-version": "V1",
            f"{catalog}.warehouse": f"file://{self.folder}/warehouse",
        }
        endpoint = self.server.endpoint
        environment = {
            "SPARK_CATALOG": CATALOG,
            "PUBLISHER_URL": self.worker_url,
            "AWS_ENDPOINT_URL_S3": endpoint["url"],
            "AWS_ACCESS_KEY_ID": endpoint["access_key"],
            "AWS_SECRET_ACCESS_KEY": endpoint["secret_key"],
            "AWS_REGION": "us-east-1",
        }
        command = [self.programs / "spark-launcher", *self.lake(), "--scan-interval", "500ms"]
        command += ["--spark-work-dir", self.folder / "spark-work", "--spark-master", "local[2,4]"]
        command += ["--spark-submit", REPOSITORY / "scripts/spark-submit.sh", "--spark-job", REPOSITORY / "spark/main.py"]
        command += [part for key, value in conf.items() for part in ("--spark-conf", f"{key}={value}")]
        return self.start(name, [*command, *options], environment)

    def run(self, files: int) -> dict:
        """The demo itself, told as it goes."""
        self.server.wait_until_ready()
        port = free_port()
        broker = self.start(
            "kafka",
            [REPOSITORY / "scripts/kafka.sh", "run", "--port", port, "--controller-port", free_port(), "--topics", TOPICS,
             "--dir", self.folder / "kafka", "--until-stdin-closes"],
        )  # fmt: skip
        worker = self.start("light-worker", [self.programs / "light-worker", *self.lake()])
        print(f"\nMaking {files} files …", flush=True)
        sources = self.make(files)
        size = sum(source.stat().st_size for source in sources)
        if size < HEAVY_BYTES:
            raise DemoError(f"{size:,} bytes are a light batch: ask for more --files")
        self.worker_url = worker.url()
        broker.wait_for("Kafka is ready", READY_WITHIN, lambda: b"ready" in broker.log.read_bytes())

        kafka = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}"}
        webhook = f"127.0.0.1:{free_port()}"
        dispatch = [self.programs / "dispatcher", "--listen", "127.0.0.1:0", "--notify-listen", webhook]
        dispatch += ["--table", "db.measured"]
        dispatcher = self.start("dispatcher", [*dispatch, "--batch-max-files", files], kafka)
        os.environ |= kafka
        launcher = self.launcher("spark-launcher", "--source", "kafka", "--backend", "spark-submit")
        dispatcher.url()
        notify = f"http://{webhook}/notify"
        idle_mib = (launcher.url(), launcher.peak_mib())[1]

        announced = self.upload(sources)
        bucket = self.server.endpoint["bucket"]
        began = time.time()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda each: self.announce(notify, bucket, *each), announced))
        print(f"{files} files, {size:,} bytes, are in the bucket and announced\n", flush=True)

        closed = launcher.wait_for("the batch is in the table", DONE_WITHIN, lambda: self.closed("db.measured"))
        stages = self.stages(began, dispatcher, launcher, closed)
        print_table([{"stage": name, "seconds": f"{seconds:.2f}"} for name, seconds in stages])
        launcher_mib = launcher.peak_mib()
        launcher.stop()

        without = self.without_spark(announced, bucket)
        print(f"The same batch without Spark (backend inline): {without['seconds']:.2f} s, "
              f"{without['peak_mib']:.0f} MiB\n", flush=True)  # fmt: skip
        rows = {table: self.rows(table) for table in ("db.measured", "db.inline")}
        return {
            "equal": all(count == files * ROWS_PER_FILE for count in rows.values()),
            "rows": rows,
            "bytes": size,
            "stages": dict(stages),
            "launcher": {"idle_mib": idle_mib, "peak_mib": launcher_mib},
            "inline": without,
        }

    def make(self, files: int) -> list[Path]:
        folder = self.folder / "sources"
        folder.mkdir()
        sources = [folder / f"{number:03}.parquet" for number in range(files)]
        for number, source in enumerate(sources):
            make_file(source, number)
        return sources

    def upload(self, sources: list[Path]) -> list[tuple[str, int, str]]:
        """Key, size and ETag of each."""
        client, bucket = s3_client.connect(self.server.endpoint), self.server.endpoint["bucket"]
        announced = []
        for source in sources:
            key = f"incoming/{source.name}"
            with source.open("rb") as body:
                etag = client.put_object(Bucket=bucket, Key=key, Body=body)["ETag"].strip('"')
            announced.append((key, source.stat().st_size, etag))
        return announced

    def announce(self, url: str, bucket: str, key: str, size: int, etag: str) -> None:
        """As Ceph's gateway would."""
        record = {
            "eventVersion": "2.2",
            "eventSource": "ceph:s3",
            "eventTime": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": size, "eTag": etag}},
        }
        post(url, {"Records": [record]})

    def closed(self, table: str) -> dict | None:
        """The story of a record of this table."""
        for path in (self.folder / "warehouse/_event_ingest/heavy/closed").glob("*.json"):
            try:
                story = json.loads(path.read_text())
            except json.JSONDecodeError:
                continue
            if story["table"] == table:
                return story
        return None

    def stages(self, began: float, dispatcher: Service, launcher: Service, story: dict) -> list[tuple[str, float]]:
        """Each stage with its seconds."""
        driver = driver_moments(self.folder / f"spark-work/ingest-{story['record_id']}-{story['through']}/log")
        marks = [
            ("announced, batched, requested", moment(dispatcher.said("batch dispatched")["timestamp"])),
            ("taken by the launcher", moment(story["received"])),
            ("Spark is up", driver["started"]),
            ("objects looked at", driver["looked"]),
            ("read and staged", driver["staged"]),
            ("published", driver["published"]),
            ("record closed", moment(story["closed"])),
        ]
        before, found = began, []
        for name, at in marks:
            found.append((name, max(0.0, at - before)))
            before = max(before, at)
        return [*found, ("in all", before - began)]

    def without_spark(self, announced: list[tuple[str, int, str]], bucket: str) -> dict:
        launcher = self.launcher("inline", "--source", "http", "--backend", "inline")
        url = launcher.url()
        files = [f"s3://{bucket}/{key}" for key, _, _ in announced]
        objects = [{"size": size, "etag": etag} for _, size, etag in announced]
        began = time.time()
        post(url, {"files": files, "objects": objects, "table": "db.inline", "format": "parquet"})
        story = launcher.wait_for("the batch is in the table", DONE_WITHIN, lambda: self.closed("db.inline"))
        return {"seconds": moment(story["closed"]) - began, "peak_mib": launcher.peak_mib()}

    def rows(self, table: str) -> int:
        """To PyIceberg, with every id once."""
        catalog = {"uri": f"sqlite:///{self.folder}/catalog.db", "warehouse": f"file://{self.folder}/warehouse"}
        ids = lakehouse.open_table(table, CATALOG, catalog).scan(selected_fields=("id",)).to_arrow()["id"]
        if len(ids.unique()) != len(ids):
            raise DemoError(f"{table} holds rows twice")
        return len(ids)

    def stop(self) -> None:
        for service in reversed(self.services):
            service.stop()
        # Drivers outlive their launcher, on purpose.
        for file in (self.folder / "spark-work").glob("*/process.json"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(json.loads(file.read_text())["process"]["pid"], signal.SIGKILL)
        self.server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=Path, required=True, help="the folder of our programs")
    parser.add_argument("--files", type=int, default=50, help="of some 11 MB each; default: %(default)s")
    parser.add_argument("--summary", type=Path, help="where to write what was found, as JSON")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    folder = Path(tempfile.mkdtemp(prefix="event-ingest-heavy-"))
    demo = Demo(arguments.programs, folder)
    try:
        summary = demo.run(arguments.files)
    except (DemoError, urllib.error.URLError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        demo.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(summary, indent=2))
    if arguments.summary:
        arguments.summary.write_text(json.dumps(summary, indent=2) + "\n")
    return 0 if summary["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
