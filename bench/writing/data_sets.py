#!/usr/bin/env python3
"""The files that are measured: made once, the same on every machine, and kept in a folder.

data_sets.py FOLDER NAME… makes the named ones that are not there.
"""

import argparse
import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DataSet:
    """Files of one shape under one prefix."""

    name: str
    about: str
    format: str
    files: int = 0
    rows: int = 0
    """Rows of one file."""
    row_group: int = 0
    """Rows of one row group."""
    real: str = ""
    """The file of `scripts/data.sh` that is the whole set, if it is not made."""


# A row takes 28 bytes in a small Parquet file with Snappy, 20 in a large one, and 105 as CSV.
DATA_SETS = {
    each.name: each
    for each in (
        DataSet("50x4MB", "50 files of 4 MB", "parquet", 50, 130_000, 1_000_000),
        DataSet("200x2.4MB", "200 files of 2.4 MB", "parquet", 200, 78_000, 1_000_000),
        DataSet("small-groups", "50 files of 20 small row groups", "parquet", 50, 130_000, 6_500),
        DataSet("450MB", "one file of 450 MB, row groups of 128 MB", "parquet", 1, 22_400_000, 6_400_000),
        DataSet("csv", "20 CSV files of 10 MB", "csv", 20, 90_000),
        DataSet("flights-3m", "real: 3 million flights, one file", "parquet", real="vega/flights-3m.parquet"),
        DataSet("nycflights", "real: 336,776 flights as CSV", "csv", real="nycflights/flights.csv"),
    )
}

# Twelve columns as an application writes them: an ascending key and time, few and many different texts, numbers of each
# kind, a flag, nulls. `i` is the row's number; hash() of it stands for chance, so that every run has the same rows.
ROWS = """
SELECT
    i AS id,
    make_timestamptz(1767225600000000 + i * 1000 + (hash(i, 1) % 1000)::BIGINT) AS happened_at,
    (hash(i, 2) % 50000)::INTEGER AS user_id,
    ['created', 'paid', 'packed', 'sent', 'returned'][1 + (hash(i, 3) % 5)::INTEGER] AS status,
    ['AT', 'BE', 'CZ', 'DE', 'ES', 'FI', 'FR', 'IT', 'NL', 'PL', 'PT', 'SE'][1 + (hash(i, 4) % 12)::INTEGER] AS country,
    '/shop/item/' || (hash(i, 5) % 400)::VARCHAR AS path,
    (hash(i, 6) % 4096)::DOUBLE / 16 AS weight,
    ((hash(i, 7) % 2000000)::DECIMAL(18, 0) / 100)::DECIMAL(12, 2) AS price,
    (hash(i, 8) % 12)::SMALLINT::INTEGER AS items,
    hash(i, 9) % 7 = 0 AS gift,
    DATE '2026-01-01' + (i // 100000)::INTEGER AS day,
    CASE WHEN hash(i, 10) % 9 = 0 THEN 'note ' || (hash(i, 11) % 3000)::VARCHAR END AS note
FROM (SELECT range AS i FROM range({first}, {last}))
"""


def rows(connection, first: int, last: int):
    return connection.sql(ROWS.format(first=first, last=last)).to_arrow_table()


def make(data_set: DataSet, folder: Path) -> None:
    import duckdb
    import pyarrow.csv
    import pyarrow.parquet as pq

    connection = duckdb.connect()
    connection.sql("SET TimeZone = 'UTC'")
    for number in range(data_set.files):
        first = number * data_set.rows
        last = first + data_set.rows
        file = folder / f"part-{number:04}.{data_set.format}"
        if data_set.format == "csv":
            pyarrow.csv.write_csv(rows(connection, first, last), file)
            continue
        step = min(data_set.rows, data_set.row_group)
        writer = None
        for begin in range(first, last, step):
            table = rows(connection, begin, min(begin + step, last))
            writer = writer or pq.ParquetWriter(file, table.schema, compression="snappy")
            writer.write_table(table, row_group_size=step)
        writer.close()


def fingerprint(data_set: DataSet) -> str:
    """Names a folder by what defines its content."""
    return hashlib.sha256(f"{data_set} {ROWS}".encode()).hexdigest()[:12]


def prefix(data_set: DataSet) -> str:
    """The folder of a data set within the folder of all of them, and its prefix in a bucket."""
    return f"{data_set.name}-{fingerprint(data_set)}"


def ensure(data_set: DataSet, folder: Path, real: Path | None) -> None:
    """Makes the data set in the folder, if it is not there: whole or not at all."""
    place = folder / prefix(data_set)
    if place.exists():
        return
    print(f"making {data_set.name}", file=sys.stderr)
    new = folder / f"{place.name}.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    if data_set.real:
        if real is None:
            sys.exit(f"{data_set.name} is real data: run 'scripts/setup.sh data', and name the folder by --real")
        shutil.copy(real / data_set.real, new)
    else:
        make(data_set, new)
    new.rename(place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+", choices=DATA_SETS)
    parser.add_argument("--real", type=Path, help="what `scripts/data.sh path` prints")
    arguments = parser.parse_args()
    for name in arguments.names:
        ensure(DATA_SETS[name], arguments.folder, arguments.real)


if __name__ == "__main__":
    main()
