"""What runs on executors: reading pieces of files, and checking files to their end."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from .faults import Changed, ContentFault
from .files import File, Reading
from .objects import ObjectUri, Version

#: Bytes of source files that one task reads, unless a single piece is larger.
TASK_BYTES = 128 * 1024 * 1024
#: Tasks that check files, at most: each is one file or more.
MAX_TASKS = 2_000


@dataclass(frozen=True)
class Piece:
    """Row groups of a file, or a file of text."""

    version: Version
    groups: list[int] | None
    bytes: int


@dataclass(frozen=True)
class Checked:
    """What became of a file that was read to its end: its rows, or why it cannot be taken."""

    place: int
    rows: int = 0
    reason: str | None = None
    changed: bool = False


def pieces_of(version: Version, groups: list[int] | None) -> list[Piece]:
    """A file in pieces of about `TASK_BYTES`, by the rows of its row groups."""
    if groups is None or version.size <= TASK_BYTES:
        return [Piece(version, None, version.size)]
    count = min(len(groups), -(-version.size // TASK_BYTES))
    pieces: list[Piece] = []
    rows, taken, start = sum(groups) or 1, 0, 0
    for group, of_group in enumerate(groups):
        taken += of_group
        # A piece ends where its share of the rows is reached.
        if taken * count >= rows * (len(pieces) + 1) or group == len(groups) - 1:
            pieces.append(Piece(version, list(range(start, group + 1)), version.size // count))
            start = group + 1
    return pieces


def bins(pieces: list[Piece], wanted: int) -> list[list[Piece]]:
    """Pieces by tasks: as many as are wanted while there are pieces, of at most about `TASK_BYTES` each."""
    total = sum(piece.bytes for piece in pieces)
    most = max(1, min(TASK_BYTES, -(-total // max(1, wanted))))
    found: list[list[Piece]] = []
    size = most
    for piece in sorted(pieces, key=lambda piece: -piece.bytes):
        if size >= most or size + piece.bytes > TASK_BYTES:
            found.append([])
            size = 0
        found[-1].append(piece)
        size += piece.bytes
    return found


def rows(spark: SparkSession, reading: Reading, pieces: list[Piece], schema: StructType) -> DataFrame:
    """The rows of all pieces in the table's columns."""
    tasks = bins(pieces, spark.sparkContext.defaultParallelism)
    lines = [(json.dumps([asdict(piece) for piece in task]),) for task in tasks]
    described = spark.sparkContext.parallelize(lines, max(1, len(lines)))
    return spark.createDataFrame(described, "pieces string").mapInArrow(_reader(reading), schema)


def _reader(reading: Reading) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for line in batch.column(0).to_pylist():
                for piece in json.loads(line):
                    yield from File(reading, _version(piece["version"])).rows(piece["groups"])

    return read


def _version(said: dict) -> Version:  # type: ignore[type-arg]
    return Version(ObjectUri(**said.pop("uri")), **said)


def check(spark: SparkSession, reading: Reading, versions: list[Version]) -> list[Checked]:
    """Reads files to their ends, each on some executor, for nothing but to know that it can be done."""
    numbered = list(enumerate(versions))
    slices = max(1, min(len(numbered), MAX_TASKS))
    return spark.sparkContext.parallelize(numbered, slices).map(lambda one: check_one(reading, *one)).collect()


#: Nothing of the kind should come so far; if it does, it is one file's fault, and not that of its batch.
ODD = (ValueError, OverflowError, pa.ArrowException)


def unreadable(place: int, error: Exception) -> Checked:
    """What is said of a file that brought up one of `ODD`."""
    return Checked(place, reason=f"not readable: {type(error).__name__}: {str(error)[:200]}")


def check_one(reading: Reading, place: int, version: Version) -> Checked:
    """Reads one file to its end."""
    try:
        return Checked(place, sum(batch.num_rows for batch in File(reading, version).rows()))
    except ContentFault as fault:
        return Checked(place, reason=str(fault))
    except Changed:
        return Checked(place, changed=True)
    except ODD as error:
        return unreadable(place, error)
