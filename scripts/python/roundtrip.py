#!/usr/bin/env python3
"""The round trip of random tables. `write FOLDER SEED ROUNDS` makes, for each round, files by several writers, the rows
that their table has to hold, and `round.json`, which says what is to be done with them; `check FOLDER URI` then reads the
tables with PyIceberg, takes what Spark and DuckDB read (roundtrip_spark.py), and says what is not as it was written.

PyArrow and DuckDB write here. For Spark and arrow-rs there is a plain file each, which they write anew.
"""

import argparse
import json
import random
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog
from pyiceberg.expressions import EqualTo, GreaterThanOrEqual
from roundtrip_rows import ID, alike, differences, load, save, without_null_lists
from roundtrip_values import file_type, inside, narrower, table_type, value

NANOS = {pa.timestamp("ns"), pa.timestamp("ns", "UTC")}
TIMES = {pa.time64("us"), pa.time64("ns"), pa.time32("ms")}
# Types that a writer writes as others, or not at all.
REFUSED = {
    "pyarrow": set(),
    # DuckDB 2.0 writes large unsigned numbers of 32 bits as deltas that neither PyArrow nor arrow-rs decodes.
    "duckdb": {pa.float16(), pa.date64(), pa.uint32()},
    "arrow-rs": {pa.date64(), pa.uuid()},
    "spark": {pa.float16(), pa.date64(), pa.uuid(), pa.uint64()} | NANOS | TIMES,
}
# Rows of a file that `auto` copies: its row groups are not too small for readers.
MANY = 20_000
PLAIN_CODECS = ["none", "snappy", "gzip", "zstd"]
NAMES = ["größe", "C3", "a b", "x_y", "名", "d-1", "Zeit", "q", "v9"]


class Round:
    def __init__(self, folder: Path, number: int, rng: random.Random):
        self.folder = folder
        self.number = number
        self.rng = rng
        self.evolves = number % 3 == 2
        # The last files are such that their column chunks can be copied. The first round sees to it that this happens
        # to every writer's, the second that all are written anew.
        self.plain = number == 0 or rng.random() < 0.4
        names = rng.sample(NAMES, rng.randint(4, len(NAMES)))
        kinds = [table_type(rng) for _ in names]
        if number % 2 == 1:
            # Iceberg's Spark opens no table with times of day.
            kinds = [pa.string() if TIMES & set(inside(kind)) else kind for kind in kinds]
        self.table = pa.schema([(ID, pa.int64()), *zip(names, kinds, strict=True)])
        self.expected = []
        self.jobs = {"arrow-rs": [], "spark": []}
        self.next_id = 0

    def write(self) -> None:
        self.folder.mkdir()
        rng = self.rng
        mode = lambda: rng.choice(["auto", "splice", "splice", "rewrite"])  # noqa: E731
        first = self.pyarrow("first", self.first_schema())
        requests = [self.request([first], mode())]
        # All columns of the table as they are, then anything that fits.
        requests.append(self.request([self.pyarrow("whole", self.table)], mode()))
        files = [self.pyarrow(f"pyarrow-{n}", self.file_schema("pyarrow")) for n in range(2)]
        plain = self.plain
        files += [self.pyarrow("pyarrow-2", self.file_schema("pyarrow", plain), plain=plain)]
        files += [self.duckdb(plain), self.elsewhere("spark", plain), self.elsewhere("arrow-rs", plain)]
        if not self.number:
            requests += [self.request(files[:2], mode()), self.request(files[2:], "splice")]
        elif self.number == 1:
            requests += [self.request(files[:2], "splice"), self.request(files[2:], "rewrite")]
        else:
            rng.shuffle(files)
            requests += [self.request(files[:3], mode()), self.request(files[3:], "splice")]
        if self.number == 0:
            requests.append(self.request([self.pyarrow("many", self.table.remove(1).remove(1), rows=MANY, plain=True)], "auto"))
        expected = pa.concat_tables(self.expected)
        save(expected, self.folder / "expected.arrow")
        comparable = [f.name for f in self.table if f.type in (pa.int32(), pa.string(), pa.date32(), pa.timestamp("us"))]
        report = {
            "table": f"db.round{self.number}",
            "requests": requests,
            "spark_reads": not any(TIMES & set(inside(field.type)) for field in self.table),
            "probes": [[name, rng.randrange(self.next_id)] for name in comparable for _ in range(2)],
            "last_id": self.next_id - 1,
        } | self.jobs
        (self.folder / "round.json").write_text(json.dumps(report, indent=1))

    def request(self, files: list[dict], mode: str) -> dict:
        policy = {"schema-policy": "evolve"} if self.evolves else {}
        return {"options": {"mode": mode} | policy, "files": files}

    def first_schema(self) -> pa.Schema:
        """The table's own schema, or what it evolves from."""
        if not self.evolves:
            return self.table
        fields = [field for field in self.table if field.name == ID or self.rng.random() < 0.7]
        return pa.schema([field if field.name == ID else field.with_type(narrower(self.rng, field.type)) for field in fields])

    def file_schema(self, writer: str, plain: bool = False) -> pa.Schema:
        """Some of the table's columns, in any order, in types that fit them."""
        rng, refused = self.rng, REFUSED[writer]
        fields = [self.table.field(ID)]
        for field in list(self.table)[1:]:
            fixed = any(pa.types.is_fixed_size_binary(kind) for kind in inside(field.type))
            if refused & set(inside(field.type)) or (fixed and writer in ("duckdb", "spark")) or rng.random() < 0.15:
                continue
            if not plain:
                kind = file_type(rng, field.type, refused | fixed_of(writer), whole=rng.random() < 0.5)
                field = field.with_type(kind)
            fields.append(field)
        rng.shuffle(fields)
        return pa.schema(fields)

    def rows(self, schema: pa.Schema, count: int | None = None, plain: bool = False) -> pa.Table:
        """Random rows, which are noted as the table has to hold them. Columns without nulls may be required, which the
        table's are not: their levels are others, so that such a chunk cannot be copied."""
        rng = self.rng
        count = rng.choice([1, 7, 60, 300]) if count is None else count
        columns, kept = [], []
        for field in schema:
            nulls = rng.choice([0, 0, 0.1, 0.5, 1])
            if field.name == ID:
                values = list(range(self.next_id, self.next_id + count))
            else:
                values = [value(rng, field.type, nulls) for _ in range(count)]
            columns.append(values)
            required = None not in values and rng.random() < 0.5 and not plain
            kept.append(field.with_nullable(not required))
        self.next_id += count
        by_name = dict(zip(schema.names, columns, strict=True))
        self.expected.append(
            pa.table(
                {f.name: pa.array(by_name.get(f.name, [None] * count), f.type) for f in self.table}, schema=self.table
            )
        )
        arrays = [pa.array(values, field.type) for values, field in zip(columns, kept, strict=True)]
        return pa.Table.from_arrays(arrays, schema=pa.schema(kept))

    def pyarrow(self, name: str, schema: pa.Schema, rows: int | None = None, plain: bool = False) -> dict:
        rng = self.rng
        table = self.rows(schema, rows, plain)
        if rng.random() < 0.3:
            # Ids of another table: columns map by name.
            ids = rng.sample(range(1, 500), len(table.schema))
            fields = [f.with_metadata({"PARQUET:field_id": str(i)}) for f, i in zip(table.schema, ids, strict=True)]
            table = table.cast(pa.schema(fields))
        dictionary = rng.random() < 0.5
        options = {
            "compression": rng.choice(["none", "snappy", "gzip", "zstd", "brotli", "lz4"]),
            "data_page_version": rng.choice(["1.0", "2.0"]),
            "version": rng.choice(["2.4", "2.6"]),
            "use_dictionary": dictionary,
            "row_group_size": rows or rng.choice([1, 10, 100, 1000]),
            "data_page_size": rng.choice([64, 1024, 1 << 20]),
            "write_batch_size": rng.choice([3, 1024]),
            "write_statistics": rng.random() < 0.8,
            "write_page_index": rng.random() < 0.5,
            "write_page_checksum": rng.random() < 0.5,
            "store_schema": rng.random() < 0.5,
            "use_compliant_nested_type": rng.random() < 0.7,
            "store_decimal_as_integer": rng.random() < 0.5,
            # A table made from such a file would have instants for times on a wall.
            "use_deprecated_int96_timestamps": name.startswith("pyarrow") and rng.random() < 0.2,
            "column_encoding": None if dictionary else {f.name: e for f in schema if (e := encoding(rng, f.type))},
        }
        if plain:
            options |= {
                "compression": rng.choice(PLAIN_CODECS),
                "column_encoding": None,
                "use_compliant_nested_type": True,
                "use_deprecated_int96_timestamps": False,
            }
        if options["version"] == "2.4":
            options["coerce_timestamps"] = "us" if any(NANOS & set(inside(f.type)) for f in schema) else None
        path = self.folder / f"{name}.parquet"
        pq.write_table(table, path, **options)
        return {"name": path.name, "writer": "pyarrow", "rows": table.num_rows, "how": str(options)}

    def duckdb(self, plain: bool) -> dict:
        rng = self.rng
        source = self.rows(self.file_schema("duckdb", plain), plain=plain)
        path = self.folder / "duckdb.parquet"
        codec = rng.choice(PLAIN_CODECS[1:] if plain else ["uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4_raw"])
        # Deltas of INT32 that take more than 32 bits are beyond arrow-rs and PyArrow: such a file is refused.
        wide = any(pa.int32() in inside(field.type) for field in source.schema)
        version = "v1" if plain or wide else rng.choice(["v1", "v2"])
        options = f"codec {codec}, row_group_size {rng.choice([1, 100, 122880])}, parquet_version {version}"
        connection = duckdb.connect()
        connection.execute("set timezone = 'UTC'")
        connection.register("source", source)
        connection.execute(f"copy source to '{path}' (format parquet, {options})")
        return {"name": path.name, "writer": "duckdb", "rows": source.num_rows, "how": options}

    def elsewhere(self, writer: str, plain: bool) -> dict:
        """A file that another program writes from a plain one."""
        rng = self.rng
        table = self.rows(self.file_schema(writer, plain), plain=plain)
        source, name = f"{writer}.plain", f"{writer}.parquet"
        pq.write_table(table, self.folder / source)
        job = {
            "from": source,
            "to": name,
            "codec": rng.choice(PLAIN_CODECS if plain else [*PLAIN_CODECS, "lz4_raw"]),
            "v2": not plain and rng.random() < 0.5,
            "dictionary": rng.random() < 0.5,
            "page": rng.choice([100, 1024, 1 << 20]),
            "row_group": rng.choice([5, 100, 100_000]),
            "int96": not plain and rng.random() < 0.5,
            "legacy": not plain and rng.random() < 0.3,
            "bloom": rng.random() < 0.5,
        }
        self.jobs[writer].append(job)
        return {"name": name, "writer": writer, "rows": table.num_rows, "how": str(job)}


def fixed_of(writer: str) -> set[pa.DataType]:
    return {pa.binary(7)} if writer in ("duckdb", "spark") else set()


def encoding(rng: random.Random, kind: pa.DataType) -> str | None:
    types = pa.types
    if types.is_floating(kind):
        return rng.choice(["PLAIN", "BYTE_STREAM_SPLIT"])
    if types.is_int32(kind) or types.is_int64(kind):
        return rng.choice(["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"])
    if types.is_string(kind) or types.is_binary(kind):
        return rng.choice(["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
    if types.is_fixed_size_binary(kind):
        return rng.choice(["PLAIN", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"])
    return "RLE" if types.is_boolean(kind) else None


def check(folder: Path, uri: str) -> list[str]:
    """What is wrong, in words."""
    wrong = []
    catalog = load_catalog("my_catalog", type="sql", uri=uri)
    for path in sorted(folder.glob("*/round.json")):
        report = json.loads(path.read_text())
        expected = load(path.parent / "expected.arrow")
        table = catalog.load_table(report["table"])
        engines = {"pyiceberg": table.scan().to_arrow(), "duckdb": load(path.parent / "duckdb.arrow")}
        if report["spark_reads"]:
            engines["spark"] = load(path.parent / "spark.arrow")
        for engine, found in engines.items():
            lenience = [without_null_lists] if engine == "pyiceberg" else []
            told = differences(expected, found, *lenience)
            wrong += [f"{report['table']} read by {engine}: {what}" for what in told]
        wrong += [f"{report['table']}: {what}" for what in pruned(table, report, expected)]
    return wrong


def pruned(table: object, report: dict, expected: pa.Table) -> list[str]:
    """Whether readers leave out files by their bounds, and no row with them."""
    wrong = []
    count = lambda predicate: len(list(table.scan(row_filter=predicate).plan_files()))  # noqa: E731
    files = len(list(table.scan().plan_files()))
    if not 1 <= count(GreaterThanOrEqual(ID, report["last_id"])) < files:
        wrong.append(f"none of {files} data files is left out by its bounds of {ID}")
    for name, row in report["probes"]:
        wanted = expected[name][row].as_py()
        if wanted is None:
            continue
        there = sum(alike(wanted) == alike(other) for other in expected[name].to_pylist())
        text = wanted if isinstance(wanted, str | int) else wanted.isoformat()
        found = table.scan(row_filter=EqualTo(name, text)).to_arrow().num_rows
        if found != there:
            wrong.append(f"{found} rows are found by {name} = {wanted!r}, not {there}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write")
    writing.add_argument("folder", type=Path)
    writing.add_argument("seed", type=int)
    writing.add_argument("rounds", type=int)
    checking = commands.add_parser("check")
    checking.add_argument("folder", type=Path)
    checking.add_argument("uri")
    arguments = parser.parse_args()
    if arguments.command == "write":
        for number in range(arguments.rounds):
            rng = random.Random(f"{arguments.seed}/{number}")
            Round(arguments.folder / f"{number:04}", number, rng).write()
        return 0
    wrong = check(arguments.folder, arguments.uri)
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
