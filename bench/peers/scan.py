#!/usr/bin/env python3
"""Reads what was written as a reader of the table would, and says how long that takes: by DuckDB all columns of all
data files, by PyIceberg the table. The digest is the same for the same rows, in whatever order and files they are.
"""

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Callable

import duckdb
import duckdb_copy
import place
from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table

# The first time is not counted: it opens files that the others find in memory.
TIMES = 4


def seconds(scan: Callable[[], object]) -> float:
    """The median of several times."""
    taken = []
    for _ in range(TIMES):
        began = time.monotonic()
        scan()
        taken.append(time.monotonic() - began)
    return statistics.median(taken[1:])


def in_duckdb(connection: duckdb.DuckDBPyConnection, files: list[str], format: str) -> dict:
    rows = f"read_{format}({files})"
    columns = [column[0] for column in connection.execute(f"DESCRIBE FROM {rows}").fetchall()]
    # hash() needs every value: no bound and no count in a footer answers it.
    sums = ", ".join(f'sum(hash("{column}"))' for column in columns)
    query = f"SELECT count(*), {sums} FROM {rows}"
    count, *found = connection.execute(query).fetchone()
    digest = hashlib.sha256(repr(sorted(zip(columns, map(str, found)))).encode()).hexdigest()[:12]
    return {
        "rows": count,
        "digest": digest,
        "duckdb_seconds": seconds(lambda: connection.execute(query).fetchone()),
    }


def in_pyiceberg(table: Table) -> dict:
    def scan() -> None:
        for _ in table.scan().to_arrow_batch_reader():
            pass

    return {"pyiceberg_seconds": seconds(scan)}


def plain(path: str) -> str:
    """A data file's path as DuckDB takes it."""
    return "/" + path.removeprefix("file:").lstrip("/") if path.startswith("file:") else path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at", required=True, help="folder, or s3://bucket/prefix, that was written to")
    parser.add_argument("--s3", type=json.loads, default={}, help="Iceberg's s3.* properties as JSON")
    parser.add_argument("--format", default="parquet", help="of the files, if there is no table")
    parser.add_argument("--catalog", help="SQLAlchemy's URL of the catalog, if there is a table")
    arguments = parser.parse_args()

    system, paths = place.files(arguments.at, arguments.s3)
    said = {"bytes": sum(info.size for info in system.get_file_info(paths))}
    if arguments.catalog:
        catalog = load_catalog("my_catalog", type="sql", uri=arguments.catalog, **arguments.s3)
        table = catalog.load_table("bench.rows")
        files = [plain(task.file.file_path) for task in table.scan().plan_files()]
        said |= in_pyiceberg(table)
    else:
        scheme = "s3://" if arguments.at.startswith("s3://") else ""
        files = [scheme + path for path in paths]
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    if arguments.at.startswith("s3://"):
        duckdb_copy.load_s3(connection, arguments.s3)
    said |= in_duckdb(connection, files, arguments.format) | {"files": len(files)}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
