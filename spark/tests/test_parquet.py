"""Parquet objects: types by the file alone, and rows as the table holds them."""

import struct
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Bytes

from event_ingest_job.added import mapping
from event_ingest_job.align import align
from event_ingest_job.columns import INT96_ZONE, table_schema
from event_ingest_job.faults import ContentFault
from event_ingest_job.objects import ObjectUri
from event_ingest_job.options import Options
from event_ingest_job.parquet import ParquetSource


def file(table: pa.Table, **options: Any) -> Bytes:
    body = Bytes()
    pq.write_table(table, body, **options)
    return body


def column(name: str, held: Any, required: bool = False) -> dict[str, Any]:
    return {"id": 1, "name": name, "type": held, "required": required}


def rows(body: Bytes, *columns: dict[str, Any]) -> list[dict[str, Any]]:
    source = ParquetSource(body)  # type: ignore[arg-type]
    table = table_schema({"fields": list(columns)})
    how = mapping(source.schema, ObjectUri("b", "k"), table, Options(), datetime.now(timezone.utc))
    return [row for batch in source.batches() for row in align(batch, how, table).to_pylist()]


def fault(body: Bytes, *columns: dict[str, Any]) -> str:
    with pytest.raises(ContentFault) as raised:
        rows(body, *columns)
    return str(raised.value)


def test_types_are_the_files_and_not_those_that_its_writer_noted() -> None:
    table = pa.table({
        "d": pa.array(["x"]).dictionary_encode(), "t": pa.array([1], pa.duration("us")), "l": pa.array(["y"], pa.large_utf8()),
    })  # fmt: skip
    source = ParquetSource(file(table))  # type: ignore[arg-type]
    assert source.schema.types == [pa.utf8(), pa.int64(), pa.utf8()]
    assert rows(file(table), column("d", "string"), column("t", "long"), column("l", "string")) == [
        {"d": "x", "t": 1, "l": "y"}
    ]


def test_values_widen_and_nested_columns_are_rearranged() -> None:
    inner = pa.struct([("y", pa.utf8()), ("x", pa.int32())])
    table = pa.table({
        "s": pa.array([{"y": "a", "x": 1}, None], inner),
        "l": pa.array([[{"y": None, "x": 2}], []], pa.list_(inner)),
        "m": pa.array([[("k", 1)], None], pa.map_(pa.utf8(), pa.int32())),
        "u": pa.array([2**64 - 1, None], pa.uint64()),
        "g": pa.array([bytes(range(16)), None], pa.binary(16)),
    })  # fmt: skip
    fields = [{"id": 2, "name": "x", "type": "long", "required": False}, {"id": 3, "name": "z", "type": "string", "required": False},
              {"id": 4, "name": "y", "type": "string", "required": False}]  # fmt: skip
    of_struct = {"type": "struct", "fields": fields}
    columns = [
        column("s", of_struct),
        column("l", {"type": "list", "element-id": 5, "element": of_struct, "element-required": False}),
        column("m", {"type": "map", "key-id": 6, "key": "string", "value-id": 7, "value": "long", "value-required": False}),
        column("u", "decimal(20, 0)"), column("g", "uuid"), column("absent", "double"),
    ]  # fmt: skip
    first, second = rows(file(table), *columns)
    assert first["s"] == {"x": 1, "z": None, "y": "a"} and first["l"] == [{"x": 2, "z": None, "y": None}]
    assert (first["m"], int(first["u"]), first["g"]) == ([("k", 1)], 2**64 - 1, "00010203-0405-0607-0809-0a0b0c0d0e0f")
    assert second == {"s": None, "l": [], "m": None, "u": None, "g": None, "absent": None}


def test_nanoseconds_have_to_be_whole_microseconds() -> None:
    whole, part = (pa.table({"t": pa.array([value], pa.timestamp("ns", "UTC"))}) for value in (2_000, 2_001))
    assert rows(file(whole), column("t", "timestamptz"))[0]["t"].microsecond == 2
    assert "lose data" in fault(file(part), column("t", "timestamptz"))


def int96(nanos: int, days: int) -> Bytes:
    """A file with one INT96 time, as no writer that is at hand makes it: made by hand from one that is."""
    body = file(pa.table({"t": pa.array([0], pa.timestamp("ns"))}), use_deprecated_int96_timestamps=True,
                use_dictionary=False, compression="none", write_statistics=False).getvalue()  # fmt: skip
    plain = struct.pack("<qi", 0, 2_440_588)
    assert body.count(plain) == 1
    return Bytes(body.replace(plain, struct.pack("<qI", nanos, days)))


def test_int96_is_an_instant_or_a_time_on_a_wall() -> None:
    body = int96(1_000, 2_440_589)
    assert ParquetSource(body).schema.types == [pa.timestamp("us", INT96_ZONE)]  # type: ignore[arg-type]
    assert str(rows(body, column("t", "timestamp"))[0]["t"]) == "1970-01-02 00:00:00.000001"
    assert str(rows(body, column("t", "timestamptz"))[0]["t"]) == "1970-01-02 00:00:00.000001+00:00"
    # Nanoseconds since 1970 do not fit into 64 bits, microseconds do.
    assert rows(int96(0, 2_440_588 + 1_000_000), column("t", "timestamp"))[0]["t"].year == 4707


def test_int96_that_microseconds_do_not_hold_is_refused() -> None:
    assert "no whole microsecond" in fault(int96(1, 2_440_588), column("t", "timestamp"))
    assert "64 bits" in fault(int96(0, 2**32 - 1), column("t", "timestamp"))


def test_required_columns_have_no_nulls() -> None:
    table = pa.table({"a": pa.array([1, None])})
    assert fault(file(table), column("a", "long", True)) == "column `a` is required by the table and has nulls"


def test_text_has_to_be_utf8() -> None:
    table = pa.table({"a": pa.array([b"\xff"], pa.binary())})
    assert "UTF8" in fault(file(table), column("a", "string"))
    assert rows(file(table), column("a", "binary")) == [{"a": b"\xff"}]


@pytest.mark.parametrize("cut", [0, 5, 11, 12, 200])
def test_what_is_no_parquet_is_refused(cut: int) -> None:
    whole = file(pa.table({"a": [1, 2, 3]})).getvalue()
    assert "Parquet" in fault(Bytes(whole[:cut]), column("a", "long"))


def test_damage_is_the_files_fault_wherever_it_is() -> None:
    whole = file(
        pa.table({"a": list(range(1000)), "b": [str(n) for n in range(1000)]}), compression="snappy"
    ).getvalue()
    columns = column("a", "long"), column("b", "string")
    expected = rows(Bytes(whole), *columns)
    for place in range(4, len(whole), 37):
        damaged = Bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        try:
            assert len(rows(damaged, *columns)) == len(expected)
        except ContentFault:
            pass


def test_pieces_are_row_groups() -> None:
    source = ParquetSource(file(pa.table({"a": list(range(10))}), row_group_size=4))  # type: ignore[arg-type]
    assert source.groups == [4, 4, 2] and source.rows == 10
    assert [batch["a"].to_pylist() for batch in source.batches([2])] == [[8, 9]]
