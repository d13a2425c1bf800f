#!/usr/bin/env python3
"""Prints what is in an Iceberg table, as JSON: rows, and for each column type, nulls, bounds and sum."""

import argparse
import json
from pathlib import Path

import pyarrow.parquet as pq

import lakehouse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    lakehouse.add_table_arguments(parser)
    parser.add_argument("--out", type=Path, help="also write all rows to this Parquet file")
    arguments = parser.parse_args()

    table = lakehouse.table_of(arguments)
    rows = lakehouse.read(table, arguments.engine)
    if arguments.out:
        pq.write_table(rows, arguments.out)
    snapshot = table.current_snapshot()
    report = {
        "table": arguments.table,
        "location": table.location(),
        "properties": table.properties,
        "snapshot_id": snapshot.snapshot_id if snapshot else None,
        "snapshots": len(table.snapshots()),
    }
    print(json.dumps(report | lakehouse.summarise(rows), indent=2))


if __name__ == "__main__":
    main()
