"""Rows as every engine has to see them, and what differs."""

import datetime
import decimal
import math
import struct
import uuid
from pathlib import Path

import pyarrow as pa

# No two rows of a round have the same.
ID = "id"


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


def differences(expected: pa.Table, found: pa.Table, limit: int = 5) -> list[str]:
    """What is wrong with the rows that were found, the first of it in words."""
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
                if alike(value) != alike(other[name]):
                    kinds = f"{expected.schema.field(name).type} as {found.schema.field(name).type}"
                    wrong.append(f"row {row[ID]}, column {name} ({kinds}): {other[name]!r}, not {value!r}")
        if len(wrong) >= limit:
            break
    return wrong
