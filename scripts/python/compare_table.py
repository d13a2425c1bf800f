#!/usr/bin/env python3
"""Compares an Iceberg table with the files that were ingested, value by value, and prints the outcome as JSON.

Both are taken as multisets of rows: order does not count, how often a row occurs does. The exit code is 0 if they are
equal and 1 if not.
"""

import argparse
import json
import sys
from pathlib import Path

import lakehouse


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    lakehouse.add_table_arguments(parser)
    parser.add_argument(
        "--limit", type=int, default=10, help="differing rows to show of each side; default: %(default)s"
    )
    parser.add_argument(
        "sources", nargs="*", type=Path, metavar="FILE", help="a Parquet or CSV file, once for each time it counts"
    )
    arguments = parser.parse_args()

    rows = lakehouse.read(lakehouse.table_of(arguments), arguments.engine)
    sources = lakehouse.read_sources(arguments.sources, rows.schema)
    found = lakehouse.differences(rows, sources, arguments.limit)
    equal = not any(side["rows"] for side in found.values())
    report = {
        "equal": equal,
        "rows": {"table": rows.num_rows, "sources": sources.num_rows},
        "only_table": found["only_left"],
        "only_sources": found["only_right"],
    }
    print(json.dumps(report, indent=2))
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
