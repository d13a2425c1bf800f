"""Posting until there is an answer for good, on a clock that the test turns."""

import json

import pytest
from conftest import REPOSITORY

from event_ingest_job.faults import Refused, Unavailable
from event_ingest_job.publisher import LONGEST_PAUSE, PATIENCE, Clock, Conflict, Known, Published, publish

GOLDEN = REPOSITORY / "crates/ingest-core/tests/golden/staged-v1"
BODY = {
    "version": 1,
    "request_id": "r",
    "attempt": 1,
    "table": "db.tä",
    "branch": "b",
    "snapshot_id": 1,
    "objects": "o",
}


class Turned:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.time = 0.0
        self.pauses: list[float] = []

    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.sleep, lambda: 1.0)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds


def test_not_now_is_asked_again_with_growing_pauses(publisher) -> None:
    publisher.answers = [(503, {}), (404, {}), (200, {"hello": "from a login page"}), (200, {"request_id": "r"})]
    time = Turned()
    assert publish(publisher.url, "id", BODY, time.clock()) == Published({"request_id": "r"})
    assert time.pauses == [1, 2, 4]
    headers, body = publisher.posts[-1]
    assert body == BODY
    sent = {name.lower(): value for name, value in headers.items()}
    assert (sent["ce-type"], sent["ce-id"], sent["ce-subject"]) == ("dev.eventingest.staged.v1", "id", "db.t%C3%A4")


def test_a_conflict_names_what_is_known(publisher) -> None:
    publisher.answers = [(409, {"error": "conflict", "reason": "why", "known": ["s3://b/k"]}), (409, {})]
    # As an older worker says it: every version of that key.
    assert publish(publisher.url, "id", BODY) == Conflict("why", [Known("s3://b/k")])
    assert publish(publisher.url, "id", BODY) == Conflict("", [])


def test_a_conflict_names_versions_as_the_contract_has_it(publisher) -> None:
    publisher.answers = [(409, json.loads((GOLDEN / "conflict.answer.json").read_text()))]
    answer = publish(publisher.url, "id", BODY)
    assert isinstance(answer, Conflict) and answer.reason.startswith("2 of the staged objects")
    plain, versioned = answer.known
    assert plain == Known("s3://b/x", (None, "e-1"))
    assert versioned == Known('s3://b-2/a "ü+%2F"\t日本.parquet', ("Vx.1", None))
    assert versioned.covers((versioned.file, "Vx.1", None)) and not versioned.covers((versioned.file, "Vx.2", None))
    assert not plain.covers(("s3://b/x", None, "e-2")) and not plain.covers(("s3://b/y", None, "e-1"))


@pytest.mark.parametrize("status", [400, 403, 413])
def test_a_refusal_ends_it(publisher, status: int) -> None:
    publisher.answers = [(status, {"reason": "no such thing"})]
    with pytest.raises(Refused, match=f"{status}.*no such thing"):
        publish(publisher.url, "id", BODY)


def test_no_redirect_is_followed(publisher) -> None:
    publisher.answers = [(302, {}), (200, {"request_id": "r"})]
    publisher.location = "/elsewhere"
    assert publish(publisher.url, "id", BODY, Turned().clock()) == Published({"request_id": "r"})
    assert [path for path in publisher.paths] == ["/", "/"]


def test_patience_ends_and_pauses_are_bounded(publisher) -> None:
    publisher.stop()
    time = Turned()
    with pytest.raises(Unavailable, match="no answer"):
        publish(publisher.url, "id", BODY, time.clock())
    assert PATIENCE - LONGEST_PAUSE <= time.time <= PATIENCE
    assert max(time.pauses) == LONGEST_PAUSE
