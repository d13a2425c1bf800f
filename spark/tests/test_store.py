"""Objects under one version, and small documents, on an S3 server."""

import json
from pathlib import Path
from typing import Any

import pytest

from event_ingest_job import documents, settings, store
from event_ingest_job.faults import Changed, Refused, Unavailable
from event_ingest_job.objects import ObjectUri
from event_ingest_job.store import Pinned, Place


@pytest.fixture
def place(s3: Any) -> Place:
    return Place.of_environment()


def test_an_object_is_read_under_the_version_that_was_seen(s3: Any, place: Place) -> None:
    for bucket in ("inbox", "kept"):
        s3.put_object(Bucket=bucket, Key="store/a", Body=b"0123456789")
        seen = store.look(place, ObjectUri(bucket, "store/a"), None)
        assert seen and seen.size == 10 and (seen.version_id is not None) == (bucket == "kept")
        file = Pinned(place, seen)
        assert (file.read(4), file.seek(-3, 2), file.read(), file.read()) == (b"0123", 7, b"789", b"")
        s3.put_object(Bucket=bucket, Key="store/a", Body=b"another")
        file.seek(0)
        if bucket == "kept":
            assert file.read() == b"0123456789"
            s3.delete_object(Bucket=bucket, Key="store/a", VersionId=seen.version_id)
            file.seek(0)
        with pytest.raises(Changed):
            file.read()


def test_missing_is_said_only_by_a_bucket_that_answers(s3: Any, place: Place) -> None:
    s3.put_object(Bucket="kept", Key="store/b", Body=b"")
    assert store.look(place, ObjectUri("inbox", "store/nothing"), None) is None
    assert store.look(place, ObjectUri("kept", "store/b"), "no-such-version") is None
    with pytest.raises(Unavailable, match="does not answer"):
        store.look(place, ObjectUri("no-such-bucket", "a"), None)


def test_a_store_that_does_not_answer_is_nobodys_fault(monkeypatch: pytest.MonkeyPatch, s3: Any) -> None:
    monkeypatch.setattr(store, "ATTEMPTS", 1)
    with pytest.raises(Unavailable, match="cannot look up"):
        store.look(Place("http://127.0.0.1:1"), ObjectUri("inbox", "a"), None)


def test_documents_are_written_whole_wherever_they_are(s3: Any, place: Place, tmp_path: Path) -> None:
    for uri in ("s3://inbox/heavy/records/r/attempt-1.json", f"file://{tmp_path}/a b%41/records/r/attempt-1.json"):
        with pytest.raises(Unavailable, match="cannot read"):
            documents.read(place, uri)
        documents.write(place, uri, b'{"files": ["s3://b/k.csv"], "attempt": 2}')
        flags = settings.parser().parse_args([uri, "--publisher", "http://worker"])
        told, request = settings.load(flags)
        assert request.attempt == 2 and told.stages == uri.removesuffix("/records/r/attempt-1.json") + "/stages"
    assert [path.name for path in (tmp_path / "a b%41/records/r").iterdir()] == ["attempt-1.json"]
    with pytest.raises(Refused, match="no address"):
        documents.read(place, "http://elsewhere/x")


def test_a_request_as_json_has_to_be_told_where_lists_go() -> None:
    body = json.dumps({"files": ["s3://b/k.csv"]})
    with pytest.raises(Refused, match="--stages"):
        settings.load(settings.parser().parse_args([body, "--publisher", "http://worker"]))
    told, _ = settings.load(settings.parser().parse_args([body, "--publisher", "u", "--stages", "file:///w/stages/"]))
    assert (told.stages, told.catalog) == ("file:///w/stages", "lake")
