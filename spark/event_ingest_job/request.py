"""IngestRequest, version 1, and its name."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .faults import Refused
from .objects import ObjectUri, plain_version

MAX_FILES = 10_000
DEFAULT_TABLE = "db.my_table"
FORMATS = ("parquet", "csv", "json")
_SUFFIXES = {"parquet": "parquet", "csv": "csv", "json": "json", "jsonl": "json", "ndjson": "json"}
_COMPRESSED = ("gz", "gzip", "zst")
_RECORD_ID = re.compile(r"[0-9a-f]{40}")
_ID_DIGITS = 40
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True)
class Requested:
    """One object of a request, with what its announcement said of it."""

    uri: ObjectUri
    size: int | None = None
    etag: str | None = None
    version_id: str | None = None
    event_time: str | None = None


@dataclass(frozen=True)
class Request:
    """A request to bring the rows of some objects into a table."""

    table: str
    format: str
    objects: tuple[Requested, ...]
    options: dict[str, str] = field(default_factory=dict)
    attempt: int = 1
    record_id: str | None = None
    #: W3C trace context of whoever asked; the publisher is told.
    traceparent: str | None = None

    @property
    def id(self) -> str:
        """The record's, or the name that follows from the content; never one that a sender chose."""
        return self.record_id or request_id(self)


def request_id(request: Request) -> str:
    """The first 40 hex digits of SHA-256 over the content, as ingest-core computes it."""
    objects = [[str(o.uri), o.size, o.etag, o.version_id, o.event_time] for o in request.objects]
    content = [request.table, request.format, request.options, objects]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]


def parse(body: bytes | str) -> Request:
    """Reads a request; `{"files": […]}` alone is one.

    Raises `Refused` for what is none.
    """
    try:
        return _parse(json.loads(body))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused(f"not an ingest request: {error}") from error


def _parse(document: dict[str, Any]) -> Request:
    files = document["files"]
    if not isinstance(files, list) or not 1 <= len(files) <= MAX_FILES:
        raise ValueError(f'"files" has to be a list of 1 to {MAX_FILES} object names')
    hints = document.get("objects") or [None] * len(files)
    if len(hints) != len(files):
        raise ValueError(f"{len(files)} files, but {len(hints)} objects")
    objects = _collapse([_object(file, hint or {}) for file, hint in zip(files, hints)])
    form = document.get("format") or _format_of(objects)
    if form not in FORMATS:
        raise ValueError(f"{form!r} is no format: expected parquet, csv or json")
    options = document.get("options") or {}
    if not all(isinstance(text, str) for pair in options.items() for text in pair):
        raise ValueError('"options" has to be a flat map of strings')
    record_id = document.get("record_id")
    if record_id is not None and not _RECORD_ID.fullmatch(record_id):
        raise ValueError(f"{record_id!r} is no record id: expected 40 hex digits")
    table = document.get("table") or DEFAULT_TABLE
    parts = table.split(".")
    if len(parts) < 2 or not all(parts) or re.search(r"[/\\\x00-\x1f`]", table):
        raise ValueError(f"{table!r} is no table name: expected <namespace>.<table>")
    attempt = 1 if document.get("attempt") is None else document["attempt"]
    if not isinstance(attempt, int) or attempt < 1:
        raise ValueError(f"{attempt!r} is no attempt: expected a number from 1 on")
    trace = document.get("traceparent")
    # Nothing is decided by it: one that is none is left out.
    if not isinstance(trace, str) or not _TRACEPARENT.fullmatch(trace):
        trace = None
    return Request(table, form, tuple(objects), options, attempt, record_id, trace)


def _object(file: Any, hint: dict[str, Any]) -> Requested:
    size = hint.get("size")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise ValueError(f"{size!r} is no size")
    time = hint.get("event_time")
    return Requested(
        ObjectUri.parse(file),
        size,
        hint.get("etag"),
        plain_version(hint.get("version_id")),
        None if time is None else _milliseconds(time),
    )


def _milliseconds(time: str) -> str:
    """RFC 3339 in UTC with milliseconds, which are cut and not rounded."""
    found = re.fullmatch(r"(.{19})(?:\.([0-9]+))?(Z|z|[+-][0-9]{2}:[0-9]{2})", time)
    if not found:
        raise ValueError(f"{time!r} is no time of RFC 3339")
    second, fraction, zone = found.groups()
    utc = datetime.fromisoformat(second + ("+00:00" if zone in "Zz" else zone)).astimezone(timezone.utc)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{(fraction or '')[:3]:0<3}Z".rjust(24, "0")


def _collapse(objects: list[Requested]) -> list[Requested]:
    """Each object version once, at its first place, with the latest hint."""
    kept: dict[tuple[ObjectUri, str | None], Requested] = {}
    for one in objects:
        place = (one.uri, one.version_id)
        known = kept.get(place)
        if known is None or _order(one) > _order(known):
            kept[place] = one
    return list(kept.values())


def _order(one: Requested) -> tuple[Any, ...]:
    known = (one.event_time, one.size, one.etag)
    return tuple((value is not None, value or "") if not isinstance(value, int) else (True, value) for value in known)


def _format_of(objects: list[Requested]) -> str:
    formats = {_suffix_format(one.uri) for one in objects}
    if len(formats) != 1 or None in formats:
        raise ValueError('the suffixes do not tell one format: give "format" as parquet, csv or json')
    return str(formats.pop())


def _suffix_format(uri: ObjectUri) -> str | None:
    parts = uri.key.rsplit("/", 1)[-1].lower().split(".")
    compressed = parts[-1] in _COMPRESSED
    if compressed:
        parts.pop()
    form = _SUFFIXES.get(parts[-1]) if len(parts) > 1 else None
    return None if compressed and form == "parquet" else form
