"""Reads Iceberg tables independently of the project's own code: with PyIceberg, or DuckDB over the same data files."""

import argparse
import math
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlparse

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table

ENGINES = ("pyiceberg", "duckdb")


def add_table_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a table. The catalog is given as the services take it."""
    parser.add_argument(
        "--catalog",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an Iceberg catalog property (uri, warehouse, s3.endpoint, …), repeatable; the type is sql unless given",
    )
    parser.add_argument("--catalog-name", default="my_catalog", help="default: %(default)s")
    parser.add_argument("--table", required=True, help="namespace.name")
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=ENGINES[0],
        help="pyiceberg maps columns by field id; duckdb reads the data files by name, local ones alone",
    )


def open_table(name: str, catalog_name: str, properties: dict[str, str]) -> Table:
    """Opens a table; raises pyiceberg's NoSuchTableError when it is not there."""
    return load_catalog(catalog_name, **{"type": "sql"} | properties).load_table(name)


def table_of(arguments: argparse.Namespace) -> Table:
    """Opens the table that `add_table_arguments` was given."""
    properties = dict(entry.split("=", 1) for entry in arguments.catalog)
    return open_table(arguments.table, arguments.catalog_name, properties)


def read(table: Table, engine: str = ENGINES[0]) -> pa.Table:
    """All rows of the current snapshot."""
    if engine == "pyiceberg":
        return table.scan().to_arrow()
    schema = table.schema().as_arrow()
    files = [local_path(task.file.file_path) for task in table.scan().plan_files()]
    if not files:
        return schema.empty_table()
    rows = duckdb.connect().read_parquet(files, union_by_name=True)
    return fit(rows.to_arrow_table(), schema, "the table's data files")


def local_path(location: str) -> str:
    """The path of a `file:/…` or `file:///…` location, or of one without a scheme."""
    parsed = urlparse(location)
    if parsed.scheme not in ("", "file"):
        raise ValueError(f"{location} is not a local file: read this table with --engine pyiceberg")
    return unquote(parsed.path) if parsed.scheme else location


def read_sources(paths: Iterable[Path], schema: pa.Schema) -> pa.Table:
    """The rows of Parquet and CSV files in a table's schema: columns by name, what a file lacks as null."""
    parts = []
    for path in paths:
        if path.suffix == ".csv":
            types = {field.name: field.type for field in schema}
            rows = pyarrow.csv.read_csv(path, convert_options=pyarrow.csv.ConvertOptions(column_types=types))
        else:
            rows = pq.ParquetFile(path).read()
        parts.append(fit(rows, schema, str(path)))
    return pa.concat_tables(parts) if parts else schema.empty_table()


def fit(rows: pa.Table, schema: pa.Schema, what: str) -> pa.Table:
    """Rows in another schema. A value that does not fit is an error, and so is a column that the schema lacks."""
    unknown = set(rows.column_names) - set(schema.names)
    if unknown:
        raise ValueError(f"{what}: the table has no column {', '.join(sorted(unknown))}")
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.table(dict(zip(schema.names, columns, strict=True)))


def summarise(rows: pa.Table) -> dict:
    """Row count, and for each column its type, nulls, bounds and sum, ready for JSON."""
    return {
        "rows": rows.num_rows,
        "columns": {field.name: summarise_column(rows[field.name]) for field in rows.schema},
    }


def summarise_column(column: pa.ChunkedArray) -> dict:
    """Bounds and sums leave out nulls and NaN, which are counted. Nested columns have neither."""
    summary = {"type": str(column.type), "nulls": column.null_count}
    if pa.types.is_nested(column.type):
        return summary
    if pa.types.is_floating(column.type):
        nan = pc.is_nan(column)
        summary["nans"] = pc.sum(nan).as_py() or 0
        column = column.filter(pc.invert(nan))
    values = pc.min_max(column).as_py() if can_compare(column.type) else {}
    summary |= {bound: plain(value) for bound, value in values.items()}
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        summary["sum"] = plain(pc.sum(column).as_py())
    return summary


def can_compare(kind: pa.DataType) -> bool:
    """Whether Arrow finds bounds of such a column."""
    return not (pa.types.is_fixed_size_binary(kind) or isinstance(kind, pa.BaseExtensionType))


def plain(value: object) -> object:
    """A value that JSON can hold: numbers and truth values as they are, the rest as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def differences(left: pa.Table, right: pa.Table, limit: int) -> dict:
    """How the rows of two tables of one schema differ as multisets: how many are only in one of them, and the first.

    Null equals null. Floating-point columns are compared bit by bit, so that NaN is NaN and 0.0 is not -0.0; those
    within nested columns as DuckDB compares them.
    """
    connection = duckdb.connect()
    connection.register("a", bitwise(left))
    connection.register("b", bitwise(right))
    report = {}
    for name, one, other in (("only_left", "a", "b"), ("only_right", "b", "a")):
        only = connection.sql(
            f"from (select * from {one} except all select * from {other}) order by all"
        ).to_arrow_table()
        first = from_bits(only.slice(0, limit), left.schema).to_pylist()
        report[name] = {"rows": only.num_rows, "first": [[plain(value) for value in row.values()] for row in first]}
    return report


BITS = {pa.float16(): pa.int16(), pa.float32(): pa.int32(), pa.float64(): pa.int64()}


def bitwise(rows: pa.Table) -> pa.Table:
    """The same rows with floating-point columns as integers of the same bits."""
    return view(rows, pa.schema([(field.name, BITS.get(field.type, field.type)) for field in rows.schema]))


def from_bits(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows of `bitwise` in the schema that it was given."""
    kinds = [field.type if field.type in BITS else rows.schema.field(field.name).type for field in schema]
    return view(rows, pa.schema(zip(schema.names, kinds, strict=True)))


def view(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same buffers under other types of the same width."""
    columns = []
    for field in schema:
        column = rows[field.name]
        if column.type != field.type:
            column = pa.chunked_array([chunk.view(field.type) for chunk in column.chunks], field.type)
        columns.append(column)
    return pa.table(dict(zip(schema.names, columns, strict=True)))
