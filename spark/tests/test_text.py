"""CSV and JSON lines as `docs/text.md` has them."""

import gzip
from typing import Any

import pyarrow as pa
import pytest
from conftest import Bytes

from event_ingest_job.faults import ContentFault, Refused
from event_ingest_job.options import options_of
from event_ingest_job.text_source import TextSource

LONG, TEXT = pa.int64(), pa.utf8()


def rows(body: bytes | str, columns: dict[str, Any], form: str = "csv", **options: str) -> list[dict[str, Any]]:
    table = pa.schema(
        [held.with_name(name) if isinstance(held, pa.Field) else pa.field(name, held) for name, held in columns.items()]
    )
    named = {name.replace("__", ".").replace("_", "-"): value for name, value in options.items()}
    raw = body.encode() if isinstance(body, str) else body
    source = TextSource(lambda: Bytes(raw), form, options_of({}, named, form), table, [])  # type: ignore[arg-type]
    return [row for batch in source.batches() for row in batch.to_pylist()]


def fault(body: bytes | str, columns: dict[str, Any], form: str = "csv", **options: str) -> str:
    with pytest.raises(ContentFault) as raised:
        rows(body, columns, form, **options)
    return str(raised.value)


def test_a_quoted_nothing_is_text_and_nothing_is_null() -> None:
    found = rows('a,b\n"",""\n,\nx,1\n', {"a": TEXT, "b": LONG})
    assert found == [{"a": "", "b": None}, {"a": None, "b": None}, {"a": "x", "b": 1}]


def test_quotes_hold_delimiters_line_ends_and_quotes() -> None:
    body = 'a,b\r\n"x,""y""\r\nz",1\r"\n",2\n\np"q,3'
    assert [row["a"] for row in rows(body, {"a": TEXT, "b": LONG})] == ['x,"y"\r\nz', "\n", 'p"q']


def test_dialects() -> None:
    two = {"a": TEXT, "b": TEXT}
    assert rows("a\tb\n'x\\'\t'\ty\n", two, csv__delimiter="tab", csv__quote="'", csv__escape="\\") == [
        {"a": "x'\t", "b": "y"}
    ]
    assert rows('a,b\n  x , " y " \n', two, csv__trim="true") == [{"a": "x", "b": " y "}]
    assert rows('a,b\nNA,"NA"\n', two, csv__null="NA,-") == [{"a": None, "b": "NA"}]
    assert rows('a,b\n"x,y\n', two, csv__quote="none") == [{"a": '"x', "b": "y"}]
    assert rows("x,y\n", two, csv__header="false") == [{"a": "x", "b": "y"}]


def test_bad_rows_are_the_files_fault_and_named_by_line() -> None:
    two = {"a": TEXT, "b": LONG}
    assert fault('a,b\nx,1\n"never closed,2\n', two).startswith("line 3: a quote is opened")
    assert fault('a,b\n"x"y,1\n', two) == "line 2: text follows the quote that ends a field"
    assert fault("a,b\nx\n", two) == "line 2: the row has 1 fields, there are 2 columns"
    assert fault("a,b\nx,1\ny,z\n", two) == "line 3, column `b`: `z` is no long"
    assert fault("a,\nx,1\n", two) == "line 1: column 2 has no name in the header"
    assert "UTF-8" in fault(b"a,b\n\xff,1\n", two)


def test_what_is_no_text_is_refused_by_name() -> None:
    for body, name in ((b"PAR1\x15\x04", "a Parquet file"), (b"\xff\xfea\x00", "UTF-16"), (b"a\x00b", "NUL bytes")):
        assert name in fault(body, {"a": TEXT})
    assert "damaged or cut off" in fault(gzip.compress(b"a\n1\n" * 9)[:-9], {"a": TEXT})


def test_a_key_that_is_no_text_is_its_files_fault() -> None:
    assert "Unicode" in fault('{"m": {"\\ud800": 1}}\n', {"m": pa.map_(TEXT, LONG)}, "json")


def test_compressed_text_is_read_whole() -> None:
    members = gzip.compress(b"\xef\xbb\xbfa\n1\n") + gzip.compress(b"2\n")
    frames = pa.compress(b"a\n1\n", "zstd", asbytes=True) + pa.compress(b"2\n", "zstd", asbytes=True)
    for body in (members, frames):
        assert rows(body, {"a": LONG}) == [{"a": 1}, {"a": 2}]
    assert rows(b"", {"a": LONG}) == rows(b"", {"a": LONG}, "json") == []


def frame(window_log: int, text: bytes) -> bytes:
    """A zstd frame of one raw block with a window of 2 to that power."""
    block = (len(text) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd" + bytes([0, window_log - 10 << 3]) + block + text


def test_zstd_frames_are_read_up_to_the_window_that_the_light_worker_takes() -> None:
    # Skipped frames, blocks and checksums lie between frames; each frame is looked at.
    skipped = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    checked = b"\x28\xb5\x2f\xfd\x04\x50" + (2 << 3 | 1).to_bytes(3, "little") + b"1\n" + b"OfQ0"
    repeated = b"\x28\xb5\x2f\xfd\x00\x50" + (3 << 3 | 1 << 1).to_bytes(3, "little") + b"2" + (1 << 3 | 1).to_bytes(3, "little") + b"\n"
    good = frame(25, b"a\n") + skipped + checked + repeated + pa.compress(b"3\n" * 99_999, "zstd", asbytes=True)
    assert [row["a"] for row in rows(good, {"a": LONG})] == [1, 222] + [3] * 99_999
    for window_log in (26, 31, 41):
        assert "MiB: at most 32" in fault(good + frame(window_log, b"4\n"), {"a": LONG})
    # One whose window is its whole content, of 33 MiB.
    single = b"\x28\xb5\x2f\xfd\xa0" + (33 << 20).to_bytes(4, "little")
    assert "window of 33 MiB" in fault(single + b"\0" * 64, {"a": LONG})
    for cut in (good[:-3], good[:5], good[:9], good + skipped[:6], good + b"what is this"):
        assert "damaged or cut off" in fault(cut, {"a": LONG})


MICROS, INSTANT = pa.timestamp("us"), pa.timestamp("us", "UTC")
GOOD = [
    (pa.bool_(), ["true", "FALSE", "1", "0"], [True, False, True, False]),
    (pa.int32(), ["7", "-7", "+7", "7.0", "007", "2147483647"], [7, -7, 7, 7, 7, 2147483647]),
    (LONG, ["-9223372036854775808"], [-(2**63)]),
    (pa.float64(), ["1.5", "1e5", ".5", "5.", "inf", "-Infinity", "0.1"], [1.5, 1e5, 0.5, 5.0, float("inf"), -float("inf"), 0.1]),
    (pa.float32(), ["16777217.0000001"], [16777218.0]),
    (pa.decimal128(5, 2), ["1.5", "1.500", "-0.01", "123", "12e1", "1230e-1", "0e99999"], ["1.50", "1.50", "-0.01", "123.00", "120.00", "123.00", "0.00"]),
    (pa.date32(), ["2020-12-31", "0001-01-01"], ["2020-12-31", "0001-01-01"]),
    (MICROS, ["2020-12-31T12:00", "2020-12-31 12:00:00.5", "2020-12-31t12:00:00,123456000"],
     ["2020-12-31 12:00:00", "2020-12-31 12:00:00.500000", "2020-12-31 12:00:00.123456"]),
    (INSTANT, ["2020-12-31T12:00:00Z", "2020-12-31 12:00 UTC", "2020-12-31T12:00:00+02", "2020-12-31T12:00:00.1-0030"],
     ["2020-12-31 12:00:00+00:00", "2020-12-31 12:00:00+00:00", "2020-12-31 10:00:00+00:00", "2020-12-31 12:30:00.100000+00:00"]),
    (pa.binary(16), ["00112233-4455-6677-8899-aabbccddeeff", "00112233445566778899aabbccddeeff"], [bytes.fromhex("00112233445566778899aabbccddeeff")] * 2),
    (pa.binary(), ["", "0aFF"], [None, b"\n\xff"]),
]  # fmt: skip
BAD = [
    (pa.bool_(), ["yes", "ｔｒｕｅ"]),
    (pa.int32(), ["2147483648", "1.5", "0x1F", "1_000", " 1", "", "1e3", "٣"]),
    (LONG, ["9223372036854775808", "9" * 5000]),
    (pa.float64(), ["1e999", "0x1p3", "1_0", "e5", "."]),
    (pa.float32(), ["1e39"]),
    (pa.decimal128(5, 2), ["1.005", "1000", "1e3", "NaN", "1e9999999", "."]),
    (pa.date32(), ["2020-02-30", "2020-1-1", "20200101", "10000-01-01"]),
    (MICROS, ["2020-12-31", "2020-12-31T24:00", "2020-12-31T12:00:00.1234567", "2020-12-31T12:00Z", "2020-12-31T12:00:60"]),
    (INSTANT, ["2020-12-31T12:00", "2020-12-31T12:00+25:00", "2020-12-31T12:00:00 "]),
    (pa.binary(16), ["00112233", "0011223344556677-8899-aabbccddeeff"]),
    (pa.binary(), ["0", "zz"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("held", "texts", "values"), GOOD, ids=lambda one: str(one) if isinstance(one, pa.DataType) else ""
)
def test_texts_that_are_values(held: pa.DataType, texts: list[str], values: list[Any]) -> None:
    body = "a\n" + "".join(f'"{text}"\n' for text in texts)
    together = [row["a"] for row in rows(body, {"a": held})]
    alone = [rows(f'a\n"{text}"\n', {"a": held})[0]["a"] for text in texts]
    assert together == alone
    assert [str(value) if isinstance(expected, str) else value for value, expected in zip(together, values)] == values


@pytest.mark.parametrize(("held", "text"), [(held, text) for held, texts in BAD for text in texts if text])
def test_texts_that_are_none(held: pa.DataType, text: str) -> None:
    assert fault(f'a\n"{text}"\n', {"a": held}).startswith("line 2, column `a`: ")


def test_a_zone_may_be_told() -> None:
    assert (
        str(rows("a\n2020-12-31T12:00\n", {"a": INSTANT}, text__timezone="+02:00")[0]["a"])
        == "2020-12-31 10:00:00+00:00"
    )


def test_json_keeps_every_digit() -> None:
    columns = {"d": pa.decimal128(38, 20), "t": TEXT, "n": LONG}
    body = '{"d": 1.10000000000000000001, "t": 1.10, "n": "7"}\n\n {"t": {"a": [1, 2.0]}, "n": 1e0}'
    assert fault(body, columns, "json") == "line 3, column `n`: `1e0` is no long"
    found = rows(body.replace("1e0", "1"), columns, "json")
    assert [row["t"] for row in found] == ["1.10", '{"a": [1, 2.0]}']
    assert str(found[0]["d"]) == "1.10000000000000000001" and found[0]["n"] == 7


def test_json_of_every_shape() -> None:
    inner = pa.struct([pa.field("x", LONG), pa.field("y", TEXT, nullable=False)])
    columns = {"s": inner, "l": pa.list_(inner), "m": pa.map_(TEXT, LONG)}
    body = '{"s": {"y": "é\\u00e9"}, "l": [{"x": 1, "y": ""}, null], "m": {"k": 1, "z": null}}\n{}\n'
    assert rows(body, columns, "json") == [
        {"s": {"x": None, "y": "éé"}, "l": [{"x": 1, "y": ""}, None], "m": [("k", 1), ("z", None)]},
        {"s": None, "l": None, "m": None},
    ]
    assert rows('s,l\n"{""y"":""a""}","[]"\n', {"s": inner, "l": pa.list_(LONG)}) == [
        {"s": {"x": None, "y": "a"}, "l": []}
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('[{"a": 1}]', "JSON array"), ("1", "expected an object"), ('{"a": 1} x', "expected"), ('{"a": 1, "a": 2}', "appears twice"),
        ('{"b": 1}', "column `b` is not in the table's schema"), ('{"a": 01}', "expected"), ('{"a": NaN}', "not JSON"),
        ('{"a": [1]}', "`[1]` is no long"), ('{"a": "' + "\t" + '"}', "not JSON"), ('{"a"', "expected `:`"), ('{"a": 1', "expected `,`"),
        ('{"a": ' + "[" * 100_000, ""), ('{"s": {}}', "requires a value"), ('{"s": 1}', "is no object"), ('{"a": "\\ud800"}', "line 1"),
    ],
)  # fmt: skip
def test_json_that_is_none_of_the_tables(line: str, reason: str) -> None:
    columns = {"a": LONG, "s": pa.struct([pa.field("y", TEXT, nullable=False)])}
    assert reason in fault(line, columns, "json")


def test_what_the_job_cannot_do_is_refused() -> None:
    for name, value in (
        ("text.bad-rows", "skip"),
        ("text.date-format", "%d"),
        ("csv.delimiter", "||"),
        ("mode", "register"),
        ("modes", "x"),
    ):
        with pytest.raises(Refused, match=name.split("=")[0]):
            options_of({}, {name: value}, "csv")
    assert options_of({"event-ingest.text.bad-rows": "skip"}, {"text.bad-rows": ""}, "csv").text.header


def test_plain_rows_are_read_as_all_others() -> None:
    columns = {"a": LONG, "b": pa.bool_(), "t": TEXT, "l": pa.list_(LONG)}
    plain = '{"a": 1, "t": "x", "b": true}\n{"b": false, "a": null}\n{"t": -1.50e3}\n{"t": true}\n{}\n'
    # The same rows in a way that is not the fast one.
    slow = plain.replace("}", ', "l": [1]}').replace("{,", "{")
    found = rows(slow, columns, "json")
    assert [row.pop("l") for row in found] == [[1]] * 5
    assert found == [{key: row[key] for key in ("a", "b", "t")} for row in rows(plain, columns, "json")]
    assert [row["t"] for row in found] == ["x", None, "-1.50e3", "true", None]
    assert rows('{"A": 1}\n', {"a": LONG}, "json", case_sensitive="false") == [{"a": 1}]
    assert "appears twice" in fault('{"A": 1, "a": 2}', {"a": LONG}, "json", case_sensitive="false")
