#!/usr/bin/env python3
"""The light worker as it would be in Python: reads all files of a batch, puts them together, appends them to a table.

The simplest that is correct for a batch that arrives once. It has no ledger: a repeated batch is appended again.
"""

import argparse
from pathlib import Path

import place
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog, load_catalog


def read(system, path: str) -> pa.Table:
    with system.open_input_file(path) as file:
        return pyarrow.csv.read_csv(file) if path.endswith(".csv") else pq.read_table(file)


def as_iceberg_has_it(schema: pa.Schema) -> pa.Schema:
    """The schema with instants as a table has them: microseconds, and a zone is UTC."""
    return pa.schema(
        field.with_type(pa.timestamp("us", field.type.tz and "UTC")) if pa.types.is_timestamp(field.type) else field
        for field in schema
    )


def append(catalog: Catalog, source: str, s3: dict[str, str], name: str) -> dict:
    system, paths = place.files(source, s3)
    rows = pa.concat_tables([read(system, path) for path in paths])
    rows = rows.cast(as_iceberg_has_it(rows.schema))
    table = catalog.create_table_if_not_exists(name, rows.schema)
    table.append(rows)
    return {"rows": rows.num_rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    place.add_arguments(parser)
    parser.add_argument("--catalog", required=True, help="SQLAlchemy's URL of the catalog")
    arguments = parser.parse_args()
    if not arguments.to.startswith("s3://"):
        Path(arguments.to).mkdir(parents=True, exist_ok=True)
    properties = {"type": "sql", "uri": arguments.catalog, "warehouse": arguments.to} | arguments.s3
    catalog = load_catalog("my_catalog", **properties)
    catalog.create_namespace_if_not_exists("bench")
    place.timed(
        lambda name: append(catalog, arguments.source, arguments.s3, name), "bench.rows", arguments.warm_up
    )


if __name__ == "__main__":
    main()
