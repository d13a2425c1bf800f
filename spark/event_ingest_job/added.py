"""Columns that are not in a file: from the segments of its key, its name, and the time of its ingest."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

import pyarrow as pa

from .columns import Matching, Node, fits
from .faults import ContentFault
from .objects import ObjectUri
from .options import Options
from .values import Flaw, Values

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
MAX_HIVE_COLUMNS = 32


@dataclass(frozen=True)
class Constant:
    """A column with one value for all rows of a file."""

    field: pa.Field
    value: pa.Scalar


@dataclass(frozen=True)
class Mapping:
    """Where each column of a table comes from: one node or constant each."""

    origins: tuple[Node | Constant, ...]


def added_names(options: Options, uri: ObjectUri) -> list[str]:
    """Names of all columns that are added to a file's own."""
    hive = [name for name, _ in hive_columns(uri.key)] if options.hive else []
    return [name for name in (*hive, options.source, options.ingest_time) if name]


def mapping(file: pa.Schema, uri: ObjectUri, table: pa.Schema, options: Options, now: datetime) -> Mapping:
    """How a file's columns become the table's. Raises `ContentFault` with why they do not."""
    matching = Matching(options.ignore_case, options.field_ids)
    constants = _constants(file, uri, table, options, matching, now)
    nodes = matching.map([*file, *(constant.field for constant in constants)], list(table))
    if matching.misfits:
        raise ContentFault(matching.misfits[0].text)
    origins: list[Node | Constant] = []
    for node, column in zip(nodes, table):
        if node.place is None or node.place < len(file):
            origins.append(node)
            continue
        constant = constants[node.place - len(file)]
        if not constant.value.is_valid and not column.nullable:
            raise ContentFault(f"column `{column.name}` is required by the table, and null in the key")
        origins.append(constant)
    return Mapping(tuple(origins))


def _constants(
    file: pa.Schema, uri: ObjectUri, table: pa.Schema, options: Options, matching: Matching, now: datetime
) -> list[Constant]:
    own = {matching.name(name) for name in file.names}
    known = {matching.name(column.name): column for column in table}
    constants: list[Constant] = []

    def add(name: str, of: pa.DataType, value: Any) -> None:
        # A column that the file has itself, and one that was added before, stands.
        if matching.name(name) in own:
            return
        column = known.get(matching.name(name))
        if column is not None and fits(of, column.type):
            of = column.type
        metadata = column.metadata if column is not None else None
        scalar = value.cast(of) if isinstance(value, pa.Scalar) else pa.scalar(value, of)
        constants.append(Constant(pa.field(name, of, True, metadata), scalar))

    if options.hive:
        for name, text in hive_columns(uri.key):
            column = known.get(matching.name(name))
            to = column.type if column is not None else pa.utf8()
            add(name, to, None if text is None else _hive_value(name, text, to, matching.name(name) in own))
    if options.source:
        add(options.source, pa.utf8(), str(uri))
    if options.ingest_time:
        add(options.ingest_time, pa.timestamp("us", "UTC"), now)
    return constants


def _hive_value(name: str, text: str, to: pa.DataType, unwanted: bool) -> Any:
    if unwanted or pa.types.is_string(to):
        return text
    wrong = ContentFault(f"the key says `{name}={text}`, the table's column holds {to}")
    if pa.types.is_nested(to) or (pa.types.is_integer(to) and not re.fullmatch(r"[+-]?[0-9]+", text)):
        raise wrong
    try:
        # As Arrow has it: Python knows no year 0.
        return Values(to, None, False).array([text])[0]
    except Flaw as flaw:
        raise wrong from flaw


def hive_columns(key: str) -> list[tuple[str, str | None]]:
    """The `name=value` segments of a key, in order; none for Hive's word for null. Raises `ContentFault`."""
    columns: list[tuple[str, str | None]] = []
    for segment in key.split("/")[:-1]:
        name, equals, value = segment.partition("=")
        if not equals:
            continue
        try:
            name, value = (unquote_to_bytes(part).decode() for part in (name, value))
        except UnicodeDecodeError as error:
            raise ContentFault(f"the key's segment `{segment}` is not percent-encoded UTF-8") from error
        if not name:
            continue
        if len(columns) == MAX_HIVE_COLUMNS or any(name == other for other, _ in columns):
            reason = f"the key names column `{name}` twice, or more than {MAX_HIVE_COLUMNS} columns"
            raise ContentFault(reason)
        columns.append((name, None if value == HIVE_NULL else value))
    return columns
