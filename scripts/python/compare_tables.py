#!/usr/bin/env python3
"""Compares tables with the files that they were made of, value by value: compare_tables.py LIST

LIST is a JSON file: {"catalog": {…}, "comparisons": [{"name": …, "table": "namespace.name", "source": PATH}, …]}; a CSV
file may have "nulls", further texts that mean null; "empty_is_null" makes empty lists and maps equal to absent ones. Parquet is read by PyArrow, or by DuckDB if that cannot; CSV by
PyArrow into the table's types; lines of JSON by Python. What differs is printed, and the exit code is 1.
"""

import datetime
import decimal
import json
import math
import sys
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import duckdb
import lakehouse
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog, load_catalog

# Differing rows to show of each side, and characters of each.
SHOWN = 2
WIDTH = 300
# Larger tables are compared by DuckDB: Python would take minutes.
LARGE = 20_000


def read_parquet(path: Path) -> pa.Table:
    # The type of INT96 in the table has microseconds; nanoseconds would wrap around for dates far away.
    try:
        return pq.ParquetFile(path, coerce_int96_timestamp_unit="us").read()
    except (pa.ArrowException, OSError, ValueError) as error:
        print(f"{path.name}: PyArrow: {error}", file=sys.stderr)
        return duckdb.connect().read_parquet(str(path)).to_arrow_table()


def read_csv(path: Path, schema: pa.Schema, nulls: list[str]) -> pa.Table:
    convert = pyarrow.csv.ConvertOptions(
        column_types={field.name: field.type for field in schema},
        null_values=["", *nulls],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    return pyarrow.csv.read_csv(path, parse_options=parse, convert_options=convert)


def read_lines(path: Path, schema: pa.Schema) -> Iterable[dict]:
    """The objects of a file, each with all columns; in a text column whatever is no text is kept as its JSON."""
    for line in path.read_text().splitlines():
        row = json.loads(line)
        for field in schema:
            value = row.setdefault(field.name, None)
            if value is None:
                continue
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
                row[field.name] = value if isinstance(value, str) else json.dumps(value)
            elif pa.types.is_floating(field.type):
                row[field.name] = float(value)
            elif pa.types.is_timestamp(field.type):
                row[field.name] = datetime.datetime.fromisoformat(value)
        yield row


def plain(value: object) -> object:
    """A value without what its type alone says: each reader has types of its own for the same."""
    match value:
        case float():
            return "NaN" if math.isnan(value) else repr(value)
        case decimal.Decimal():
            # Integers too large for 64 bits of sign and number are decimals in a table.
            return int(value) if value == value.to_integral_value() else str(value.normalize())
        case uuid.UUID():
            return value.bytes.hex()
        case bytes():
            return value.hex()
        case datetime.datetime():
            return str(value.astimezone(datetime.timezone.utc).replace(tzinfo=None) if value.tzinfo else value)
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case bool() | int() | str() | None:
            return value
    return str(value)


def count(rows: Iterable[dict]) -> Counter:
    return Counter(json.dumps(plain(row), sort_keys=True) for row in rows)


def count_table(table: pa.Table) -> Counter:
    try:
        columns = {name: table[name].to_pylist() for name in table.column_names}
    except OverflowError:
        return count_table(without_dates(table))
    return count(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


def without_dates(table: pa.Table) -> pa.Table:
    """Structs as the columns within them, and timestamps as numbers: Python knows of no year after 9999."""
    while any(pa.types.is_struct(kind) for kind in table.schema.types):
        table = table.flatten()
    numbers = [
        column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in table.columns
    ]
    return pa.table(numbers, names=table.column_names)


def nulls_for_empty(value: object) -> object:
    match value:
        case dict():
            return {name: nulls_for_empty(inner) for name, inner in value.items()}
        case list():
            return [nulls_for_empty(inner) for inner in value] or None
    return value


def compare(catalog: Catalog, comparison: dict) -> str | None:
    source = Path(comparison["source"])
    found = catalog.load_table(comparison["table"]).scan().to_arrow()
    if source.suffix == ".jsonl":
        expected = count(read_lines(source, found.schema))
    else:
        csv = source.suffix == ".csv"
        table = read_csv(source, found.schema, comparison.get("nulls", [])) if csv else read_parquet(source)
        if table.num_rows > LARGE:
            table = lakehouse.fit(table, found.schema, source.name)
            differences = lakehouse.differences(found, table, SHOWN)
            return json.dumps(differences) if any(side["rows"] for side in differences.values()) else None
        expected = count_table(table)
    counted = count_table(found)
    if comparison.get("empty_is_null"):
        counted, expected = (count(nulls_for_empty(json.loads(row)) for row in c.elements()) for c in (counted, expected))
    if counted == expected:
        return None
    lines = []
    for side, rows in {"only in the table": counted - expected, "only in the file": expected - counted}.items():
        lines += [f"{side}: {rows.total()}", *(f"  {row[:WIDTH]}" for row in list(rows)[:SHOWN])]
    return "\n  ".join(lines)


def main() -> int:
    asked = json.loads(Path(sys.argv[1]).read_text())
    catalog = load_catalog("my_catalog", **{"type": "sql"} | asked["catalog"])
    differ = 0
    for comparison in asked["comparisons"]:
        # Whatever goes wrong with one, the others are compared.
        try:
            difference = compare(catalog, comparison)
        except Exception as error:
            difference = f"{type(error).__name__}: {error}"
        if difference:
            differ += 1
            print(f"{comparison['name']}\n  {difference}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
