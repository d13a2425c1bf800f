#!/usr/bin/env python3
"""Shows the standalone server at work: uploads files through S3, waits for their rows, and checks every value of them.

The exit code is 0 only if the table holds exactly the rows of the files.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

import lakehouse
import s3_client
from server import Server, ServerError

TABLE = "db.flights"
PREFIX = "incoming/"

# Seconds. Generous: a slow machine is no failure.
INGESTED_WITHIN = 120

QUERY = """
    select origin || ' → ' || destination as route, count(*) as flights, round(avg(delay), 1) as "minutes late",
           any_value(distance) as miles
    from flights group by route order by flights desc, route limit 5
"""


class DemoError(Exception):
    """The server ran, and the outcome is not what it should be."""


def upload(endpoint: dict, files: list[Path]) -> list[str]:
    """Puts the files into the bucket, and gives their URIs."""
    client = s3_client.connect(endpoint)
    for file in files:
        client.upload_file(str(file), endpoint["bucket"], PREFIX + file.name)
    return [f"s3://{endpoint['bucket']}/{PREFIX}{file.name}" for file in files]


def wait_for_rows(server: Server, uris: list[str]) -> list[dict]:
    """Waits until each file is dealt with, and gives what became of it."""
    found = {}

    def all_done() -> bool:
        found.update({file["file"]: file for file in server.activity()["files"]})
        return all(uri in found for uri in uris)

    server.wait_for(all_done, INGESTED_WITHIN, f"not all of {len(uris)} files are ingested")
    return [found[uri] for uri in uris]


def print_table(rows: list[dict]) -> None:
    """Rows under the names of their columns, numbers to the right."""
    texts = [
        {name: f"{value:,}" if isinstance(value, int) else str(value) for name, value in row.items()} for row in rows
    ]
    widths = {name: max(len(name), *(len(text[name]) for text in texts)) for name in rows[0]}
    print("  " + "  ".join(name.ljust(width) for name, width in widths.items()).rstrip())
    for row, text in zip(rows, texts, strict=True):
        cells = (
            text[name].rjust(width) if isinstance(row[name], int | float) else text[name].ljust(width)
            for name, width in widths.items()
        )
        print("  " + "  ".join(cells).rstrip())
    print()


def query(flights: pa.Table) -> list[dict]:
    connection = duckdb.connect()
    connection.register("flights", flights)
    return connection.sql(QUERY).to_arrow_table().to_pylist()


def check(table: pa.Table, sources: pa.Table) -> list[dict]:
    """Column by column, what the table holds and what the files hold."""
    in_table, in_files = lakehouse.summarise(table), lakehouse.summarise(sources)
    checks = [{"what": "rows", "table": in_table["rows"], "files": in_files["rows"]}]
    for name in sources.column_names:
        for figure in ("sum", "min", "max", "nulls"):
            if figure in in_files["columns"][name]:
                sides = (side["columns"][name].get(figure) for side in (in_table, in_files))
                checks.append({"what": f"{name}, {figure}"} | dict(zip(("table", "files"), sides, strict=True)))
    return checks


def run(server: Server, files: list[Path]) -> dict:
    """The demo itself, told as it goes; the summary says whether all agrees."""
    server.wait_until_ready()
    endpoint = server.endpoint
    print(f"\nThe server is ready: bucket s3://{endpoint['bucket']} at {endpoint['url']}")

    began = time.monotonic()
    uris = upload(endpoint, files)
    uploaded = time.monotonic()
    size = sum(file.stat().st_size for file in files)
    print(f"{len(files)} files, {size:,} bytes, uploaded in {1000 * (uploaded - began):,.0f} ms\n")

    outcomes = wait_for_rows(server, uris)
    ingested = time.monotonic()
    print("From upload to rows, file by file:\n")
    print_table(
        [
            {
                "file": outcome["file"].rsplit("/", 1)[1],
                "outcome": outcome["status"],
                "rows": outcome["rows"],
                "ms": outcome["milliseconds"] if outcome["milliseconds"] is not None else "",
                "request": str(outcome["request_id"])[:12],
                "snapshot": str(outcome["snapshot_id"]),
            }
            for outcome in outcomes
        ]
    )
    failed = [outcome for outcome in outcomes if outcome["status"] != "processed"]
    if failed:
        reasons = "".join(f"\n  {outcome['file']}: {outcome['status']}, {outcome['reason']}" for outcome in failed)
        raise DemoError(f"not every file was ingested:{reasons}{server.log_tail()}")

    catalog = {"uri": endpoint["catalog_uri"], "warehouse": endpoint["warehouse"]}
    table = lakehouse.open_table(TABLE, endpoint["catalog_name"], catalog)
    rows = lakehouse.read(table)
    print(f"The busiest routes of {TABLE}, read by PyIceberg and DuckDB:\n")
    answer = query(rows)
    print_table(answer)

    sources = lakehouse.read_sources(files, rows.schema)
    checks = check(rows, sources)
    print("The table beside the source files:\n")
    print_table(checks)
    found = lakehouse.differences(rows, sources, limit=5)
    equal = all(line["table"] == line["files"] for line in checks) and not any(side["rows"] for side in found.values())
    return {
        "equal": equal,
        "files": outcomes,
        "bytes": size,
        "milliseconds": {
            "upload": round(1000 * (uploaded - began)),
            "upload_to_last_row": round(1000 * (ingested - began)),
        },
        "peak_memory_bytes": server.peak_memory(),
        "query": answer,
        "checks": checks,
        "differences": {"only_in_table": found["only_left"], "only_in_files": found["only_right"]},
    }


def stay(server: Server, data: Path) -> None:
    """Keeps the server until Ctrl-C."""
    endpoint = server.endpoint
    print(
        f"""
The server stays until Ctrl-C. In another terminal:

  export AWS_ACCESS_KEY_ID={endpoint["access_key"]} AWS_SECRET_ACCESS_KEY={endpoint["secret_key"]}
  export AWS_REGION={endpoint["region"]}
  scripts/python.sh -m awscli --endpoint-url {endpoint["url"]} s3 cp FILE.parquet s3://{endpoint["bucket"]}/{PREFIX}
  scripts/python.sh scripts/python/read_table.py --table {TABLE} --catalog uri={endpoint["catalog_uri"]}

  what became of each file   {endpoint["admin_url"]}/api/v1/activity
  metrics                    {endpoint["admin_url"]}/metrics
  all files, and the log     {data}
""",
        flush=True,
    )
    try:
        code = server.process.wait()
    except KeyboardInterrupt:
        print()
        return
    raise ServerError(f"the server ended by itself with exit code {code}{server.log_tail()}")


@contextmanager
def data_folder(keep: bool) -> Iterator[Path]:
    """A new folder, deleted in the end unless somebody wants it."""
    data = Path(tempfile.mkdtemp(prefix="event-ingest-demo-"))
    try:
        yield data
    finally:
        if keep or (sys.stdin.isatty() and sys.stdout.isatty() and wants_to_keep(data)):
            print(f"The files are in {data}")
        else:
            shutil.rmtree(data)


def wants_to_keep(data: Path) -> bool:
    try:
        return input(f"Keep table, bucket and log in {data}? [y/N] ").strip().lower().startswith("y")
    except (EOFError, KeyboardInterrupt):
        print()
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=Path, required=True, help="the program event-ingest")
    parser.add_argument("--summary", type=Path, required=True, help="where the outcome is written as JSON")
    parser.add_argument("--keep", action="store_true", help="keep the folder of all data")
    parser.add_argument("--stay", action="store_true", help="keep the server running until Ctrl-C")
    examples = Path(__file__).parents[2] / "examples" / "data"
    parser.add_argument("files", nargs="*", type=Path, help="Parquet files of flights; default: those of examples/data")
    arguments = parser.parse_args()
    files = arguments.files or sorted(examples.glob("*.parquet"))

    sys.stdout.reconfigure(line_buffering=True)
    # So that SIGTERM, too, stops the server and deletes the folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with data_folder(arguments.keep) as data:
            server = Server(arguments.program, data, "--table", TABLE)
            try:
                summary = run(server, files)
                arguments.summary.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
                print(f"Summary: {arguments.summary}")
                if not summary["equal"]:
                    counts = {side: found["rows"] for side, found in summary["differences"].items()}
                    raise DemoError(f"the table and the files differ: {counts}; the summary has the first of them")
                rows = summary["checks"][0]["table"]
                print(f"All {rows:,} rows of {len(files)} files are in the table, each exactly once.")
                if arguments.stay:
                    stay(server, data)
            finally:
                server.stop()
    except (DemoError, ServerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
