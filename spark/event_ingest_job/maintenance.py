"""Iceberg's own maintenance of one table, with bounds that keep ledger and stages whole.

A program of its own, which needs nothing else of the package: `spark-submit maintenance.py db.my_table`. It prints one
line of JSON for each procedure. Exit code 0: all ran; 1: one failed; 2: it was asked for something unsafe.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from pyspark import SparkConf
from pyspark.sql import SparkSession

#: Files that nothing refers to may be those of a commit or a stage that is under way.
MIN_ORPHAN_AGE = timedelta(days=3)
#: Snapshots that stay whatever their age: the light worker looks for its commits among them.
MIN_RETAINED = 20
#: Younger snapshots stay: readers and stages may stand on them.
MIN_SNAPSHOT_AGE = timedelta(days=1)
#: A table that forgets branches sooner would lose stages that wait for a publisher.
MIN_REF_AGE = timedelta(days=7)
#: Key of snapshots' summaries, and of a property of the table, that name the ledger.
LEDGER = "event-ingest.ledger"
#: Paths of removed files that are shown; of more only the number.
SHOWN = 100

EXTENSIONS = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
PROCEDURES = ("rewrite_data_files", "rewrite_manifests", "expire_snapshots", "remove_orphan_files")
_AGES = {"h": "hours", "d": "days", "w": "weeks"}


class Unsafe(Exception):
    """What was asked for could harm ledger or stages."""


def age(text: str) -> timedelta:
    """Reads `72h`, `3d` or `2w`."""
    found = re.fullmatch(r"([0-9]{1,6})([hdw])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no age: expected a number and h, d or w")
    return timedelta(**{_AGES[found[2]]: int(found[1])})


def parser() -> argparse.ArgumentParser:
    """The flags. Without one that names a procedure all of them run, in their order."""
    flags = argparse.ArgumentParser("event-ingest-maintain", description="Iceberg's maintenance of one table.")
    flags.add_argument("table", help="<namespace>.<table>")
    flags.add_argument("--catalog", default="lake", help="Spark's name of the catalog [lake]")
    for procedure in PROCEDURES:
        flags.add_argument(f"--{procedure.replace('_', '-')}", action="store_true", help=f"runs {procedure}")
    flags.add_argument("--retain", type=int, default=100, help=f"snapshots that stay [100], at least {MIN_RETAINED}")
    flags.add_argument("--snapshots-older-than", type=age, default=age("5d"), help="expire only those [5d]")
    flags.add_argument("--orphans-older-than", type=age, default=age("3d"), help="remove only those [3d]")
    flags.add_argument(
        "--rewrite-option", action="append", default=[], metavar="NAME=VALUE", help="of rewrite_data_files"
    )
    flags.add_argument(
        "--dry-run", action="store_true", help="changes nothing: shows orphans, tells what else would run"
    )
    return flags


def check(asked: argparse.Namespace) -> list[str]:
    """The procedures that are to run. Raises `Unsafe`."""
    if asked.orphans_older_than < MIN_ORPHAN_AGE:
        raise Unsafe(f"--orphans-older-than: at least {MIN_ORPHAN_AGE.days} days, files of a commit may be under way")
    if asked.retain < MIN_RETAINED:
        raise Unsafe(f"--retain: at least {MIN_RETAINED}, the light worker looks for its commits among them")
    if asked.snapshots_older_than < MIN_SNAPSHOT_AGE:
        raise Unsafe(f"--snapshots-older-than: at least {MIN_SNAPSHOT_AGE.days} day, stages may stand on them")
    if re.search(r"[`'\\\x00-\x1f]", asked.table + asked.catalog) or asked.table.count(".") < 1:
        raise Unsafe(f"{asked.table!r} is no table name: expected <namespace>.<table>")
    if any(not re.fullmatch(r"[a-z.-]+=[A-Za-z0-9._-]+", option) for option in asked.rewrite_option):
        raise Unsafe("--rewrite-option: expected NAME=VALUE of letters, digits, dots and hyphens")
    return [procedure for procedure in PROCEDURES if getattr(asked, procedure)] or list(PROCEDURES)


def statement(procedure: str, asked: argparse.Namespace, now: datetime) -> str | None:
    """The call of a procedure; none where a dry run is asked for that it does not have."""
    arguments = [f"table => '{_path(asked)}'"]
    if asked.dry_run and procedure != "remove_orphan_files":
        return None
    if procedure == "rewrite_data_files" and asked.rewrite_option:
        pairs = ", ".join(f"'{part}'" for option in asked.rewrite_option for part in option.split("=", 1))
        arguments.append(f"options => map({pairs})")
    if procedure == "expire_snapshots":
        arguments += [
            _before(now - asked.snapshots_older_than),
            f"retain_last => {asked.retain}",
            "stream_results => true",
        ]
    if procedure == "remove_orphan_files":
        # By the table's own FileIO: Hadoop's file systems know no object store here.
        arguments += [
            _before(now - asked.orphans_older_than),
            f"dry_run => {str(asked.dry_run).lower()}",
            "prefix_listing => true",
        ]
    return f"CALL `{asked.catalog}`.system.{procedure}({', '.join(arguments)})"


def _before(time: datetime) -> str:
    return f"older_than => TIMESTAMP '{time:%Y-%m-%d %H:%M:%S.%f}+00:00'"


def maintain(spark: SparkSession, asked: argparse.Namespace, show: Callable[[str], None] = print) -> bool:
    """Runs what was asked for, one after the other; one that fails does not keep the others from running.

    Says whether all succeeded. Raises `Unsafe`.
    """
    procedures = check(asked)
    if "expire_snapshots" in procedures:
        _check_refs(spark, asked)
        ledger_depth(spark, asked)
    good = True
    for procedure in procedures:
        begin, line = time.monotonic(), {"procedure": procedure, "table": asked.table, "dry_run": asked.dry_run}
        try:
            if procedure == "expire_snapshots":
                # Only now: the procedures before it have added snapshots.
                asked.retain = max(asked.retain, ledger_depth(spark, asked) + 1)
            call = statement(procedure, asked, datetime.now(timezone.utc))
            if call is None:
                line["skipped"] = "it has no dry run"
            else:
                line |= _result(procedure, [row.asDict() for row in spark.sql(call).collect()])
        except Exception as error:
            good = False
            said = str(getattr(error, "java_exception", None) or error).strip()
            line["error"] = (said or type(error).__name__).splitlines()[0][:500]
        show(json.dumps({**line, "seconds": round(time.monotonic() - begin, 1)}, default=str))
    return good


def _check_refs(spark: SparkSession, asked: argparse.Namespace) -> None:
    """Expiry also takes branches away that are older than the table keeps them: those of stages have to outlive a
    publisher's pause."""
    kept = _property(spark, asked, "history.expire.max-ref-age-ms")
    if kept is not None and int(kept) < MIN_REF_AGE / timedelta(milliseconds=1):
        raise Unsafe(
            f"the table keeps branches for {kept} ms only (history.expire.max-ref-age-ms): stages need "
            f"{MIN_REF_AGE.days} days"
        )


def ledger_depth(spark: SparkSession, asked: argparse.Namespace) -> int:
    """How many snapshots of `main` are younger than the light worker's last one, which names the table's ledger.

    As long as that one stays, nothing that expires makes the ledger undecided (docs/ledger.md). Raises `Unsafe` if it
    is gone already.
    """
    rows = spark.sql(f"SELECT snapshot_id, parent_id, summary FROM {_path(asked)}.snapshots").collect()
    snapshots = {row["snapshot_id"]: row for row in rows}
    refs = spark.sql(f"SELECT snapshot_id FROM {_path(asked)}.refs WHERE name = 'main'").collect()
    at, depth = refs[0]["snapshot_id"] if refs else None, 0
    while at in snapshots:
        if LEDGER in (snapshots[at]["summary"] or {}):
            return depth
        at, depth = snapshots[at]["parent_id"], depth + 1
    if _property(spark, asked, LEDGER) is not None:
        raise Unsafe(
            "no snapshot of main is the light worker's any more, and expiring others could make the ledger undecided: "
            "bring in a file first, or see `event-ingest ledger verify`"
        )
    return 0


def _property(spark: SparkSession, asked: argparse.Namespace, name: str) -> str | None:
    rows = spark.sql(f"SHOW TBLPROPERTIES {_path(asked)}").collect()
    return next((str(row["value"]) for row in rows if row["key"] == name), None)


def _path(asked: argparse.Namespace) -> str:
    return ".".join(f"`{part}`" for part in (asked.catalog, *asked.table.split(".")))


def _result(procedure: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    if procedure == "remove_orphan_files":
        return {"orphan_files": len(rows), "first": [row["orphan_file_location"] for row in rows[:SHOWN]]}
    return {"result": rows[0]} if len(rows) == 1 else {"result": rows[:SHOWN]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program."""
    asked = parser().parse_args(arguments)
    try:
        check(asked)
        builder = SparkSession.builder.appName(f"event-ingest maintain {asked.table}")
        if "spark.sql.extensions" not in dict(SparkConf().getAll()):
            builder = builder.config("spark.sql.extensions", EXTENSIONS)
        spark = builder.getOrCreate()
        try:
            return 0 if maintain(spark, asked) else 1
        finally:
            spark.stop()
    except Unsafe as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
