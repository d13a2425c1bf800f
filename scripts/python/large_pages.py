#!/usr/bin/env python3
"""Writes Parquet files that are small on disk and large in memory: large_pages.py FOLDER

`row-group.parquet`: one row group of 300 MB, in pages of the usual size. `pages.parquet`: three columns, each of one page
of 200 MB.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def row_group(path: Path) -> None:
    """The text compresses, and differs from row to row, so that no dictionary makes it small."""
    rows = 1_500_000
    table = pa.table({"id": pa.array(range(rows)), "text": pa.array(f"{n:010}" + "x" * 180 for n in range(rows))})
    pq.write_table(table, path, row_group_size=rows, compression="zstd", use_dictionary=False)


def pages(path: Path) -> None:
    rows = 25 * 1024 * 1024
    zeros = pa.repeat(pa.scalar(0, pa.int64()), rows)
    table = pa.table({"a": zeros, "b": zeros, "c": zeros})
    pq.write_table(
        table,
        path,
        row_group_size=rows,
        compression="zstd",
        use_dictionary=False,
        data_page_size=2**30,
        max_rows_per_page=rows,
        write_batch_size=rows,
    )


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    row_group(folder / "row-group.parquet")
    pages(folder / "pages.parquet")
