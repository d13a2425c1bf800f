"""Parquet objects: their columns by the Parquet types alone, and their rows as Arrow batches."""

import struct
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .columns import INT96_ZONE
from .faults import ContentFault
from .store import Pinned

MAX_FOOTER = 64 * 1024 * 1024
FIRST_READ = 32 * 1024
BATCH_ROWS = 8 * 1024
#: Decoded bytes of a batch, about: documents of a megabyte come eight at a time.
BATCH_BYTES = 8 * 1024 * 1024
READ_BYTES = 4 * 1024 * 1024
_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"
_TAIL = 8
#: The seconds that are more than 64 bits of microseconds.
_MAX_SECONDS = (1 << 63) // 1_000_000
#: Under this key writers note how they held columns in memory. The types are the file's own, so it is not looked at.
_HINT, _NO_HINT = b"ARROW:schema", b"arrow-schema"


class ParquetSource:
    """An opened Parquet object."""

    def __init__(self, file: Pinned) -> None:
        self.file = file
        self.footer = _guarded(lambda: _metadata(_read_footer(file)))
        groups = range(self.footer.num_row_groups)
        #: Rows of each row group. There are writers that leave the file's own count at 0.
        self.groups = [self.footer.row_group(group).num_rows for group in groups]
        if self.footer.num_rows not in (0, sum(self.groups)):
            raise ContentFault(
                f"not readable as Parquet: the footer promises {self.footer.num_rows} rows, "
                f"its row groups {sum(self.groups)}"
            )
        self.int96: list[str] = []
        self.schema = _guarded(self._schema)

    @property
    def rows(self) -> int:
        return sum(self.groups)

    def batches(self, groups: list[int] | None = None) -> Iterator[pa.RecordBatch]:
        """Rows of these row groups, or of all, in the file's order. Raises `ContentFault` for damage."""
        groups = list(range(len(self.groups))) if groups is None else groups
        rows = 0
        for batch in _caught(self._decoded(groups)):
            rows += batch.num_rows
            yield batch
        promised = sum(self.groups[group] for group in groups)
        if rows != promised:
            raise ContentFault(f"not readable as Parquet: the footer promises {promised} rows, the pages hold {rows}")

    def _decoded(self, groups: list[int]) -> Iterator[pa.RecordBatch]:
        if not groups or not sum(self.groups[group] for group in groups):
            return
        read = {"row_groups": groups, "batch_size": self._batch_rows(groups), "use_threads": False}
        exact = iter(()) if not self.int96 else zip(*(
            self._open(unit).iter_batches(columns=self.int96, **read) for unit in ("us", "ns", "s")
        ))  # fmt: skip
        for batch in self._open("us").iter_batches(**read):
            if self.int96:
                _exact_int96(*next(exact))
            # The file's own schema, INT96 times being of no zone and of every zone.
            columns = [_retyped(array, field.type) for array, field in zip(batch.columns, self.schema)]
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _batch_rows(self, groups: list[int]) -> int:
        """As many rows as take some `BATCH_BYTES`, by what the footer says of their size."""
        widest = max(
            self.footer.row_group(group).total_byte_size / max(1, self.groups[group]) for group in groups
        )
        return max(1, min(BATCH_ROWS, int(BATCH_BYTES / max(1, widest))))

    def _open(self, int96_unit: str) -> pq.ParquetFile:
        return pq.ParquetFile(
            pa.PythonFile(self.file, mode="r"),
            metadata=self.footer,
            buffer_size=READ_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,
            coerce_int96_timestamp_unit=int96_unit,
        )

    def _schema(self) -> pa.Schema:
        parquet = self.footer.schema
        leaves = [parquet.column(place) for place in range(len(parquet))]
        found = _fields(parquet.to_arrow_schema(), iter(leaves))
        # Columns are named by their roots here, or by their whole path.
        self.int96 = [leaf.path for leaf in leaves if leaf.physical_type == "INT96"]
        return pa.schema(found)


def _read_footer(file: Pinned) -> bytes:
    size = file.size()
    if size < _TAIL + 4:
        raise ContentFault(f"not a Parquet file: {size} bytes are too few")
    start = max(0, size - FIRST_READ)
    file.seek(start)
    end = file.read(size - start)
    if end[-4:] == _ENCRYPTED:
        raise ContentFault("the file is encrypted; encrypted Parquet is not supported")
    if end[-4:] != _MAGIC:
        raise ContentFault("not a Parquet file, or a truncated one: it does not end in PAR1")
    (length,) = struct.unpack("<I", end[-_TAIL:-4])
    if length > min(MAX_FOOTER, size - _TAIL):
        raise ContentFault(f"damaged: a footer of {length} bytes in a file of {size} bytes")
    if length <= len(end) - _TAIL:
        return end[len(end) - _TAIL - length : -_TAIL]
    file.seek(size - _TAIL - length)
    return file.read(length)


def _metadata(footer: bytes) -> pq.FileMetaData:
    footer = footer.replace(_HINT, _NO_HINT)
    whole = b"".join((_MAGIC, footer, struct.pack("<I", len(footer)), _MAGIC))
    return pq.read_metadata(pa.BufferReader(whole))


def _fields(fields: Any, leaves: Iterator[Any]) -> list[pa.Field]:
    return [_typed(field, leaves) for field in fields]


def _typed(field: pa.Field, leaves: Iterator[Any]) -> pa.Field:
    held = field.type
    if pa.types.is_struct(held):
        return field.with_type(pa.struct(_fields(held, leaves)))
    if pa.types.is_map(held):
        key, item = _typed(held.key_field, leaves), _typed(held.item_field, leaves)
        return field.with_type(pa.map_(key, item))
    if pa.types.is_list(held):
        return field.with_type(pa.list_(_typed(held.value_field, leaves)))
    leaf = next(leaves)
    logical = str(leaf.logical_type.type)
    if leaf.physical_type == "INT96":
        return field.with_type(pa.timestamp("us", INT96_ZONE))
    if logical == "ENUM":
        return field.with_type(pa.binary())
    if logical in ("GEOMETRY", "GEOGRAPHY", "VARIANT"):
        raise ContentFault(f"column `{leaf.path}` has type {logical}, which the Spark job cannot read")
    if isinstance(held, pa.ExtensionType):
        return field.with_type(held.storage_type)
    return field


def _retyped(array: pa.Array, to: pa.DataType) -> pa.Array:
    """The same values under the types of `_typed`."""
    if array.type == to:
        return array
    if isinstance(array, pa.ExtensionArray):
        return _retyped(array.storage, to)
    return array.cast(to)


def _exact_int96(micros: pa.RecordBatch, nanos: pa.RecordBatch, seconds: pa.RecordBatch) -> None:
    """INT96 holds days and nanoseconds. What 64 bits of microseconds do not hold exactly shows in other units."""
    for place, name in enumerate(micros.schema.names):
        found = [_leaves(batch.column(place)) for batch in (micros, nanos, seconds)]
        for us, ns, s in zip(*found):
            if pc.any(pc.greater_equal(pc.abs(s), _MAX_SECONDS)).as_py():
                raise ContentFault(f"column `{name}` has an INT96 time that 64 bits of microseconds do not hold")
            # Unchecked: the decoder wraps around as well where 64 bits of nanoseconds are too few.
            if pc.any(pc.not_equal(pc.multiply(us, 1_000), ns)).as_py():
                raise ContentFault(f"column `{name}` has an INT96 time that is no whole microsecond")


def _leaves(array: pa.Array) -> list[pa.Array]:
    """The counts of all times in a column, at any depth."""
    if pa.types.is_timestamp(array.type):
        return [array.cast(pa.int64())]
    if pa.types.is_struct(array.type):
        return [leaf for child in array.flatten() for leaf in _leaves(child)]
    if pa.types.is_map(array.type):
        return [leaf for child in (array.keys, array.items) for leaf in _leaves(child)]
    if pa.types.is_list(array.type):
        return _leaves(array.flatten())
    return []


def _guarded(decode: Any) -> Any:
    try:
        return decode()
    except (pa.ArrowException, OSError, ValueError, NotImplementedError) as error:
        raise ContentFault(f"not readable as Parquet: {error}") from error


def _caught(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    while True:
        batch = _guarded(lambda: next(batches, None))
        if batch is None:
            return
        yield batch
