#!/usr/bin/env python3
"""Writes a small Parquet file of columns given as JSON: write_parquet.py FILE '{"name": [1, 2, 3]}'."""

import argparse
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("columns", type=json.loads, help="an object of lists of one length")
    arguments = parser.parse_args()
    pq.write_table(pa.table(arguments.columns), arguments.file)


if __name__ == "__main__":
    main()
