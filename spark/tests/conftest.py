"""S3, Spark and a publisher for the tests: one of each for all of them."""

import http.server
import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

REPOSITORY = Path(__file__).resolve().parents[2]


class Bytes(io.BytesIO):
    """An object in memory, as sources read it."""

    def size(self) -> int:
        return len(self.getbuffer())


@pytest.fixture(scope="session")
def s3() -> Iterator[Any]:
    """A client of an S3 server; `inbox` is plain, `kept` keeps versions."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ.update(
        AWS_ENDPOINT_URL_S3=f"http://{host}:{port}",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
    )
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"], region_name="us-east-1")
    for bucket in ("inbox", "kept"):
        client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    yield client
    server.stop()


@pytest.fixture(scope="session")
def spark(s3: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Spark session with a catalog `lake`. Its workers inherit where S3 is."""
    from pyspark.sql import SparkSession

    from event_ingest_job.cli import ship

    folder = tmp_path_factory.mktemp("lake")
    settings = {
        "spark.jars": os.environ["SPARK_JARS"].rstrip(","),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData",
        "spark.local.dir": str(folder / "local"),
        "spark.sql.warehouse.dir": str(folder / "spark-warehouse"),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "jdbc",
        "spark.sql.catalog.lake.uri": f"jdbc:sqlite:{folder / 'catalog.db'}",
        "spark.sql.catalog.lake.jdbc.schema-version": "V1",
        "spark.sql.catalog.lake.warehouse": f"file://{folder / 'warehouse'}",
    }
    # As on a cluster a task may fail: Spark now and then gives one a Python worker that it is about to stop.
    builder = SparkSession.builder.master("local[2,2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    session.sql("create namespace lake.db")
    ship(session)
    yield session
    session.stop()


class Publisher:
    """A light worker that answers as it is told, and keeps what was posted."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.posts: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.paths: list[str] = []
        #: Where a redirect leads.
        self.location = ""
        publisher = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # noqa: N802
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                publisher.paths.append(self.path)
                publisher.posts.append((dict(self.headers.items()), body))
                answer = publisher.answers.pop(0) if publisher.answers else (200, {"request_id": body.get("request_id")})
                status, said = answer(body) if callable(answer) else answer
                text = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                if 300 <= status < 400:
                    self.send_header("location", publisher.location)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    one = Publisher()
    yield one
    one.stop()
