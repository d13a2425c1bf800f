"""The whole job: real Spark, a real catalog, an S3 server; a publisher that answers as it is told."""

import io
import json
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from event_ingest_job import cli, listing
from event_ingest_job import request as requests
from event_ingest_job.faults import Refused, Unavailable
from event_ingest_job.job import Job
from event_ingest_job.objects import ObjectUri, Version
from event_ingest_job.settings import Settings
from event_ingest_job.store import Place
from event_ingest_job.table import Table

COLUMNS = "id bigint, region string, at timestamp, price decimal(9, 2), tags array<string>"
ODD_KEYS = ["a b+c%2Fd#e?f", "日本/ü", "a*b[c]{d,e}", "c:d", "x=%41/~'(e)!", "%00 .-_"]


class Lake:
    """A table, a bucket and a publisher, and jobs between them."""

    def __init__(self, spark: Any, s3: Any, publisher: Any, folder: Path, table: str) -> None:
        self.spark, self.s3, self.publisher, self.folder, self.table = spark, s3, publisher, folder, table

    def make(self, columns: str = COLUMNS, more: str = "") -> None:
        properties = "tblproperties ('format-version'='2', 'write.distribution-mode'='hash')"
        self.spark.sql(f"create table lake.{self.table} ({columns}) using iceberg {more} {properties}")
        # As the light worker begins a table.
        self.iceberg().newAppend().commit()

    def iceberg(self) -> Any:
        jvm = self.spark._jvm
        table = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(
            self.spark._jsparkSession, f"lake.{self.table}"
        )
        table.refresh()
        return table

    def branches(self) -> dict[str, int]:
        refs = dict(self.iceberg().refs())
        return {name: ref.snapshotId() for name, ref in refs.items() if name != "main"}

    def rows(self, branch: str) -> list[dict[str, Any]]:
        self.spark.catalog.refreshTable(f"lake.{self.table}")
        found = self.spark.table(f"lake.{self.table}.`branch_{branch}`").collect()
        return sorted((row.asDict() for row in found), key=lambda row: str(row))

    def put(self, key: str, body: bytes, bucket: str = "inbox") -> dict[str, Any]:
        said = self.s3.put_object(Bucket=bucket, Key=f"{self.table}/{key}", Body=body)
        return {"file": f"s3://{bucket}/{self.table}/{key}", "version_id": said.get("VersionId")}

    def request(self, *objects: dict[str, Any], **more: Any) -> requests.Request:
        hints = [{"version_id": one.get("version_id") if one.get("pinned") else None} for one in objects]
        body = {"files": [one["file"] for one in objects], "objects": hints, "table": self.table, **more}
        return requests.parse(json.dumps(body))

    def run(self, wanted: requests.Request, spark: Any = None) -> None:
        settings = Settings("lake", self.publisher.url, f"file://{self.folder}/stages", Place.of_environment())
        Job(spark or self.spark, wanted, settings).run()

    def lists(self) -> list[dict[str, Any]]:
        """Those that the posted events name."""
        return [
            json.loads(Path(body["objects"].removeprefix("file://")).read_text()) for _, body in self.publisher.posts
        ]


@pytest.fixture
def lake(spark: Any, s3: Any, publisher: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Lake:
    return Lake(spark, s3, publisher, tmp_path, f"db.{request.node.name.split('[')[0]}")


def parquet(*ids: int, **options: Any) -> bytes:
    body = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array(ids, pa.int32()), "region": [f"r{id % 3}" for id in ids]}), body, **options)
    return body.getvalue()


def test_files_of_each_format_are_staged_as_rows_of_the_table(lake: Lake) -> None:
    lake.make(more="partitioned by (region, bucket(2, id))")
    lake.spark.sql(f"alter table lake.{lake.table} write ordered by id")
    expected = [(1, "a", "2026-01-02 03:04:05.600000", "1.50", ["x", "y"]), (2, "b", "2026-01-02 01:00:00", None, [])]
    lines = '{"id": 1, "region": "a", "at": "2026-01-02T03:04:05.6Z", "price": 1.50, "tags": ["x", "y"]}\n' \
            '{"tags": [], "at": "2026-01-02T03:00:00+02:00", "region": "b", "id": "2"}\n'  # fmt: skip
    text = 'tags,id,region,at,price\n"[""x"",""y""]",1,a,2026-01-02T03:04:05.6Z,1.5\n[],2,b,2026-01-02 01:00Z,\n'
    times = pa.array([1767323045600, 1767315600000], pa.timestamp("ms", "Europe/Berlin"))
    table = pa.table({"id": pa.array([1, 2], pa.int16()), "at": times, "tags": [["x", "y"], []], "region": ["a", "b"],
                      "price": pa.array(["1.50", None]).cast(pa.decimal128(5, 2))})  # fmt: skip
    body = io.BytesIO()
    pq.write_table(table, body, row_group_size=1)
    main = lake.iceberg().currentSnapshot().snapshotId()
    for form, content in (("parquet", body.getvalue()), ("csv", text.encode()), ("json", lines.encode())):
        wanted = lake.request(lake.put(f"in/{form}", content), format=form)
        lake.run(wanted)
        headers, event = lake.publisher.posts[-1]
        branch, [staged] = event["branch"], (listed := lake.lists()[-1])["staged"]
        assert branch.startswith(f"event-ingest-{wanted.id}-1-") and lake.branches()[branch] == event["snapshot_id"]
        found = [(r["id"], r["region"], str(r["at"]), None if r["price"] is None else str(r["price"]), r["tags"])
                 for r in lake.rows(branch)]  # fmt: skip
        assert found == expected, form
        summary = dict(lake.iceberg().snapshot(event["snapshot_id"]).summary())
        assert summary["event-ingest.stage"] == listed["digest"] == digest_of(listed)
        assert (summary["event-ingest.request"], summary["added-records"], staged["rows"]) == (wanted.id, "2", 2)
        # One file a partition: the table's distribution was kept.
        assert summary["added-data-files"] == "2"
        assert listed["table_uuid"] == str(lake.iceberg().uuid()) and listed["rejected"] == []
        assert {name.lower(): value for name, value in headers.items()}["ce-id"] == branch
    assert lake.iceberg().currentSnapshot().snapshotId() == main


def digest_of(listed: dict[str, Any]) -> str:
    staged = listed["staged"]
    return listing.digest([Version(ObjectUri.parse(s["file"]), s["size"], s["etag"], s["version_id"]) for s in staged])


def test_a_rerun_uses_the_stage_again_and_another_digest_does_not(lake: Lake) -> None:
    lake.make()
    one = lake.put("a.parquet", parquet(1, 2))
    lake.run(lake.request(one))
    lake.run(lake.request(one))
    (_, first), (_, second) = lake.publisher.posts
    assert (first["branch"], first["snapshot_id"]) == (second["branch"], second["snapshot_id"])
    assert len(lake.branches()) == 1
    lake.put("a.parquet", parquet(1, 2, 3))
    lake.run(lake.request(one))
    assert lake.publisher.posts[-1][1]["branch"] != first["branch"]
    assert lake.lists()[-1]["staged"][0]["rows"] == 3


def test_an_object_that_is_overwritten_meanwhile_is_staged_anew(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.make()
    one, two = lake.put("a.parquet", parquet(1)), lake.put("b.parquet", parquet(5))
    append, seen = Table.append, []

    def overwritten_then(*arguments: Any) -> Any:
        # While it is read, and after it was.
        if len(seen) == 0:
            lake.put("a.parquet", parquet(2))
        done = append(*arguments)
        if len(seen) == 1:
            lake.put("a.parquet", parquet(3))
        return done

    def counted(*arguments: Any) -> Any:
        try:
            return overwritten_then(*arguments)
        finally:
            seen.append(arguments[1])

    monkeypatch.setattr(Table, "append", counted)
    lake.run(lake.request(one, two))
    assert len(seen) == 3
    [branch] = lake.branches()
    assert [row["id"] for row in lake.rows(branch)] == [3, 5]


def test_what_cannot_be_taken_is_rejected_alone(lake: Lake) -> None:
    lake.make()
    good = lake.put("good.parquet", parquet(1))
    body = io.BytesIO()
    pq.write_table(pa.table({"id": ["x"]}), body)
    unfit = lake.put("unfit.parquet", body.getvalue())
    # The footer is whole, a page is not: only the write shows it.
    whole = bytearray(parquet(*range(1000), compression="none", write_page_checksum=True))
    whole[100] ^= 0xFF
    damaged = lake.put("damaged.parquet", bytes(whole))
    missing = {"file": f"s3://inbox/{lake.table}/missing.parquet"}
    twisted = {"file": f"s3://inbox/{lake.table}//twisted.parquet"}
    lake.run(lake.request(good, unfit, damaged, missing, twisted))
    [listed] = lake.lists()
    assert [one["file"] for one in listed["staged"]] == [good["file"]]
    reasons = {one["file"]: one["reason"] for one in listed["rejected"]}
    assert "has type string, the table holds int64" in reasons[unfit["file"]]
    assert "not readable as Parquet" in reasons[damaged["file"]]
    assert (reasons[missing["file"]], reasons[twisted["file"]]) == (
        "the object does not exist",
        "key has an empty segment",
    )
    assert len(lake.branches()) == 1


def test_nothing_but_rejected_objects_are_posted_without_a_branch(lake: Lake) -> None:
    lake.make()
    lake.run(lake.request(lake.put("a.csv", b"id\nx\n"), format="csv"))
    [(headers, event)], [listed] = lake.publisher.posts, lake.lists()
    assert (event["branch"], event["snapshot_id"], lake.branches()) == (None, None, {})
    assert {name.lower(): value for name, value in headers.items()}["ce-id"] == listed["digest"]
    assert listed["staged"] == [] and listed["rejected"][0]["reason"] == "line 2, column `id`: `x` is no long"
    assert listed["rejected"][0]["etag"] and listed["rejected"][0]["size"] == 5


def test_keys_are_verbatim(lake: Lake) -> None:
    lake.make()
    objects = [lake.put(f"{key}.parquet", parquet(place)) for place, key in enumerate(ODD_KEYS)]
    # What such keys would be read as, if they were patterns or encoded.
    for other in ("a b c/d", "axbc{d,e}", "acd", "x=A/~'(e)!"):
        lake.put(f"{other}.parquet", parquet(99))
    lake.run(lake.request(*objects))
    [branch] = lake.branches()
    assert [row["id"] for row in lake.rows(branch)] == list(range(len(ODD_KEYS)))


def test_the_version_that_is_asked_for_is_read(lake: Lake) -> None:
    lake.make()
    old = lake.put("a.parquet", parquet(1), "kept")
    new = lake.put("a.parquet", parquet(2), "kept")
    lake.run(lake.request({**old, "pinned": True}))
    lake.run(lake.request(new))
    (_, first), (_, second) = lake.publisher.posts
    assert [[row["id"] for row in lake.rows(event["branch"])] for event in (first, second)] == [[1], [2]]
    assert [one["staged"][0]["version_id"] for one in lake.lists()] == [old["version_id"], new["version_id"]]
    lake.run(lake.request(new, {**new, "pinned": True}))
    assert len(lake.lists()[-1]["staged"]) == 1, "one version that is named twice has its rows once"


def test_objects_that_came_in_by_another_way_are_left_out(lake: Lake) -> None:
    lake.make()
    one, two = lake.put("a.parquet", parquet(1)), lake.put("b.parquet", parquet(2))
    conflict = {"error": "conflict", "reason": "known", "known": [one["file"]]}
    lake.publisher.answers = [
        (409, conflict),
        (409, {"error": "conflict", "reason": "the schema changed", "known": []}),
    ]
    lake.run(lake.request(one, two))
    assert [len(listed["staged"]) for listed in lake.lists()] == [2, 1, 1]
    [branch] = lake.branches()
    assert [row["id"] for row in lake.rows(branch)] == [2]

    lake.publisher.answers = [(409, {**conflict, "known": [one["file"], two["file"]]})]
    lake.run(lake.request(one, two, options={"mode": "rewrite"}))
    assert list(lake.branches()) == [branch], "nothing is left to do, and nothing is left behind"


def known(*objects: dict[str, Any]) -> dict[str, Any]:
    """The answer to a stage, of which these objects of the list came in by another way."""
    named = [{name: one[name] for name in ("file", "version_id", "etag")} for one in objects]
    return {"error": "conflict", "reason": "known", "known": [one["file"] for one in named], "known_objects": named}


def test_of_a_key_only_the_version_that_came_in_is_left_out(lake: Lake) -> None:
    lake.make()
    old, new = (lake.put("a.parquet", parquet(n), "kept") for n in (1, 2))
    lake.publisher.answers = [lambda _: (409, known(lake.lists()[-1]["staged"][0]))]
    lake.run(lake.request({**old, "pinned": True}, {**new, "pinned": True}))
    [branch] = lake.branches()
    assert [row["id"] for row in lake.rows(branch)] == [2]
    assert [one["version_id"] for one in lake.lists()[-1]["staged"]] == [new["version_id"]]


def test_a_key_that_is_overwritten_after_it_came_in_is_staged(lake: Lake) -> None:
    lake.make()
    one = lake.put("a.parquet", parquet(1))

    def came_in(_: Any) -> Any:
        lake.put("a.parquet", parquet(2))
        return 409, known(lake.lists()[-1]["staged"][0])

    lake.publisher.answers = [came_in]
    lake.run(lake.request(one))
    [branch] = lake.branches()
    assert [row["id"] for row in lake.rows(branch)] == [2]


def test_what_came_in_and_is_gone_since_is_nobodys_fault(lake: Lake) -> None:
    lake.make()
    one = lake.put("a.parquet", parquet(1))

    def came_in(_: Any) -> Any:
        lake.s3.delete_object(Bucket="inbox", Key=f"{lake.table}/a.parquet")
        return 409, known(lake.lists()[-1]["staged"][0])

    lake.publisher.answers = [came_in]
    lake.run(lake.request(one))
    assert len(lake.publisher.posts) == 1 and lake.branches() == {}


def test_a_refused_stage_is_dropped(lake: Lake) -> None:
    lake.make()
    lake.publisher.answers = [(400, {"reason": "no"})]
    with pytest.raises(Refused):
        lake.run(lake.request(lake.put("a.parquet", parquet(1))))
    assert lake.branches() == {}


def test_objects_without_rows_are_staged_with_none(lake: Lake) -> None:
    lake.make()
    lake.run(lake.request(lake.put("a.parquet", parquet()), lake.put("b.parquet", parquet())))
    [(_, event)], [listed] = lake.publisher.posts, lake.lists()
    snapshot = lake.iceberg().snapshot(event["snapshot_id"])
    assert [one["rows"] for one in listed["staged"]] == [0, 0]
    assert (snapshot.operation(), snapshot.parentId()) == ("append", lake.iceberg().currentSnapshot().snapshotId())
    assert dict(snapshot.summary())["event-ingest.stage"] == listed["digest"]


def own_session(spark: Any) -> Any:
    """A session with a catalog of its own, as another process has; this thread's from now on."""
    session = spark.newSession()
    session._get_j_spark_session_class(spark._jvm).setActiveSession(session._jsparkSession)
    return session


def test_two_drivers_of_one_request_do_not_disturb_each_other(lake: Lake) -> None:
    lake.make()
    lake.publisher.answers = [(503, {})]
    wanted = lake.request(lake.put("a.parquet", parquet(1, 2)))
    failures: list[BaseException] = []

    def drive() -> None:
        try:
            lake.run(wanted, own_session(lake.spark))
        except BaseException as error:
            failures.append(error)

    drivers = [threading.Thread(target=drive) for _ in range(2)]
    [driver.start() for driver in drivers]
    [driver.join() for driver in drivers]
    assert failures == []
    for branch in lake.branches():
        assert [row["id"] for row in lake.rows(branch)] == [1, 2]
    posted = {(body["branch"], body["snapshot_id"]) for _, body in lake.publisher.posts}
    assert posted <= set(lake.branches().items())


def test_every_type_that_spark_writes_arrives(lake: Lake) -> None:
    lake.make(
        columns="id bigint not null, b boolean, i int, f float, d double, y date, n timestamp_ntz, x binary, s struct<k: int, v: binary>, m map<string, date>"
    )
    jvm = lake.spark._jvm
    types = jvm.org.apache.iceberg.types.Types
    lake.iceberg().updateSchema().addColumn("u", types.UUIDType.get()).addColumn(
        "h", types.FixedType.ofLength(2)
    ).commit()
    lake.spark.catalog.refreshTable(f"lake.{lake.table}")
    text = "id,b,i,f,d,y,n,x,s,m,u,h\n" \
           '7,true,-1,1.5,2.5,2026-01-02,2026-01-02T03:04,00ff,"{""k"":1,""v"":""0a""}","{""k"":""2026-01-02""}",' \
           "00112233-4455-6677-8899-AABBCCDDEEFF,beef\n8,,,,,,,,,,,\n"  # fmt: skip
    lake.run(lake.request(lake.put("a.csv", text.encode()), format="csv"))
    [branch] = lake.branches()
    first, second = lake.rows(branch)
    first, second = (first, second) if first["id"] == 7 else (second, first)
    assert (first["b"], first["i"], first["f"], first["d"], str(first["y"])) == (True, -1, 1.5, 2.5, "2026-01-02")
    assert (str(first["n"]), bytes(first["x"]), first["s"]["k"], bytes(first["s"]["v"])) == (
        "2026-01-02 03:04:00",
        b"\x00\xff",
        1,
        b"\n",
    )
    assert (first["u"], bytes(first["h"])) == ("00112233-4455-6677-8899-aabbccddeeff", b"\xbe\xef")
    assert str(first["m"]["k"]) == "2026-01-02" and {key for key, value in second.items() if value is not None} == {
        "id"
    }


def test_tables_that_cannot_be_written_say_why(lake: Lake) -> None:
    wanted = lake.request(lake.put("a.parquet", parquet(1)))
    with pytest.raises(Refused, match="is not in catalog"):
        lake.run(wanted)
    lake.spark.sql(f"create table lake.{lake.table} (id bigint) using iceberg")
    with pytest.raises(Unavailable, match="no snapshot yet"):
        lake.run(lake.request(lake.put("b.csv", b"id\n1\n"), format="csv"))
    lake.iceberg().updateSchema().addColumn("t", lake.spark._jvm.org.apache.iceberg.types.Types.TimeType.get()).commit()
    with pytest.raises(Refused, match="`t` has type time"):
        lake.run(wanted)


def test_exit_codes(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUBLISHER_URL", raising=False)
    assert cli.main(["{}"]) == cli.NEVER
    assert cli.main(['{"files": ["s3://b/k.csv"]}']) == cli.NEVER
    assert cli.main([f"file://{tmp_path}/records/ab/attempt-1.json"]) == cli.AGAIN
