#!/usr/bin/env python3
"""Cuts the example files of this folder from the US flights table of the npm package vega-datasets.

Run it by hand, never as part of a build: the files it writes are committed.

    npm pack vega-datasets@3.2.1 && tar xzf vega-datasets-3.2.1.tgz
    scripts/python.sh examples/data/cut.py package/data/flights-3m.parquet

Rows, their order and their values stay as they are. The files differ in codec, row groups, pages and encodings, as
files of different producers do.
"""

import argparse
import hashlib
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

SOURCE_SHA256 = "dbeb920c90f59b6ccaff823dcc3d08f25a97fa1ce128d93f40be4e931f5900b0"

# The table's own types, but for the two counts: minutes and miles fit an int.
SCHEMA = pa.schema(
    [
        ("date", pa.timestamp("us")),
        ("delay", pa.int32()),
        ("distance", pa.int32()),
        ("origin", pa.string()),
        ("destination", pa.string()),
    ]
)

# The first seven days of each month, and how that month's file is written.
MONTHS = {
    1: {"compression": "snappy"},
    2: {"compression": "zstd", "row_group_size": 50_000},
    3: {"compression": "gzip"},
    4: {"compression": "snappy", "row_group_size": 10_000},
    5: {"compression": "lz4", "data_page_version": "2.0"},
    6: {
        "compression": "brotli",
        "use_dictionary": ["origin", "destination"],
        "column_encoding": {"date": "DELTA_BINARY_PACKED"},
    },
}

# A CSV file of days that none of the Parquet files has, from one airport, to stay small.
CSV_FROM, CSV_TO, CSV_ORIGIN = datetime(2001, 6, 8), datetime(2001, 6, 10), "MSY"


def between(table: pa.Table, start: datetime, end: datetime) -> pa.Table:
    """The rows whose date is in [start, end)."""
    date = table["date"]
    unit = pa.timestamp("us")
    return table.filter(
        pc.and_(
            pc.greater_equal(date, pa.scalar(start, unit)),
            pc.less(date, pa.scalar(end, unit)),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="flights-3m.parquet of vega-datasets 3.2.1")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where the files go")
    arguments = parser.parse_args()

    found = hashlib.sha256(arguments.source.read_bytes()).hexdigest()
    if found != SOURCE_SHA256:
        parser.error(f"{arguments.source} has sha256 {found}, expected {SOURCE_SHA256}")

    flights = pq.read_table(arguments.source).cast(SCHEMA)
    written = []
    for month, layout in MONTHS.items():
        rows = between(flights, datetime(2001, month, 1), datetime(2001, month, 8))
        path = arguments.out / f"flights-2001-{month:02}.parquet"
        pq.write_table(rows, path, **layout)
        written.append((path, rows.num_rows))

    rows = between(flights, CSV_FROM, CSV_TO)
    rows = rows.filter(pc.equal(rows["origin"], CSV_ORIGIN))
    path = arguments.out / "flights-2001-06-msy.csv"
    pyarrow.csv.write_csv(rows, path)
    written.append((path, rows.num_rows))

    for path, count in written:
        content = path.read_bytes()
        print(f"| `{path.name}` | {count:,} | {len(content):,} | `{hashlib.sha256(content).hexdigest()}` |")


if __name__ == "__main__":
    main()
