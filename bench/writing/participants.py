"""Who is measured, and the command of each."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from data_sets import DataSet, prefix

PEERS = Path(__file__).resolve().parent.parent / "peers"
BUCKET = "bench"


@dataclass(frozen=True)
class World:
    """What all measurements of one kind of storage have in common."""

    where: str
    """`local` or `s3`."""
    program: str
    """Our program, `writing`."""
    python: str
    data: Path
    """The folder of all data sets; on S3 the bucket holds the same."""
    s3: dict[str, str]
    """Iceberg's s3.* properties; empty for `local`."""
    duckdb_s3: Path | None
    """The packages of the DuckDB that can talk S3."""

    def peer(self, script: str, *arguments: str) -> list[str]:
        return [self.python, str(PEERS / script), *arguments, *self.s3_arguments()]

    def s3_arguments(self) -> list[str]:
        return ["--s3", json.dumps(self.s3)] if self.s3 else []

    def environment(self) -> dict[str, str]:
        """For all commands: one heap of the C library, as docs/operating.md has it for ours. The peers bring allocators of
        their own. And for those that use DuckDB, where it is."""
        heap = {"MALLOC_ARENA_MAX": "1"}
        return heap | {"PYTHONPATH": str(self.duckdb_s3)} if self.s3 else heap

    def source(self, data_set: DataSet) -> str:
        return f"s3://{BUCKET}/{prefix(data_set)}" if self.s3 else str(self.data / prefix(data_set))


@dataclass(frozen=True)
class Run:
    """One process of one participant."""

    world: World
    data_set: DataSet
    to: str
    """Folder, or s3:// prefix, that takes everything that is written. It is not there before."""
    scratch: Path
    """A local folder, for the catalog."""

    @property
    def catalog(self) -> str:
        return f"sqlite:///{self.scratch}/catalog.db"


@dataclass(frozen=True)
class Participant:
    name: str
    command: Callable[[Run], list[str]]
    warms_up: bool = True
    """Whether it can do the work twice in one process."""
    has_table: bool = False
    mode: str = ""
    """The mode that is asked for, of ours."""


def ours(mode: str) -> Participant:
    def command(run: Run) -> list[str]:
        world = run.world
        warehouse = run.to if world.s3 else f"file://{run.to}"
        properties = {"uri": run.catalog, "warehouse": warehouse} | world.s3
        folder = [] if world.s3 else ["--folder", str(world.data)]
        catalog = [f"--catalog={key}={value}" for key, value in properties.items()]
        what = ["--prefix", prefix(run.data_set), "--format", run.data_set.format, "--table", "bench.rows"]
        return [world.program, "--bucket", BUCKET, *folder, *what, f"--option=mode={mode}", *catalog]

    return Participant(f"ours, {mode}", command, has_table=True, mode=mode)


def pyiceberg(run: Run) -> list[str]:
    places = ["--from", run.world.source(run.data_set), "--to", run.to]
    return run.world.peer("pyiceberg_worker.py", *places, "--catalog", run.catalog)


def duckdb(run: Run) -> list[str]:
    places = ["--from", run.world.source(run.data_set), "--to", run.to]
    return run.world.peer("duckdb_copy.py", *places, "--format", run.data_set.format)


def cp(run: Run) -> list[str]:
    if run.world.s3:
        return run.world.peer("s3_copy.py", "--from", run.world.source(run.data_set), "--to", run.to)
    return ["cp", "-r", run.world.source(run.data_set), run.to]


def cp_durable(run: Run) -> list[str]:
    """As safe against a power failure as a commit is."""
    return ["sh", "-c", 'cp -r "$1" "$2" && sync "$2"/*', "sh", run.world.source(run.data_set), run.to]


def cp_in_server(run: Run) -> list[str]:
    return [*cp(run), "--in-server"]


def participants(world: World, data_set: DataSet) -> list[Participant]:
    """Those that take part in a data set."""
    # Text has to be decoded: there is one way.
    modes = ["auto", "splice", "rewrite"] if data_set.format == "parquet" else ["rewrite"]
    copies = (
        [Participant("cp (get, put)", cp), Participant("cp (in server)", cp_in_server)]
        if world.s3
        else [Participant("cp", cp, warms_up=False), Participant("cp, sync", cp_durable, warms_up=False)]
    )
    return [
        *map(ours, modes),
        Participant("PyIceberg", pyiceberg, has_table=True),
        Participant("DuckDB COPY", duckdb),
        *copies,
    ]
