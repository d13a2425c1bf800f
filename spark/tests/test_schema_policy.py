"""The cases that the light worker decides alike."""

import json
import re
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pytest
from conftest import REPOSITORY

from event_ingest_job.added import Constant, mapping
from event_ingest_job.columns import FIELD_ID, INT96_ZONE, table_schema
from event_ingest_job.faults import ContentFault
from event_ingest_job.objects import ObjectUri
from event_ingest_job.options import options_of

CASES = json.loads((REPOSITORY / "tests/golden/schema-policy/cases.json").read_text())
SAYS = {
    "unknown": r"is not in the table's schema",
    "missing": r"is required by the table and missing",
    "twice": r"appears twice",
    "type": r"has type .*, the table holds",
    "id": r"field id",
    "key": r"key",
}


def arrow(held: Any) -> pa.DataType:
    if isinstance(held, dict):
        if held["type"] == "struct":
            return pa.struct([column(field) for field in held["fields"]])
        if held["type"] == "list":
            return pa.list_(arrow(held["element"]))
        return pa.map_(arrow(held["key"]), arrow(held["value"]))
    if held == "int96":
        return pa.timestamp("us", INT96_ZONE)
    if numbers := re.fullmatch(r"decimal\((\d+), (\d+)\)", held):
        return pa.decimal128(int(numbers[1]), int(numbers[2]))
    if time := re.fullmatch(r"timestamp\[(\w+)(?:, (\w+))?\]", held):
        return pa.timestamp(time[1], time[2])
    if width := re.fullmatch(r"fixed\[(\d+)\]", held):
        return pa.binary(int(width[1]))
    return pa.type_for_alias({"float16": "halffloat"}.get(held, held))


def column(field: dict[str, Any]) -> pa.Field:
    metadata = {FIELD_ID: str(field["id"])} if "id" in field else None
    return pa.field(field["name"], arrow(field["type"]), True, metadata)


def shown(value: Any) -> str | None:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return None if value is None else str(value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_decided_as_the_light_worker_does(case: dict[str, Any]) -> None:
    table = table_schema({"fields": case["table"]})
    file = pa.schema([column(field) for field in case["file"]])
    properties = {f"event-ingest.{name}": value for name, value in case["options"].items()}
    options = options_of(properties, {}, "parquet")
    epoch = datetime.fromtimestamp(0, timezone.utc)

    def decide() -> list[Any]:
        origins = mapping(file, ObjectUri("inbox", case["key"]), table, options, epoch).origins
        return [
            {"constant": shown(origin.value.as_py())} if isinstance(origin, Constant)
            else None if origin.place is None else file.names[origin.place]
            for origin in origins
        ]  # fmt: skip

    if "mapping" in case:
        assert decide() == case["mapping"]
    else:
        with pytest.raises(ContentFault, match=SAYS[case["misfit"]]):
            decide()
