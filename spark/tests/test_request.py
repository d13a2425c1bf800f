"""Requests, names of requests, digests: what other programs compute as well."""

import json

import pytest
from conftest import REPOSITORY

from event_ingest_job import listing, request
from event_ingest_job.faults import Refused
from event_ingest_job.objects import ObjectUri, Version, plain_etag, plain_version
from event_ingest_job.settings import stages_of

GOLDEN = REPOSITORY / "crates/ingest-core/tests/golden/request-v1"
NAMES = sorted(path.name.removesuffix(".read.json") for path in GOLDEN.glob("*.read.json"))


@pytest.mark.parametrize("name", NAMES)
def test_the_id_is_the_one_that_the_dispatcher_computes(name: str) -> None:
    written = json.loads((GOLDEN / f"{name}.written.json").read_text())
    for document in (json.loads((GOLDEN / f"{name}.read.json").read_text()), written):
        read = request.parse(json.dumps(document))
        assert [str(one.uri) for one in read.objects] == written["files"]
        hints = [
            {"size": one.size, "etag": one.etag, "version_id": one.version_id, "event_time": one.event_time}
            for one in read.objects
        ]
        assert hints == written["objects"]
        if document.get("request_id") is None or len(written["request_id"]) == 40:
            assert read.id == written["request_id"]


def test_a_record_keeps_its_id() -> None:
    body = {"files": ["s3://b/k.csv"], "record_id": "ab" * 20, "attempt": 3, "request_id": "somebody-elses"}
    read = request.parse(json.dumps(body))
    assert (read.id, read.attempt, read.table, read.format) == ("ab" * 20, 3, "db.my_table", "csv")


@pytest.mark.parametrize(
    "body",
    [
        "", "no", "[]", "{}", '{"files": []}', '{"files": "s3://b/k.csv"}', '{"files": [1]}', '{"files": ["/k.csv"]}',
        '{"files": ["s3://b/k"]}', '{"files": ["s3://b/k.csv", "s3://b/k.json"]}', '{"files": ["s3://b/k.parquet.gz"]}',
        '{"files": ["s3://b/k.csv"], "table": "t"}', '{"files": ["s3://b/k.csv"], "format": "orc"}',
        '{"files": ["s3://b/k.csv"], "options": {"a": 1}}', '{"files": ["s3://b/k.csv"], "objects": [{}, {}]}',
        '{"files": ["s3://b/k.csv"], "objects": [{"size": -1}]}', '{"files": ["s3://b/k.csv"], "record_id": "../x"}',
        '{"files": ["s3://b/k.csv"], "table": "db.a`b"}', '{"files": ["s3://b/k.csv"], "attempt": 0}',
        json.dumps({"files": ["s3://b/k.csv"] * 10_001}),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(body: str) -> None:
    with pytest.raises(Refused, match="not an ingest request"):
        request.parse(body)


def test_the_digest_is_the_one_that_the_publisher_computes() -> None:
    versions = [
        Version(ObjectUri("b", "x"), 7, "e-1", None),
        Version(ObjectUri("b-2", 'a "ü+%2F"\t日本.parquet'), 1024, "9b2cf535f27731c974343645a3985328", "Vx.1"),
        Version(ObjectUri("b", "x2"), 0, "d41d", None),
    ]
    assert listing.digest(versions) == "bdde4a2469e823896681d0d00fb14bc7983cc318a8b130d9c0e9f8bddde6d587"
    assert listing.digest(versions[::-1]) == listing.digest(versions)
    assert listing.digest([]) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"


def test_versions_and_etags_are_plain() -> None:
    assert {plain_etag(etag) for etag in ("AB-2", '"ab-2"', 'W/"Ab-2"', ' "ab-2" ')} == {"ab-2"}
    assert [plain_version(one) for one in (None, "", "null", "v1")] == [None, None, None, "v1"]
    assert plain_etag('""') is None


@pytest.mark.parametrize("key", ["", "/a", "a//b", "a/./b", "a/../b", "a/", "a\nb", "x" * 1025])
def test_keys_that_no_client_can_ask_for(key: str) -> None:
    assert ObjectUri("b", key).unaddressable()


def test_a_trace_is_kept_if_it_is_one() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for told, kept in [(trace, trace), ("00-a-b-01", None), (7, None), (None, None)]:
        assert request.parse(json.dumps({"files": ["s3://b/a.csv"], "traceparent": told})).traceparent == kept


def test_an_attempt_says_where_lists_go() -> None:
    assert stages_of("s3://w/_event_ingest/heavy/records/ab/attempt-2.json") == "s3://w/_event_ingest/heavy/stages"
    assert stages_of("file:///w/heavy/records/ab/attempt-1.json") == "file:///w/heavy/stages"
    assert stages_of("file:///tmp/request.json") is None
