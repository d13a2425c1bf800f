#!/usr/bin/env python3
"""What PyIceberg takes from Parquet footers, to compare with. `write FOLDER` makes files over many types;
`describe METADATA FILE…` prints what PyIceberg says of each file for the table of that metadata."""

import argparse
import datetime
import decimal
import json
import math
import sys
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.table.metadata import TableMetadataUtil

# Rows of a row group: each file has several.
GROUP = 3


def flat() -> pa.Table:
    """Two row groups of three rows, each type that Iceberg has, with and without nulls."""
    day = datetime.date(2024, 2, 29)
    at = datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)
    zone = datetime.timezone.utc
    number = decimal.Decimal
    columns = {
        "flag": ([True, None, True, False, True, None], pa.bool_()),
        "int": ([-(2**31), None, 3, 4, 5, 2**31 - 1], pa.int32()),
        "long": ([-(2**63), 0, 3, None, None, 2**63 - 1], pa.int64()),
        "float": ([-0.0, 1.5, None, math.inf, 0.0, -2.5], pa.float32()),
        "double": ([0.0, 1.5, None, -math.inf, 0.0, 2.5], pa.float64()),
        "zero": ([0.0, 0.0, 0.0, -0.0, -0.0, None], pa.float64()),
        "nan": ([math.nan, 1.0, None, 2.0, math.nan, 3.0], pa.float64()),
        "small": ([number("-1.25"), None, number("9999999.99"), number(0), number(1), number(2)], pa.decimal128(9, 2)),
        "middle": ([number("-1.25"), None, number(7), number(0), number(1), number(2)], pa.decimal128(18, 2)),
        "large": ([number("-1.25"), None, number(10**30), number(0), number(1), number(2)], pa.decimal128(38, 2)),
        "day": ([day, None, datetime.date(1, 1, 1), day, day, datetime.date(9999, 12, 31)], pa.date32()),
        "time": ([datetime.time(0), None, datetime.time(23, 59, 59, 999999)] * 2, pa.time64("us")),
        "at": ([at, None, datetime.datetime(2262, 4, 12)] * 2, pa.timestamp("us")),
        "instant": ([at.replace(tzinfo=zone), None, None] * 2, pa.timestamp("us", "UTC")),
        "short": (["b", "", None, "äöü", "z", "exactly sixteen!"], pa.string()),
        "long text": (["b" * 40, "c" * 17, None, "ä" * 40, "z", "😀" * 20], pa.string()),
        "last text": (["\U0010ffff" * 17, "a", None, "b", "c", "d"], pa.string()),
        "nearly last": (["a" + "\U0010ffff" * 17, "a", None, "b", "c", "d"], pa.string()),
        "bytes": ([b"\x00" * 20, b"", None, b"\xff\x00", b"\xfe" + b"\xff" * 20, b"a"], pa.binary()),
        "last bytes": ([b"\xff" * 20, b"", None, b"a", b"b", b"c"], pa.binary()),
        "uuid": ([uuid.UUID(int=n).bytes for n in (1, 2, 3, 4, 5)] + [None], pa.uuid()),
        "fixed": ([b"ab", None, b"\xff\xff", b"\x00\x00", b"cd", b"ef"], pa.binary(2)),
        "all null": ([None] * 6, pa.int32()),
        "null group": ([None, None, None, 1, 2, 3], pa.int32()),
    }
    return pa.table({name: pa.array(values, kind) for name, (values, kind) in columns.items()})


def nested() -> pa.Table:
    """A struct, a list, a map, and one in another; nulls and empty ones at each level."""
    point = pa.struct([("x", pa.int64()), ("name", pa.string())])
    columns = {
        "s": ([{"x": 1, "name": "a"}, None, {"x": None, "name": "z"}, {"x": 4, "name": None}], point),
        "l": ([[1, None, 3], [], None, [4]], pa.list_(pa.int32())),
        "m": ([{"k": 1.5}.items(), None, {}.items(), {"a": None, "b": 2.5}.items()], pa.map_(pa.string(), pa.float64())),
        "deep": ([[{"x": 1, "name": "a"}, None], [], None, [{"x": 9, "name": "q"}]], pa.list_(point)),
    }
    lists = {name: [list(v) if name == "m" and v is not None else v for v in values] for name, (values, _) in columns.items()}
    return pa.table({name: pa.array(lists[name], kind) for name, (_, kind) in columns.items()})


def apart() -> pa.Table:
    """Where PyIceberg and this project differ on purpose."""
    ends = [uuid.UUID(int=n).bytes for n in (1, 2**127 + 1)]
    return pa.table(
        {
            "nan group": pa.array([math.nan, math.nan, math.nan, 1.0], pa.float64()),
            "uuid": pa.array(ends * 2, pa.uuid()),
        }
    )


def write(folder: Path) -> None:
    for name, table in {"flat": flat(), "nested": nested(), "apart": apart(), "empty": flat().slice(0, 0)}.items():
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=GROUP)
    integers = flat().select(["small", "middle", "large"])
    pq.write_table(integers, folder / "integers.parquet", row_group_size=GROUP, store_decimal_as_integer=True)


def describe(metadata: Path, files: list[Path]) -> dict[str, dict]:
    table = TableMetadataUtil.parse_raw(metadata.read_text())
    plan = compute_statistics_plan(table.schema(), table.properties)
    paths = parquet_path_to_id_mapping(table.schema())
    described = {}
    for file in files:
        statistics = data_file_statistics_from_parquet_metadata(pq.read_metadata(file), plan, paths)
        entry = {}
        for key, value in statistics.to_serialized_dict().items():
            if isinstance(value, dict):
                value = {str(k): v.hex() if isinstance(v, bytes) else v for k, v in value.items()}
            entry[key] = value
        described[file.name] = entry
    return described


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("write").add_argument("folder", type=Path)
    describing = commands.add_parser("describe")
    describing.add_argument("metadata", type=Path)
    describing.add_argument("files", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "write":
        write(arguments.folder)
    else:
        json.dump(describe(arguments.metadata, arguments.files), sys.stdout)


if __name__ == "__main__":
    main()
