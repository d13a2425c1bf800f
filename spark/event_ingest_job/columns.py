"""Columns of a file against columns of a table: which is which, and what fits.

The rules are the light worker's (crates/lake/src/columns); `tests/golden/schema-policy` holds the cases that both
have to decide alike. Types are Arrow's, for files and tables.
"""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from .faults import Refused

FIELD_ID = b"PARQUET:field_id"
#: Key of a field's metadata: the Iceberg type where Arrow's says less.
ICEBERG_TYPE = b"iceberg.type"
#: The zone under which INT96 times are read: they fit columns with and without zone. Other times never have it.
INT96_ZONE = "+00:00"
#: The zone of tables' instants.
TABLE_ZONE = "UTC"
_U64_DIGITS = 20

_PRIMITIVES = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", TABLE_ZONE),
    "string": pa.utf8(),
    "uuid": pa.binary(16),
    "binary": pa.binary(),
}


def table_schema(iceberg: dict[str, Any]) -> pa.Schema:
    """An Iceberg schema, as its JSON has it. Raises `Refused` for types that Spark cannot write."""
    return pa.schema([_table_field(column) for column in iceberg["fields"]])


def _table_field(column: dict[str, Any]) -> pa.Field:
    return _field(column["name"], column["type"], not column["required"], column["id"], column["name"])


def _field(name: str, held: Any, nullable: bool, id: int, path: str) -> pa.Field:
    metadata = {FIELD_ID: str(id)}
    if held == "uuid":
        metadata[ICEBERG_TYPE] = "uuid"
    return pa.field(name, _table_type(held, path), nullable, metadata)


def _table_type(held: Any, path: str) -> pa.DataType:
    if isinstance(held, dict) and held["type"] == "struct":
        return pa.struct([_table_field(column) for column in held["fields"]])
    if isinstance(held, dict) and held["type"] == "list":
        nullable = not held["element-required"]
        return pa.list_(_field("element", held["element"], nullable, held["element-id"], f"{path}.element"))
    if isinstance(held, dict) and held["type"] == "map":
        key = _field("key", held["key"], False, held["key-id"], f"{path}.key")
        value = _field("value", held["value"], not held["value-required"], held["value-id"], f"{path}.value")
        return pa.map_(key, value)
    if isinstance(held, str) and held.startswith("decimal("):
        precision, scale = held[len("decimal(") : -1].split(",")
        return pa.decimal128(int(precision), int(scale))
    if isinstance(held, str) and held.startswith("fixed["):
        return pa.binary(int(held[len("fixed[") : -1]))
    if held in _PRIMITIVES:
        return _PRIMITIVES[held]
    raise Refused(f"the table's column `{path}` has type {held}, which Spark cannot write; the light worker does")


def fits(source: pa.DataType, to: pa.DataType) -> bool:
    """Whether each value of one leaf type has an exact counterpart in another.

    What depends on the value is checked when it is converted.
    """
    t = pa.types
    if t.is_null(source) or source == to:
        return True
    if source in (pa.int8(), pa.int16(), pa.uint8(), pa.uint16()):
        return to in (pa.int32(), pa.int64())
    if source in (pa.int32(), pa.uint32()):
        return to == pa.int64()
    if source == pa.uint64():
        return t.is_decimal128(to) and to.scale == 0 and to.precision >= _U64_DIGITS
    if t.is_float16(source):
        return to in (pa.float32(), pa.float64())
    if source == pa.float32():
        return to == pa.float64()
    if t.is_decimal(source):
        return t.is_decimal128(to) and source.scale == to.scale and source.precision <= to.precision
    if t.is_timestamp(source):
        zones = t.is_timestamp(to) and ((source.tz is None) == (to.tz is None) or source.tz == INT96_ZONE)
        return zones and to.unit in ("us", "ns")
    if t.is_binary(source) or t.is_large_binary(source):
        return t.is_string(to) or t.is_binary(to)
    if t.is_fixed_size_binary(source):
        return t.is_binary(to)
    if t.is_date64(source):
        return t.is_date32(to)
    return (t.is_string(source) or t.is_large_string(source)) and t.is_string(to)


@dataclass(frozen=True)
class Misfit:
    """A column that the table does not hold, or one that the file lacks."""

    kind: str  # unknown, type, missing, twice or id
    path: str
    text: str


@dataclass(frozen=True)
class Node:
    """Where a column, a field, an element, a key or a value comes from, and what is below it."""

    #: Its place among its siblings in the file; none if the file lacks it.
    place: int | None
    children: tuple["Node", ...] = ()


@dataclass
class Matching:
    """Which columns are the same."""

    ignore_case: bool = False
    field_ids: bool = False
    misfits: list[Misfit] = field(default_factory=list)

    def name(self, name: str) -> str:
        """What two columns have to share to be the same."""
        return name.lower() if self.ignore_case else name

    def map(self, file: list[pa.Field], table: list[pa.Field], parent: str = "") -> tuple[Node, ...]:
        """For each column of the table where its values come from. What does not fit is noted."""
        names = [self.name(column.name) for column in file]
        for place, column in enumerate(file):
            path = join(parent, column.name)
            if names[place] in names[:place]:
                self._note("twice", path, f"column `{path}` appears twice")
        known = {self.name(column.name) for column in table}
        for name, column in zip(names, file):
            path = join(parent, column.name)
            # A column of nulls alone asks for no place.
            if name not in known and not pa.types.is_null(column.type):
                self._note("unknown", path, f"column `{path}` is not in the table's schema")
        return tuple(self._origin(file, names, column, join(parent, column.name)) for column in table)

    def _origin(self, file: list[pa.Field], names: list[str], column: pa.Field, path: str) -> Node:
        try:
            place = names.index(self.name(column.name))
        except ValueError:
            if not column.nullable:
                self._note("missing", path, f"column `{path}` is required by the table and missing")
            return Node(None)
        self._check_id(file[place], column, path)
        return Node(place, self._below(file[place].type, column.type, path))

    def _below(self, source: pa.DataType, to: pa.DataType, path: str) -> tuple[Node, ...]:
        t = pa.types
        if t.is_struct(source) and t.is_struct(to):
            return self.map(list(source), list(to), path)
        if t.is_list(source) and t.is_list(to):
            return (self._inner(source.value_field, to.value_field, join(path, "element")),)
        if t.is_map(source) and t.is_map(to):
            key = self._inner(source.key_field, to.key_field, join(path, "key"))
            return key, self._inner(source.item_field, to.item_field, join(path, "value"))
        if not fits(source, to):
            self._note("type", path, f"column `{path}` has type {source}, the table holds {to}")
        return ()

    def _inner(self, source: pa.Field, to: pa.Field, path: str) -> Node:
        self._check_id(source, to, path)
        return Node(0, self._below(source.type, to.type, path))

    def _check_id(self, file: pa.Field, column: pa.Field, path: str) -> None:
        if not self.field_ids:
            return
        has, wanted = ((one.metadata or {}).get(FIELD_ID, b"").decode() for one in (file, column))
        if wanted and has != wanted:
            self._note("id", path, f"column `{path}` has field id {has or 'none'}, in the table it has {wanted}")

    def _note(self, kind: str, path: str, text: str) -> None:
        self.misfits.append(Misfit(kind, path, text))


def join(parent: str, name: str) -> str:
    """The path of a column below another."""
    return f"{parent}.{name}" if parent else name
