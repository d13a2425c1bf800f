#!/usr/bin/env python3
"""From which size on is a row group good enough for readers? Writes the same rows with row groups of several sizes, and
measures their files: bytes, and what it costs to read all columns and two, by DuckDB and by pyarrow.

The costs are CPU seconds, which hold on a busy machine too. Ratios are to the best of the sizes. All sizes are read in
turn, several times; the medians are printed.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow.dataset as ds
import pyarrow.parquet as pq

sys.path.append(str(Path(__file__).resolve().parent.parent / "writing"))
import data_sets  # noqa: E402

SIZES = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 1_000_000]
TWO_COLUMNS = ["user_id", "status"]


def in_duckdb(file: Path, columns: list[str]) -> None:
    sums = ", ".join(f"sum(hash({column}))" for column in columns)
    duckdb.execute(f"SELECT {sums} FROM read_parquet('{file}')").fetchone()


def in_pyarrow(file: Path, columns: list[str]) -> None:
    # As PyIceberg reads a data file.
    for _ in ds.dataset(file, format="parquet").scanner(columns=columns).to_batches():
        pass


WAYS = {"DuckDB": in_duckdb, "pyarrow": in_pyarrow}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--compression", default="snappy")
    arguments = parser.parse_args()

    connection = duckdb.connect()
    connection.sql("SET TimeZone = 'UTC'")
    rows = data_sets.rows(connection, 0, arguments.rows)
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for size in SIZES:
            files[size] = Path(folder) / f"{size}.parquet"
            pq.write_table(rows, files[size], row_group_size=size, compression=arguments.compression)
        everything = rows.column_names
        del rows
        taken: dict[tuple, list[float]] = {}
        for _ in range(arguments.repeat):
            for size, file in files.items():
                for way, scan in WAYS.items():
                    for columns in everything, TWO_COLUMNS:
                        began = time.process_time()
                        scan(file, columns)
                        taken.setdefault((way, len(columns), size), []).append(time.process_time() - began)
        kinds = [(way, len(columns)) for way in WAYS for columns in (everything, TWO_COLUMNS)]
        print(f"{'rows':>9} {'KiB':>6} {'size':>5}", *(f"{f'{way} {count}':>16}" for way, count in kinds))
        smallest = min(file.stat().st_size for file in files.values())
        medians = {key: statistics.median(values) for key, values in taken.items()}
        for size, file in files.items():
            length = file.stat().st_size
            groups = -(-arguments.rows // size)
            cells = []
            for kind in kinds:
                best = min(medians[(*kind, other)] for other in SIZES)
                seconds = medians[(*kind, size)]
                cells.append(f"{seconds:9.3f} s {seconds / best:4.1f}")
            begin = f"{size:>9} {length / groups / 1024:>6.0f} {length / smallest:>5.2f}"
            print(begin, *(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    main()
