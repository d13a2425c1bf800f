"""The table as Spark and Iceberg know it: its schema, its branches, one append."""

import json
import secrets
from collections.abc import Callable
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from .columns import table_schema
from .faults import Refused, Unavailable
from .files import Reading
from .tasks import Piece, rows

BRANCH = "event-ingest-"
STAGE = "event-ingest.stage"
REQUEST = "event-ingest.request"
_RUN_BYTES = 4
#: How often a branch is made or dropped before it is given up; each has the table's own retries within.
COMMIT_TRIES = 5
#: What calls of Java raise: Spark makes exceptions of its own of some.
_FAILURES = (Py4JJavaError, PySparkException)


class Table:
    """One table, with the job's own branches."""

    def __init__(self, spark: SparkSession, catalog: str, name: str) -> None:
        """Raises `Refused` for a table that is not there, `Unavailable` if the catalog does not answer."""
        self.spark, self.name = spark, name
        self._path = ".".join(f"`{part}`" for part in (catalog, *name.split(".")))
        jvm: Any = spark._jvm
        try:
            self._table = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, self._path)
        except _FAILURES as error:
            if not self._exists():
                raise Refused(f"table {name} is not in catalog {catalog}: {_text(error)}") from error
            raise Unavailable(f"cannot load table {name}: {_text(error)}") from error
        self._jvm = jvm

    def _exists(self) -> bool:
        """Whether the catalog says so, or says nothing."""
        try:
            return bool(self.spark.catalog.tableExists(self._path))
        except _FAILURES:
            return True

    def refresh(self) -> None:
        """Sees the table as it is now, also for Spark's own plans.

        Raises `Refused` for a table that Spark cannot write, `Unavailable` if the catalog does not answer.
        """
        try:
            self._table.refresh()
            # First, for Spark's own words about columns that it does not know help nobody.
            table_schema(self.schema)
            self.spark.catalog.refreshTable(self._path)
        except _FAILURES as error:
            raise Unavailable(f"cannot load table {self.name} again: {_text(error)}") from error

    @property
    def uuid(self) -> str:
        return str(self._table.uuid().toString())

    @property
    def properties(self) -> dict[str, str]:
        return dict(self._table.properties())

    @property
    def schema(self) -> dict[str, Any]:
        """The schema as Iceberg's JSON has it."""
        return dict(json.loads(self._jvm.org.apache.iceberg.SchemaParser.toJson(self._table.schema())))

    @property
    def data_folder(self) -> str:
        return self.properties.get("write.data.path") or f"{str(self._table.location()).rstrip('/')}/data"

    def main(self) -> int:
        """The snapshot of `main`. Raises `Unavailable` while the light worker has not begun the table's ledger."""
        snapshot = self._table.currentSnapshot()
        if snapshot is None:
            raise Unavailable(f"table {self.name} has no snapshot yet: the light worker makes the first one")
        return int(snapshot.snapshotId())

    def find_stage(self, request_id: str, digest: str) -> tuple[str, int] | None:
        """A branch of this request whose head bears the digest, and that snapshot."""
        for name, ref in self._refs().items():
            if not name.startswith(f"{BRANCH}{request_id}-"):
                continue
            snapshot = self._table.snapshot(ref.snapshotId())
            summary = dict(snapshot.summary())
            if summary.get(STAGE) == digest and summary.get(REQUEST) == request_id and self._on_main(snapshot):
                return str(name), int(ref.snapshotId())
        return None

    def _on_main(self, snapshot: Any) -> bool:
        """Whether it is one append on a snapshot of `main` that has the same schema.

        One that has expired since counts as one of `main`, as it does for the publisher.
        """
        parent, main = snapshot.parentId(), self._table.currentSnapshot()
        if parent is None or main is None or snapshot.operation() != "append":
            return False
        if snapshot.schemaId() != self._table.schema().schemaId():
            return False
        if self._table.snapshot(parent) is None:
            return True
        ancestor = self._jvm.org.apache.iceberg.util.SnapshotUtil.isAncestorOf
        return bool(ancestor(self._table, main.snapshotId(), parent))

    def new_branch(self, request_id: str, attempt: int) -> str:
        """Makes a branch at the head of `main`, under a name that nobody has."""
        name = f"{BRANCH}{request_id}-{attempt}-{secrets.token_hex(_RUN_BYTES)}"

        def make() -> None:
            self._table.manageSnapshots().createBranch(name, self.main()).commit()

        self._commit(f"make branch {name}", make, lambda: name in self._refs())
        return name

    def drop_branch(self, name: str) -> None:
        """Removes a branch; one that is gone is as good."""

        def drop() -> None:
            self._table.manageSnapshots().removeBranch(name).commit()

        self.refresh()
        if name in self._refs():
            self._commit(f"drop branch {name}", drop, lambda: name not in self._refs())

    def _refs(self) -> dict[str, Any]:
        return dict(self._table.refs())

    def _commit(self, what: str, commit: Callable[[], None], done: Callable[[], bool]) -> None:
        """A small change of the table, again where another writer was faster. Whether it came about the table says."""
        failure: Exception | None = None
        for _ in range(COMMIT_TRIES):
            try:
                return commit()
            except _FAILURES as error:
                failure = error
            self.refresh()
            if done():
                return None
        raise Unavailable(f"cannot {what}: {_text(failure)}") from failure

    def append(
        self, branch: str, reading: Reading, pieces: list[Piece], summary: dict[str, str]
    ) -> tuple[int, int, int]:
        """Appends all rows in one snapshot of the branch: its id, its rows and its files.

        Distribution, order and file sizes are the table's own (`write.distribution-mode`, sort order,
        `write.target-file-size-bytes`).
        """
        self.refresh()
        point = self._table.refs()[branch].snapshotId()
        schema = self.spark.table(self._path).schema
        writer = rows(self.spark, reading, pieces, schema).writeTo(f"{self._path}.`branch_{branch}`")
        for name, value in summary.items():
            writer = writer.option(f"snapshot-property.{name}", value)
        writer.append()
        self.refresh()
        snapshot = self._table.snapshot(self._table.refs()[branch].snapshotId())
        if snapshot.parentId() != point or snapshot.operation() != "append":
            raise Unavailable(f"branch {branch} is not one append on its branch point")
        said = dict(snapshot.summary())
        return int(snapshot.snapshotId()), int(said.get("added-records", 0)), int(said.get("added-data-files", 0))


def _text(error: Exception | None) -> str:
    """The first line of what a Java exception says."""
    said = str(error.java_exception) if isinstance(error, Py4JJavaError) else str(error)
    return said.strip().splitlines()[0][:500] if said.strip() else type(error).__name__
