"""The program: exit code 0 when all is published, 1 when another attempt may succeed, 2 when none will."""

import atexit
import logging
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from . import settings
from .faults import Refused, Unavailable
from .job import Job

PUBLISHED, AGAIN, NEVER = 0, 1, 2

log = logging.getLogger("event_ingest_job")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one attempt."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    # Botocore shows requests at lower levels only; this keeps it so whatever a cluster configures.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    flags = settings.parser().parse_args(arguments)
    try:
        told, request = settings.load(flags)
        spark = session(f"event-ingest {request.table} {request.id[:12]}-{request.attempt}")
        try:
            Job(spark, request, told).run()
        finally:
            spark.stop()
    except Refused as error:
        log.error("refused, no retry helps: %s", error)
        return NEVER
    except Unavailable as error:
        log.error("failed, a retry may help: %s", error)
        return AGAIN
    return PUBLISHED


def session(name: str) -> SparkSession:
    """The session that spark-submit configured, with this package on its executors."""
    spark = SparkSession.builder.appName(name).getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    ship(spark)
    return spark


def ship(spark: SparkSession) -> None:
    """Executors run the package that the driver runs, installed or not."""
    package = Path(__file__).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="event-ingest-"))
    # Executors fetch it from here for as long as the driver lives.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    archive = folder / "event_ingest_job.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for module in sorted(package.glob("*.py")):
            file.write(module, f"{package.name}/{module.name}")
    spark.sparkContext.addPyFile(str(archive))


if __name__ == "__main__":
    sys.exit(main())
