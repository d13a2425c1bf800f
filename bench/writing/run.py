#!/usr/bin/env python3
"""Measures how fast files get into a table: ours beside its peers, on the same files, in turn.

Each measurement is a process of its own. It prints a table, and at the end the expectations with what was found as
JSON, one a line. bench/README.md explains the columns.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import measure
from data_sets import DATA_SETS, DataSet, prefix
from expectations import verdicts
from figures import Figures, heading
from participants import BUCKET, Participant, Run, World, participants
from servers import minio

HERE = Path(__file__).resolve().parent


def one_run(world: World, data_set: DataSet, who: Participant, into: Figures, warm: bool, scan: bool) -> None:
    """One process of one participant; what it wrote is removed afterwards."""
    with tempfile.TemporaryDirectory(dir=world.data.parent, prefix="run-") as scratch:
        to = f"s3://{BUCKET}/out/{Path(scratch).name}" if world.s3 else f"{scratch}/out"
        run = Run(world, data_set, to, Path(scratch))
        # What others wrote goes to the disk now, and not beside this measurement.
        os.sync()
        measured = measure.run(who.command(run) + ["--warm-up"] * warm, world.environment())
        (into.warm_runs if warm else into.cold_runs).append(measured)
        if scan:
            table = ["--catalog", run.catalog] if who.has_table else []
            format = "csv" if who.name.startswith("cp") and data_set.format == "csv" else "parquet"
            looks = world.peer("scan.py", "--at", to, "--format", format, *table)
            into.scan = measure.run(looks, world.environment()).said
        if world.s3:
            measure.run(world.peer("s3_remove.py", f"s3://{BUCKET}/out"))


def measure_data_set(world: World, data_set: DataSet, repeat: int) -> list[Figures]:
    """All participants in turn, and that several times: what slows the machine for a while slows them all."""
    taking_part = [
        (who, Figures(world.where, data_set.name, who.name, who.mode)) for who in participants(world, data_set)
    ]
    read_all(world.data / prefix(data_set))
    for round in range(repeat):
        for who, figures in taking_part:
            for warm in [False, True] if who.warms_up else [False]:
                if figures.failure:
                    continue
                try:
                    one_run(world, data_set, who, figures, warm, scan=round == 0 and not warm)
                except measure.Failed as failed:
                    figures.failure = str(failed)
    return [figures for _, figures in taking_part]


def read_all(folder: Path) -> None:
    """Has the operating system hold the files, so that nobody is the first to read them. (By pieces: what this process
    ever held is the least that its children can be said to hold.)"""
    piece = bytearray(1024 * 1024)
    for path in folder.iterdir():
        with path.open("rb", buffering=0) as file:
            while file.readinto(piece):
                pass


def report(found: list[Figures]) -> None:
    for figures in found:
        print(figures.line(), flush=True)
    # Everybody reads types of his own out of text; the number of rows is the same all the same.
    what = "rows" if DATA_SETS[found[0].data_set].format == "csv" else "digest"
    wrote = {of.scan[what] for of in found if of.scan}
    if len(wrote) > 1:
        print(f"{found[0].data_set:<13} the participants did not write the same: {what} {sorted(wrote)}")


def worlds(arguments: argparse.Namespace):
    """Each kind of storage, ready."""
    common = {"program": arguments.program, "python": arguments.python, "data": arguments.folder / "data"}
    if arguments.where != "s3":
        yield World("local", s3={}, duckdb_s3=None, **common)
    if arguments.where != "local":
        with minio(arguments.folder) as s3:
            world = World("s3", s3=s3, duckdb_s3=arguments.duckdb_s3, **common)
            for number, name in enumerate(arguments.sets):
                places = ["--from", str(world.data / prefix(DATA_SETS[name])), "--to", world.source(DATA_SETS[name])]
                measure.run(world.peer("s3_copy.py", *places, *["--make-bucket"] * (number == 0)))
            yield world


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="our program `writing`")
    parser.add_argument("--python", default=sys.executable, help="the Python of the peers")
    parser.add_argument("--folder", type=Path, required=True, help="takes the data sets, which stay, and the results")
    parser.add_argument("--real", required=True, help="what `scripts/data.sh path` prints")
    parser.add_argument("--duckdb-s3", type=Path, help="the packages of the DuckDB with its S3 extension")
    parser.add_argument("--where", choices=["local", "s3", "both"], default="both")
    parser.add_argument("--sets", nargs="+", choices=DATA_SETS, default=list(DATA_SETS))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="fail if an expectation is not met")
    arguments = parser.parse_args()
    arguments.folder = arguments.folder.resolve()
    # Ended from outside, it still stops the server and removes what was written.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))

    make = [arguments.python, HERE / "data_sets.py", arguments.folder / "data", "--real", arguments.real]
    subprocess.run([*make, *arguments.sets], check=True)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, medians of {arguments.repeat}")
    found: list[Figures] = []
    for world in worlds(arguments):
        print(f"\n{world.where}\n{heading()}")
        for name in arguments.sets:
            figures = measure_data_set(world, DATA_SETS[name], arguments.repeat)
            report(figures)
            found += figures

    print(f"\nno peak can be read below that of the measuring process itself: {measure.floor_mib():.0f} MiB")
    judged = list(verdicts(found))
    (arguments.folder / "results.json").write_text("\n".join(map(json.dumps, judged)) + "\n")
    print()
    for each in judged:
        print(json.dumps(each))
    if arguments.check and not all(each["ok"] for each in judged):
        sys.exit("not all expectations are met")


if __name__ == "__main__":
    main()
