#!/usr/bin/env python3
"""Spark's part of the round trip, and that of the DuckDB that reads Iceberg by itself; `roundtrip.py` made FOLDER.

Writes Spark's files and says `written`; at the next line on its standard input it reads the tables of all rounds.
Starting Spark takes many seconds, so all rounds share one. Run it by `scripts/spark.sh run`.
"""

import argparse
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import duckdb_extension_avro
import duckdb_extension_iceberg
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from roundtrip_rows import ID, alike, load, save

CATALOG = "my_catalog"


def session(folder: Path, catalog: Path) -> SparkSession:
    settings = {
        "spark.jars": os.environ["SPARK_JARS"].rstrip(","),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData",
        "spark.sql.warehouse.dir": str(folder / "spark-warehouse"),
        "spark.local.dir": str(folder / "spark-local"),
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
        "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
        "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
        "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
        f"spark.sql.catalog.{CATALOG}": "org.apache.iceberg.spark.SparkCatalog",
        f"spark.sql.catalog.{CATALOG}.type": "jdbc",
        f"spark.sql.catalog.{CATALOG}.uri": f"jdbc:sqlite:{catalog}",
        f"spark.sql.catalog.{CATALOG}.jdbc.schema-version": "V1",
        f"spark.sql.catalog.{CATALOG}.warehouse": str(folder / "unused"),
        # A table is read as it is then.
        f"spark.sql.catalog.{CATALOG}.cache-enabled": "false",
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def write(spark: SparkSession, folder: Path, job: dict) -> None:
    """One Parquet file with the rows of a plain one."""
    spark.conf.set("spark.sql.parquet.outputTimestampType", "INT96" if job["int96"] else "TIMESTAMP_MICROS")
    spark.conf.set("spark.sql.parquet.writeLegacyFormat", str(job["legacy"]).lower())
    options = {
        "compression": job["codec"],
        "parquet.writer.version": "v2" if job["v2"] else "v1",
        "parquet.enable.dictionary": str(job["dictionary"]).lower(),
        "parquet.page.size": str(job["page"]),
        "parquet.block.size": str(job["row_group"] * 100),
        "parquet.page.write-checksum.enabled": str(job["bloom"]).lower(),
        f"parquet.bloom.filter.enabled#{ID}": str(job["bloom"]).lower(),
    }
    made = folder / "made"
    # Spark looks for files that have the suffix.
    source = folder / "plain.parquet"
    shutil.copy(folder / job["from"], source)
    spark.read.parquet(str(source)).coalesce(1).write.options(**options).parquet(str(made))
    [file] = made.glob("part-*")
    file.rename(folder / job["to"])
    shutil.rmtree(made)
    source.unlink()


def rounds(folder: Path) -> Iterator[tuple[Path, dict]]:
    for path in sorted(folder.glob("*/round.json")):
        yield path.parent, json.loads(path.read_text())


def duck(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"extension_directory": str(folder / "extensions")})
    for package, name in ((duckdb_extension_avro, "avro"), (duckdb_extension_iceberg, "iceberg")):
        [file] = Path(package.__file__).parent.glob(f"extensions/*/{name}.duckdb_extension")
        connection.execute(f"install '{file}'")
        connection.execute(f"load {name}")
    connection.execute("set timezone = 'UTC'")
    return connection


def metadata(catalog: Path, table: str) -> str:
    namespace, name = table.split(".")
    with sqlite3.connect(catalog) as connection:
        query = "select metadata_location from iceberg_tables where table_namespace = ? and table_name = ?"
        [location] = connection.execute(query, (namespace, name)).fetchone()
    return location.removeprefix("file://")


def read(spark: SparkSession, folder: Path, catalog: Path, connection: duckdb.DuckDBPyConnection) -> None:
    for place, report in rounds(folder):
        expected = load(place / "expected.arrow")
        connection.execute(f"create or replace view seen as from iceberg_scan('{metadata(catalog, report['table'])}')")
        save(connection.sql("from seen").to_arrow_table(), place / "duckdb.arrow")

        def by_duckdb(name: str, value: object) -> int:
            [found] = connection.execute(f'select count(*) from seen where "{name}" = ?', [value]).fetchone()
            return found

        asked = [by_duckdb]
        if report["spark_reads"]:
            seen = spark.table(f"{CATALOG}.{report['table']}")
            save(seen.toArrow(), place / "spark.arrow")
            asked.append(lambda name, value: seen.filter(seen[f"`{name}`"] == literal(seen, name, value)).count())
        for ask in asked:
            looked_up(report, expected, ask)


def literal(seen: DataFrame, name: str, value: object) -> Column:
    """A value of a column's type; PySpark makes none of each date that Python has."""
    text = value if isinstance(value, str | int) else value.isoformat()
    return F.lit(text).cast(seen.schema[name].dataType)


def looked_up(report: dict, expected: pa.Table, ask: object) -> None:
    """What is looked for by a value is found: no file is left out by its bounds that has it."""
    for name, row in [*report["probes"], [ID, report["last_id"]]]:
        wanted = expected[name][row].as_py()
        if wanted is None:
            continue
        there = sum(alike(wanted) == alike(other) for other in expected[name].to_pylist())
        found = ask(name, wanted)
        assert found == there, f"{report['table']}: {found} rows are found by {name} = {wanted!r}, not {there}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("catalog", type=Path, help="need not be there until it is read")
    arguments = parser.parse_args()
    spark = session(arguments.folder, arguments.catalog)
    for place, report in rounds(arguments.folder):
        for job in report["spark"]:
            write(spark, place, job)
    print("written", flush=True)
    sys.stdin.readline()
    read(spark, arguments.folder, arguments.catalog, duck(arguments.folder))


if __name__ == "__main__":
    main()
