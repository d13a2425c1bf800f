"""Options of a table, overridden by those of a request: `docs/tables.md` and `docs/text.md`.

What the job cannot do exactly as the light worker is refused, never done otherwise.
"""

import re
from dataclasses import dataclass
from typing import Mapping

from .faults import Refused

PREFIX = "event-ingest."
MAX_NULL_MARKERS = 64
_KNOWN = (
    "schema-policy", "mode", "verify", "case-sensitive", "field-ids", "hive-columns", "source-column",
    "ingest-time-column", "create.partition-by", "create.sort-by",
    "csv.delimiter", "csv.quote", "csv.escape", "csv.header", "csv.null", "csv.trim",
    "text.date-format", "text.timestamp-format", "text.timezone", "text.compression", "text.bad-rows",
    "text.bad-rows-limit",
)  # fmt: skip


@dataclass(frozen=True)
class TextOptions:
    """How text files are read."""

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    header: bool = True
    null: tuple[str, ...] = ()
    trim: bool = False
    #: Seconds that the clock of timestamps without a zone is ahead of UTC.
    zone: int | None = None
    compression: str = "auto"


@dataclass(frozen=True)
class Options:
    """How files are taken into one table. Spark never alters it, so `evolve` is as strict here."""

    ignore_case: bool = False
    field_ids: bool = False
    hive: bool = False
    source: str | None = None
    ingest_time: str | None = None
    text: TextOptions = TextOptions()


def options_of(properties: Mapping[str, str], request: Mapping[str, str], form: str) -> Options:
    """The options for files of one format. Raises `Refused` for one that means nothing, or that only the worker has."""
    for name in request:
        if name not in _KNOWN and not name.startswith("create.property."):
            raise Refused(f"option `{name}` is not known")

    def get(name: str) -> str | None:
        # Nothing and an empty text are the same: so a request can undo what the table says.
        given = request[name] if name in request else properties.get(PREFIX + name)
        return given or None

    def choice(name: str, *allowed: str) -> str:
        given = get(name) or allowed[0]
        if given not in allowed:
            raise Refused(f"option `{name}`: expected one of {', '.join(allowed)}, got `{given}`")
        return given

    choice("schema-policy", "strict", "evolve")
    choice("verify", "pages", "decode")
    if choice("mode", "auto", "splice", "rewrite", "register") == "register":
        raise Refused("option `mode`: Spark writes rows anew and cannot register files; the light worker does")
    text = _text(get, choice)
    if form != "parquet":
        for name in ("text.date-format", "text.timestamp-format"):
            if get(name):
                raise Refused(f"option `{name}` is not supported by the Spark job; the light worker has it")
        if choice("text.bad-rows", "quarantine", "skip") == "skip":
            raise Refused("option `text.bad-rows`: the Spark job leaves out no rows; the light worker does")
    return Options(
        ignore_case=choice("case-sensitive", "true", "false") == "false",
        field_ids=choice("field-ids", "false", "true") == "true",
        hive=choice("hive-columns", "false", "true") == "true",
        source=get("source-column"),
        ingest_time=get("ingest-time-column"),
        text=text,
    )


def _text(get, choice) -> TextOptions:  # type: ignore[no-untyped-def]
    delimiter = _character(get("csv.delimiter") or ",")
    if delimiter is None:
        raise Refused(f"option `csv.delimiter`: expected one ASCII character, or `tab`, got `{get('csv.delimiter')}`")

    def mark(name: str, default: str | None) -> str | None:
        given = get(name)
        if given is None:
            return default
        if given == "none":
            return None
        found = _character(given)
        if found is None or found == delimiter:
            raise Refused(f"option `{name}`: expected `none` or one ASCII character other than the delimiter")
        return found

    quote = mark("csv.quote", '"')
    if quote == delimiter:
        raise Refused("option `csv.delimiter`: expected a character other than the quote")
    escape = mark("csv.escape", None)
    null = tuple(marker for marker in (get("csv.null") or "").split(",") if marker)
    if len(null) > MAX_NULL_MARKERS:
        raise Refused(f"option `csv.null`: expected at most {MAX_NULL_MARKERS} markers")
    zone = get("text.timezone")
    seconds = zone_seconds(zone) if zone else None
    if zone and seconds is None:
        raise Refused(f"option `text.timezone`: expected `UTC` or an offset like `+02:00`, got `{zone}`")
    if get("text.bad-rows-limit") and not re.fullmatch(r"\+?[0-9]{1,19}", get("text.bad-rows-limit")):
        raise Refused("option `text.bad-rows-limit`: expected a whole number of rows")
    return TextOptions(
        delimiter=delimiter,
        quote=quote,
        escape=None if escape == quote else escape,
        header=choice("csv.header", "true", "false") == "true",
        null=null,
        trim=choice("csv.trim", "false", "true") == "true",
        zone=seconds,
        compression=choice("text.compression", "auto", "none", "gzip", "zstd"),
    )


def _character(given: str) -> str | None:
    if given in ("tab", "\\t"):
        return "\t"
    return given if len(given) == 1 and given.isascii() and given not in "\r\n" else None


def zone_seconds(text: str) -> int | None:
    """Seconds that a zone is ahead of UTC: `UTC`, `+HH`, `+HHMM`, `+HH:MM`; none for anything else."""
    if text == "UTC":
        return 0
    found = re.fullmatch(r"([+-])([0-9]{2})(?::?([0-9]{2}))?", text)
    if not found:
        return None
    sign, hours, minutes = found.group(1), int(found.group(2)), int(found.group(3) or 0)
    seconds = hours * 3600 + minutes * 60
    if minutes > 59 or seconds >= 86_400:
        return None
    return -seconds if sign == "-" else seconds
