#!/usr/bin/env python3
"""DuckDB's COPY from all files of a place into one Parquet file with zstd. No table: the least a rewrite can do."""

import argparse
import importlib.resources
from pathlib import Path
from urllib.parse import urlparse

import duckdb
import place


def load_s3(connection: duckdb.DuckDBPyConnection, s3: dict[str, str]) -> None:
    """Makes `s3://` known, by the extension that is installed beside this DuckDB as a package."""
    folder = importlib.resources.files("duckdb_extension_httpfs")
    extension = next(Path(str(folder)).rglob("httpfs.duckdb_extension"))
    connection.load_extension(str(extension))
    endpoint = urlparse(s3["s3.endpoint"])
    connection.execute(
        f"""CREATE SECRET (TYPE s3, KEY_ID '{s3["s3.access-key-id"]}', SECRET '{s3["s3.secret-access-key"]}',
        ENDPOINT '{endpoint.netloc}', REGION '{s3["s3.region"]}', URL_STYLE 'path', USE_SSL false)"""
    )


def copy(connection: duckdb.DuckDBPyConnection, source: str, format: str, to: str) -> dict:
    if not to.startswith("s3://"):
        Path(to).mkdir(parents=True)
    # As pyarrow takes it.
    nulls = ", nullstr = ['', 'NA']" if format == "csv" else ""
    read = f"read_{format}('{source}/*.{format}'{nulls})"
    options = "FORMAT parquet, COMPRESSION zstd"
    count = connection.execute(f"COPY (FROM {read}) TO '{to}/all.parquet' ({options})").fetchone()
    return {"rows": count[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    place.add_arguments(parser)
    parser.add_argument("--format", choices=["parquet", "csv"], required=True)
    arguments = parser.parse_args()
    # The order of rows means nothing in a table, and costs DuckDB memory.
    connection = duckdb.connect(config={"preserve_insertion_order": "false"})
    connection.execute("SET TimeZone = 'UTC'")
    if arguments.source.startswith("s3://"):
        load_s3(connection, arguments.s3)
    place.timed(
        lambda to: copy(connection, arguments.source, arguments.format, to), arguments.to, arguments.warm_up
    )


if __name__ == "__main__":
    main()
