"""One file against its table: opened, held against the table's columns, read as rows of the table."""

from collections.abc import Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import pyarrow as pa

from .added import Mapping, added_names, mapping
from .align import align
from .columns import table_schema
from .faults import ContentFault
from .objects import Version
from .options import Options
from .parquet import ParquetSource
from .store import Pinned, Place
from .text_source import TextSource


@dataclass(frozen=True)
class Reading:
    """How the files of a request are read: what each task has to know."""

    place: Place
    format: str
    options: Options
    #: The table's schema as Iceberg's JSON has it.
    iceberg: Map[str, Any]
    #: Where the table's data files are.
    data_folder: str
    #: The time of the ingest.
    now: datetime

    @cached_property
    def table(self) -> pa.Schema:
        return table_schema(dict(self.iceberg))


class File:
    """One version of one object, whose columns fit the table."""

    def __init__(self, reading: Reading, version: Version) -> None:
        """Raises `ContentFault` with why it does not fit."""
        outside(reading, version)
        self.version, self._table = version, reading.table
        self.source: ParquetSource | TextSource
        if reading.format == "parquet":
            self.source = ParquetSource(Pinned(reading.place, version))
        else:
            added = added_names(reading.options, version.uri)
            opened = partial(Pinned, reading.place, version)
            self.source = TextSource(opened, reading.format, reading.options, reading.table, added)
        self.mapping: Mapping = mapping(self.source.schema, version.uri, reading.table, reading.options, reading.now)

    @property
    def groups(self) -> list[int] | None:
        """Rows of each piece that can be read by itself; none where only reading tells."""
        return self.source.groups if isinstance(self.source, ParquetSource) else None

    def rows(self, groups: list[int] | None = None) -> Iterator[pa.RecordBatch]:
        """Its rows in the table's columns, or those of some pieces. Raises `ContentFault`."""
        if isinstance(self.source, ParquetSource):
            batches = self.source.batches(groups)
        else:
            batches = self.source.batches()
        for batch in batches:
            yield align(batch, self.mapping, self._table)


def outside(reading: Reading, version: Version) -> None:
    """Refuses what lies where the table's own data files do: each would bring forth another."""
    plain = reading.data_folder.replace("s3a://", "s3://", 1).replace("s3n://", "s3://", 1).rstrip("/")
    if str(version.uri).startswith(f"{plain}/"):
        raise ContentFault("it lies among the table's own data files")
