"""Rows as every engine has to see them, and what differs."""

import datetime
import decimal
import math
import struct
import uuid
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

# No two rows of a round have the same.
ID = "id"
# Differences that are told.
SHOWN = 5


def save(rows: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)


def load(path: Path) -> pa.Table:
    with pa.OSFile(str(path), "rb") as file:
        return pa.ipc.open_file(file).read_all()


def alike(value: object) -> object:
    """The same for equal values, whatever type an engine has for them: NaN is NaN, 0.0 is not -0.0."""
    match value:
        case float():
            return "NaN" if math.isnan(value) else struct.pack(">d", value)
        case decimal.Decimal():
            return format(value, "f")
        case datetime.datetime():
            return (value.astimezone(datetime.timezone.utc) if value.tzinfo else value).isoformat()
        case uuid.UUID():
            return str(value)
        case bytearray():
            return bytes(value)
        case dict():
            return {name: alike(inner) for name, inner in value.items()}
        case list() if value and all(isinstance(entry, tuple) for entry in value):
            # A map, whose entries have no order.
            return sorted(([alike(key), alike(item)] for key, item in value), key=repr)
        case list():
            return [alike(inner) for inner in value]
    return value


def without_null_lists(value: object, kind: pa.DataType) -> object:
    """The value as PyIceberg 0.12 reads it: lists and maps of structs are empty where they are null."""
    if pa.types.is_struct(kind) and value is not None:
        return {field.name: without_null_lists(value[field.name], field.type) for field in kind}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        if value is None:
            return [] if pa.types.is_struct(kind.value_type) else None
        return [without_null_lists(inner, kind.value_type) for inner in value]
    if pa.types.is_map(kind):
        if value is None:
            return [] if pa.types.is_struct(kind.item_type) else None
        return [(key, without_null_lists(item, kind.item_type)) for key, item in value]
    return value


def differences(expected: pa.Table, found: pa.Table, as_seen: Callable = lambda value, kind: value) -> list[str]:
    """What is wrong with the rows that were found, the first of it in words. Values are compared as `as_seen` has them."""
    if sorted(expected.column_names) != sorted(found.column_names):
        return [f"columns are {found.column_names}, not {expected.column_names}"]
    if expected.num_rows != found.num_rows:
        return [f"there are {found.num_rows} rows, not {expected.num_rows}"]
    rows = {row[ID]: row for row in found.to_pylist()}
    wrong = []
    for row in expected.to_pylist():
        other = rows.get(row[ID])
        if other is None:
            wrong.append(f"row {row[ID]} is missing")
        else:
            for name, value in row.items():
                kind = expected.schema.field(name).type
                if alike(as_seen(value, kind)) != alike(as_seen(other[name], kind)):
                    kinds = f"{kind} as {found.schema.field(name).type}"
                    wrong.append(f"row {row[ID]}, column {name} ({kinds}): {other[name]!r}, not {value!r}")
        if len(wrong) >= SHOWN:
            break
    return wrong
