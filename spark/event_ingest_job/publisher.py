"""Posting `dev.eventingest.staged.v1` until the light worker has answered for good."""

import http.client
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .faults import Refused, Unavailable
from .objects import plain_etag, plain_version

EVENT_TYPE = "dev.eventingest.staged.v1"
SOURCE = "/event-ingest/spark-job"
#: Seconds for which "not now" is taken for an answer.
PATIENCE = 3_600.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
#: Seconds that one answer may take: the worker commits before it answers.
ANSWER_TIMEOUT = 300.0
MAX_ANSWER = 8 * 1024 * 1024
#: What the light worker says of a stage that it will never publish. Any other answer is somebody else's, on the way to it.
_NEVER = (400, 403, 413, 415, 422)


@dataclass(frozen=True)
class Published:
    """The rows are in the table, by this post or by an earlier one."""

    result: dict[str, Any]


@dataclass(frozen=True)
class Known:
    """What a new stage does without: one version of a file, or, said by an older worker, all of them."""

    file: str
    version: tuple[str | None, str | None] | None = None

    def covers(self, identity: tuple[str, str | None, str | None]) -> bool:
        """Whether this is said of such a version."""
        return self.file == identity[0] and self.version in (None, identity[1:])


@dataclass(frozen=True)
class Conflict:
    """The stage does not fit the table as it is now."""

    reason: str
    known: list[Known] = field(default_factory=list)


@dataclass(frozen=True)
class Clock:
    """Time, and how long to pause before attempt n from 0 on; tests have their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


def publish(url: str, event_id: str, body: dict[str, Any], clock: Clock = Clock()) -> Published | Conflict:
    """Posts the event, again and again while the answer is "not now".

    Raises `Refused` if this stage will never be published, `Unavailable` if there was no answer for `PATIENCE` seconds.
    """
    deadline = clock.now() + PATIENCE
    pause = FIRST_PAUSE
    while True:
        status, answer = _post(url, event_id, body)
        if status == 200 and "request_id" in _object(answer):
            return Published(_object(answer))
        if status == 409:
            said = _object(answer)
            return Conflict(str(said.get("reason", "")), _known(said))
        if status in _NEVER:
            raise Refused(f"the publisher refuses the stage: {status} {answer[:500].decode(errors='replace')}")
        # Between half of it and all: jobs that were turned away together do not come back together.
        wait = pause * (0.5 + clock.jitter() / 2)
        if clock.now() + wait > deadline:
            text = answer[:500].decode(errors="replace")
            raise Unavailable(f"no answer of the publisher for {PATIENCE:.0f} s, the last: {status or 'none'} {text}")
        clock.sleep(wait)
        pause = min(LONGEST_PAUSE, pause * 2)


def _known(said: dict[str, Any]) -> list[Known]:
    objects = said.get("known_objects")
    if objects is None:
        return [Known(file) for file in said.get("known") or [] if isinstance(file, str)]
    known = []
    for one in objects:
        version_id = plain_version(one.get("version_id"))
        known.append(Known(one["file"], (version_id, None if version_id else plain_etag(one.get("etag")))))
    return known


class _Straight(urllib.request.HTTPRedirectHandler):
    """A post that is sent elsewhere would become a GET, and the answer to that says nothing."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_Straight)


def _post(url: str, event_id: str, body: dict[str, Any]) -> tuple[int, bytes]:
    """Status and body of the answer; status 0 if there is none."""
    headers = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-type": EVENT_TYPE,
        "ce-id": event_id,
        "ce-source": SOURCE,
        "ce-subject": _header(body["table"]),
    }
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    request = urllib.request.Request(url, data, headers, method="POST")
    try:
        with _OPENER.open(request, timeout=ANSWER_TIMEOUT) as response:
            return response.status, response.read(MAX_ANSWER)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(MAX_ANSWER)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, str(error).encode()


def _object(answer: bytes) -> dict[str, Any]:
    try:
        said = json.loads(answer)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _header(text: str) -> str:
    """A CloudEvents attribute in an HTTP header: what is not printable ASCII is percent-encoded."""
    plain = (chr(byte) if 0x20 < byte < 0x7F and byte not in b'"%' else f"%{byte:02X}" for byte in text.encode())
    return "".join(plain)
