"""Iceberg's procedures on a real table with a stage, and the bounds that keep them safe."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from event_ingest_job import maintenance
from event_ingest_job.maintenance import Unsafe, check, maintain, parser


def test_procedures_keep_rows_and_stages(spark: Any) -> None:
    table = "db.maintained"
    spark.sql(f"create table lake.{table} (id bigint) using iceberg")
    jvm = spark._jvm
    iceberg = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, f"lake.{table}")
    for place in range(24):
        spark.sql(f"insert into lake.{table} values ({place})")
    iceberg.refresh()
    branch = f"event-ingest-{'a' * 40}-1-00ff00ff"
    iceberg.manageSnapshots().createBranch(branch, iceberg.currentSnapshot().snapshotId()).commit()
    spark.sql(f"insert into lake.{table}.`branch_{branch}` values (100)")
    folder = Path(iceberg.location().removeprefix("file:").replace("//", "/")) / "data"
    old, young = folder / "old.parquet", folder / "young.parquet"
    for file in (old, young):
        file.write_bytes(b"nobody's")
    four_days = time.time() - 4 * 86_400
    os.utime(old, (four_days, four_days))
    shown: list[str] = []
    asked = [table, "--retain", "20", "--snapshots-older-than", "1d"]

    assert maintain(spark, parser().parse_args([*asked, "--dry-run"]), shown.append)
    dry = [json.loads(line) for line in shown]
    assert [line.get("skipped", "") != "" for line in dry] == [True, True, True, False]
    assert dry[-1]["orphan_files"] == 1 and old.exists()

    shown.clear()
    assert maintain(spark, parser().parse_args([*asked, "--rewrite-option", "rewrite-all=true"]), shown.append)
    rewritten, _, _, orphans = (json.loads(line) for line in shown)
    assert rewritten["result"]["rewritten_data_files_count"] == 24
    assert (orphans["orphan_files"], old.exists(), young.exists()) == (1, False, True)
    spark.catalog.refreshTable(f"lake.{table}")
    rows = {row["id"] for row in spark.table(f"lake.{table}").collect()}
    staged = {row["id"] for row in spark.table(f"lake.{table}.`branch_{branch}`").collect()}
    assert (rows, staged) == (set(range(24)), {*range(24), 100})

    spark.sql(f"alter table lake.{table} set tblproperties ('history.expire.max-ref-age-ms'='60000')")
    with pytest.raises(Unsafe, match="max-ref-age"):
        maintain(spark, parser().parse_args(asked), shown.append)


def test_expiry_keeps_the_snapshot_that_names_the_ledger(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = "lake.db.expired"
    spark.sql(f"create table {table} (id bigint) using iceberg")
    rows = spark.sql("select 1L as id")
    for place in range(28):
        writer = rows.writeTo(table)
        (writer.option("snapshot-property.event-ingest.ledger", "head") if place == 3 else writer).append()
    monkeypatch.setattr(maintenance, "MIN_SNAPSHOT_AGE", maintenance.age("0h"))
    asked = ["db.expired", "--expire-snapshots", "--retain", "20", "--snapshots-older-than", "0h"]
    shown: list[str] = []
    assert maintain(spark, parser().parse_args(asked), shown.append), shown
    spark.catalog.refreshTable(table)
    summaries = [
        row["summary"] for row in spark.sql(f"select * from {table}.snapshots order by committed_at").collect()
    ]
    assert len(summaries) == 25 and summaries[0]["event-ingest.ledger"] == "head"
    assert spark.table(table).count() == 28

    spark.sql(f"call lake.system.rollback_to_snapshot('db.expired', {first_of(spark, table)})")
    spark.sql(f"alter table {table} set tblproperties ('event-ingest.ledger'='1:gone')")
    assert maintenance.ledger_depth(spark, parser().parse_args(asked)) == 0
    spark.sql(
        f"create or replace table {table} (id bigint) using iceberg tblproperties ('event-ingest.ledger'='1:gone')"
    )
    rows.writeTo(table).append()
    with pytest.raises(Unsafe, match="ledger verify"):
        maintain(spark, parser().parse_args(asked), shown.append)


def first_of(spark: Any, table: str) -> int:
    return int(spark.sql(f"select snapshot_id from {table}.snapshots order by committed_at limit 1").collect()[0][0])


def test_a_procedure_that_fails_is_told(spark: Any) -> None:
    shown: list[str] = []
    assert not maintain(spark, parser().parse_args(["db.nowhere", "--rewrite-manifests"]), shown.append)
    [line] = map(json.loads, shown)
    assert "nowhere" in line["error"] and line["procedure"] == "rewrite_manifests"


@pytest.mark.parametrize(
    "unsafe",
    [
        ["--orphans-older-than", "71h"], ["--retain", "19"], ["--snapshots-older-than", "23h"],
        ["--rewrite-option", "a='x'"], ["--catalog", "a`b"],
    ],
)  # fmt: skip
def test_unsafe_bounds_are_refused(unsafe: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unsafe):
        check(parser().parse_args(["db.t", *unsafe]))
    assert maintenance.main(["db.t", *unsafe]) == 2
    assert "error: " in capsys.readouterr().err


def test_all_run_unless_some_are_named() -> None:
    assert check(parser().parse_args(["db.t"])) == list(maintenance.PROCEDURES)
    assert check(parser().parse_args(["db.t", "--expire-snapshots"])) == ["expire_snapshots"]
