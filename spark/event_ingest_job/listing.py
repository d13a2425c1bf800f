"""What a job staged and what it rejected: `stages/<id>/<branch>.json`."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from .objects import Version
from .request import Request, Requested

#: What the publisher keeps of a reason, in bytes.
MAX_REASON = 4096


@dataclass(frozen=True)
class Staged:
    """An object whose rows are on the branch."""

    requested: Requested
    version: Version
    rows: int


@dataclass(frozen=True)
class Rejected:
    """An object that no retry can bring in. Without a version it is not there."""

    requested: Requested
    version: Version | None
    reason: str


def digest(versions: list[Version]) -> str:
    """Names a set of object versions: SHA-256 over the compact JSON of `[file, version id, etag]`, sorted by file."""
    # Versions of one file stay in the list's order.
    entries = sorted(([str(v.uri), v.version_id, v.etag] for v in versions), key=lambda entry: str(entry[0]))
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def document(request: Request, table_uuid: str, staged: list[Staged], rejected: list[Rejected]) -> bytes:
    """The list as it is written."""
    content = {
        "version": 1,
        "request_id": request.id,
        "table": request.table,
        "table_uuid": table_uuid,
        "format": request.format,
        "options": request.options,
        "digest": digest([one.version for one in staged]),
        "staged": [{**_entry(one.requested, one.version), "rows": one.rows} for one in staged],
        "rejected": [{**_entry(one.requested, one.version), "reason": _short(one.reason)} for one in rejected],
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _entry(requested: Requested, version: Version | None) -> dict[str, Any]:
    """What its own HEAD said, or the request where there was none."""
    said = version or requested
    return {
        "file": str(requested.uri),
        "size": said.size,
        "etag": said.etag,
        "version_id": said.version_id,
        "event_time": requested.event_time,
    }


def _short(reason: str) -> str:
    return reason.encode(errors="replace")[:MAX_REASON].decode(errors="ignore")
