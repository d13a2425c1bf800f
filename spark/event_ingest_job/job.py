"""One attempt: look, plan, stage, look again, have it published; until it is, or never will be."""

import logging
import secrets
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import TypeVar

from pyspark.sql import SparkSession

from . import documents, listing, publisher, store, tasks
from .faults import Changed, ContentFault, Refused, Unavailable
from .files import File, Reading
from .listing import Rejected, Staged
from .objects import Version
from .options import options_of
from .publisher import Clock, Known, Published
from .request import Request, Requested
from .settings import Settings
from .table import REQUEST, STAGE, Table

#: How often it begins anew: objects that change, conflicts, files that turn out damaged.
MAX_ROUNDS = 10
#: Objects that are looked at together.
LOOKS = 16

log = logging.getLogger("event_ingest_job")
A = TypeVar("A")
B = TypeVar("B")


class Job:
    """One attempt at one request."""

    def __init__(self, spark: SparkSession, request: Request, settings: Settings, clock: Clock = Clock()) -> None:
        self.spark, self.request, self.settings, self.clock = spark, request, settings, clock
        self.now = datetime.now(timezone.utc)
        self.wanted = list(request.objects)
        #: What came in by another way, says the publisher.
        self.known: list[Known] = []
        #: Why versions cannot be taken that were found damaged when they were read.
        self.damaged: dict[tuple[str, str | None, str | None], str] = {}

    def run(self) -> None:
        """Ends when every object is published or rejected, or is somebody else's.

        Raises `Refused` if that can never be, `Unavailable` if another attempt may succeed.
        """
        log.info("started request=%s attempt=%d objects=%d", self.request.id, self.request.attempt, len(self.wanted))
        table = Table(self.spark, self.settings.catalog, self.request.table)
        for _ in range(MAX_ROUNDS):
            table.refresh()
            if self._round(table):
                return
        raise Unavailable(f"objects or table changed {MAX_ROUNDS} times while they were read")

    def _round(self, table: Table) -> bool:
        """One try with the objects as they are now. Says whether all is done."""
        options = options_of(table.properties, self.request.options, self.request.format)
        place = self.settings.place
        reading = Reading(place, self.request.format, options, table.schema, table.data_folder, self.now)
        found, rejected = self._look()
        if not found and not rejected:
            log.info("done: all objects came in by another way")
            return True
        plan = self._plan(reading, found, rejected)
        if plan is None:
            return False
        staged, pieces = plan
        for one in rejected:
            log.warning("rejected file=%s reason=%s", one.requested.uri, one.reason)
        branch = snapshot = None
        if staged:
            stage = self._stage(table, reading, staged, pieces)
            if stage is None:
                return False
            branch, snapshot = stage
            if not self._unchanged(staged):
                table.drop_branch(branch)
                return False
        return self._publish(table, branch, snapshot, staged, rejected)

    def _look(self) -> tuple[list[tuple[Requested, Version]], list[Rejected]]:
        """Which version of each object there is; each once."""
        begin = time.monotonic()
        found: dict[tuple[str, str | None, str | None], tuple[Requested, Version]] = {}
        rejected: list[Rejected] = []
        for requested, version in zip(self.wanted, _together(self._look_at, self.wanted)):
            if self._is_known(requested, version):
                continue
            if isinstance(version, str):
                rejected.append(Rejected(requested, None, version))
            elif version.identity in self.damaged:
                rejected.append(Rejected(requested, version, self.damaged[version.identity]))
            else:
                found.setdefault(version.identity, (requested, version))
        log.info("looked found=%d missing=%d seconds=%.1f", len(found), len(rejected), time.monotonic() - begin)
        return list(found.values()), rejected

    def _is_known(self, requested: Requested, version: Version | str) -> bool:
        """Whether it came in by another way. What is gone since did, too, unless a version is asked for that did not."""
        if isinstance(version, Version):
            return any(known.covers(version.identity) for known in self.known)
        asked = (requested.version_id, None)
        return any(
            known.file == str(requested.uri) and (requested.version_id is None or known.version in (None, asked))
            for known in self.known
        )

    def _look_at(self, requested: Requested) -> Version | str:
        reason = requested.uri.unaddressable()
        if reason is not None:
            return reason
        version = store.look(self.settings.place, requested.uri, requested.version_id)
        return version or "the object does not exist"

    def _plan(
        self, reading: Reading, found: list[tuple[Requested, Version]], rejected: list[Rejected]
    ) -> tuple[list[Staged], list[tasks.Piece]] | None:
        """What is to be staged, each with its rows; the rest is rejected. None if an object changed."""
        versions = [version for _, version in found]
        groups: list[list[int] | None] = [None] * len(found)
        if self.request.format == "parquet":
            checked = []
            for place, opened in enumerate(_together(lambda version: _open(reading, version), versions)):
                groups[place] = opened if isinstance(opened, list) else None
                checked.append(opened if isinstance(opened, tasks.Checked) else tasks.Checked(place, sum(opened)))
        else:
            # How many rows a text has shows when it has been read.
            checked = tasks.check(self.spark, reading, versions) if versions else []
        staged: list[Staged] = []
        pieces: list[tasks.Piece] = []
        for (requested, version), one, of_file in zip(found, checked, groups):
            if one.changed:
                return None
            if one.reason is not None:
                rejected.append(Rejected(requested, version, one.reason))
                continue
            staged.append(Staged(requested, version, one.rows))
            pieces.extend(tasks.pieces_of(version, of_file) if one.rows else [])
        return staged, pieces

    def _stage(
        self, table: Table, reading: Reading, staged: list[Staged], pieces: list[tasks.Piece]
    ) -> tuple[str, int] | None:
        """The branch and snapshot that hold these objects; none if one of them turned out otherwise."""
        digest = listing.digest([one.version for one in staged])
        known = table.find_stage(self.request.id, digest)
        if known:
            log.info("reused branch=%s snapshot=%d", *known)
            return known
        begin = time.monotonic()
        branch = table.new_branch(self.request.id, self.request.attempt)
        try:
            summary = {STAGE: digest, REQUEST: self.request.id}
            snapshot, rows, files = table.append(branch, reading, pieces, summary)
        except Exception as error:
            table.drop_branch(branch)
            if self._found_damaged(reading, staged):
                return None
            raise Unavailable(f"cannot stage: {error}") from error
        expected = sum(one.rows for one in staged)
        if rows != expected:
            table.drop_branch(branch)
            raise Unavailable(f"{rows} rows were staged, the files have {expected}")
        seconds = time.monotonic() - begin
        log.info("staged branch=%s snapshot=%d rows=%d files=%d seconds=%.1f", branch, snapshot, rows, files, seconds)
        return branch, snapshot

    def _found_damaged(self, reading: Reading, staged: list[Staged]) -> bool:
        """After a write that failed: reads each file alone, and remembers which cannot be taken."""
        versions = [one.version for one in staged]
        log.info("checking files=%d: the write failed", len(versions))
        checked = tasks.check(self.spark, reading, versions)
        for one in checked:
            if one.reason is not None:
                self.damaged[versions[one.place].identity] = one.reason
        return any(one.changed or one.reason is not None for one in checked)

    def _unchanged(self, staged: list[Staged]) -> bool:
        """Whether each object is still what it was before it was read."""
        now = _together(self._look_at, [one.requested for one in staged])
        changed = [
            one for one, version in zip(staged, now)
            if isinstance(version, str) or version.identity != one.version.identity
        ]  # fmt: skip
        for one in changed:
            log.warning("changed file=%s: it is another than before it was read", one.requested.uri)
        return not changed

    def _publish(
        self, table: Table, branch: str | None, snapshot: int | None, staged: list[Staged], rejected: list[Rejected]
    ) -> bool:
        """Writes the list, posts the event. Says whether that settled everything."""
        begin = time.monotonic()
        name = branch or f"rejected-{self.request.attempt}-{secrets.token_hex(4)}"
        uri = f"{self.settings.stages}/{self.request.id}/{name}.json"
        documents.write(self.settings.place, uri, listing.document(self.request, table.uuid, staged, rejected))
        body = {
            "version": 1,
            "request_id": self.request.id,
            "attempt": self.request.attempt,
            "table": self.request.table,
            "branch": branch,
            "snapshot_id": snapshot,
            "objects": uri,
        }
        event_id = branch or listing.digest([one.version for one in staged])
        try:
            answer = publisher.publish(self.settings.publisher, event_id, body, self.clock)
        except Refused:
            if branch:
                table.drop_branch(branch)
            raise
        if isinstance(answer, Published):
            rows, seconds = sum(one.rows for one in staged), time.monotonic() - begin
            log.info("published rows=%d rejected=%d seconds=%.1f", rows, len(rejected), seconds)
            return True
        log.warning("conflict reason=%s known=%d", answer.reason, len(answer.known))
        if branch:
            table.drop_branch(branch)
        self.known.extend(answer.known)
        return False


def _open(reading: Reading, version: Version) -> list[int] | tasks.Checked:
    """The rows of a file's row groups; or why it cannot be taken."""
    try:
        return File(reading, version).groups or []
    except ContentFault as fault:
        return tasks.Checked(0, reason=str(fault))
    except Changed:
        return tasks.Checked(0, changed=True)
    except tasks.ODD as error:
        return tasks.unreadable(0, error)


def _together(work: Callable[[A], B], of: Iterable[A]) -> list[B]:
    with ThreadPoolExecutor(LOOKS) as pool:
        return list(pool.map(work, of))
