"""Random columns for the round trip: the type that a table has, the types that files may have for it, and values."""

import datetime
import decimal
import math
import random
import struct
from collections.abc import Iterator

import pyarrow as pa

DAY = datetime.timedelta(days=1)
EPOCH = datetime.datetime(1970, 1, 1)
MICROS = datetime.timedelta(microseconds=1)

STRINGS = ["", " ", "a", "äöü", "😀", "\U0010ffff", "null", "NaN", "zero\0byte", "x" * 70, "日本語" * 9]
FLOATS = [0.0, -0.0, 1.5, -2.25, math.nan, math.inf, -math.inf]


def table_type(rng: random.Random, depth: int = 0) -> pa.DataType:
    """A type as a table made from a file gets it; at most three levels deep."""
    if depth < 2 and rng.random() < 0.35:
        inner = lambda: table_type(rng, depth + 1)  # noqa: E731
        match rng.randrange(3):
            case 0:
                return pa.struct([(f"f{n}", inner()) for n in range(rng.randint(1, 4))])
            case 1:
                return pa.list_(inner())
            case _:
                return pa.map_(rng.choice([pa.string(), pa.int32(), pa.int64()]), inner())
    digits = rng.randint(1, 38)
    leaves = [
        pa.bool_(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.date32(), pa.time64("us"), pa.string(),
        pa.binary(), pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.decimal128(digits, rng.randint(0, digits)),
        pa.decimal128(20, 0), pa.binary(rng.choice([1, 5, 16])),
    ]  # fmt: skip
    # Arrow makes no nested arrays of extension types from values.
    return rng.choice(leaves + [pa.uuid()] * (depth == 0))


def inside(kind: pa.DataType) -> Iterator[pa.DataType]:
    """The type and all types within it."""
    yield kind
    if pa.types.is_struct(kind):
        for field in kind:
            yield from inside(field.type)
    elif pa.types.is_list(kind):
        yield from inside(kind.value_type)
    elif pa.types.is_map(kind):
        yield from inside(kind.key_type)
        yield from inside(kind.item_type)


def file_type(rng: random.Random, kind: pa.DataType, refused: set[pa.DataType], whole: bool, depth: int = 0) -> pa.DataType:
    """A type that a file may have for a column of a table: the same, or one whose values it holds exactly.

    `refused` are the types that the file's writer does not write as what they are. With `whole` no field of a struct
    is left out.
    """
    again = lambda inner: file_type(rng, inner, refused, whole, depth + 1)  # noqa: E731
    if pa.types.is_struct(kind):
        fields = [field for field in kind if whole or rng.random() < 0.8] or [kind[0]]
        return pa.struct([(field.name, again(field.type)) for field in fields])
    if pa.types.is_list(kind):
        return pa.list_(again(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(again(kind.key_type), again(kind.item_type))
    return rng.choice([t for t in [kind, *variants(rng, kind, depth)] if t not in refused])


def variants(rng: random.Random, kind: pa.DataType, depth: int) -> list[pa.DataType]:
    if pa.types.is_decimal(kind):
        narrower = pa.decimal128(rng.randint(max(kind.scale, 1), kind.precision), kind.scale)
        return [narrower] + [pa.uint64()] * (kind == pa.decimal128(20, 0))
    if pa.types.is_timestamp(kind):
        return [pa.timestamp(unit, kind.tz) for unit in ("ms", "ns")]
    if kind == pa.string():
        # Arrow's readers and writers of other languages take dictionaries at the top alone.
        return [pa.large_string(), pa.binary()] + [pa.dictionary(pa.int32(), pa.string())] * (depth == 0)
    return {
        pa.int32(): [pa.int16(), pa.int8(), pa.uint8(), pa.uint16()],
        pa.int64(): [pa.uint32(), pa.int32(), pa.uint8()],
        pa.float32(): [pa.float16()],
        pa.float64(): [pa.float32()],
        pa.time64("us"): [pa.time32("ms"), pa.time64("ns")],
        pa.binary(): [pa.large_binary(), pa.binary(7)],
        pa.date32(): [pa.date64()],
    }.get(kind, [])


def narrower(rng: random.Random, kind: pa.DataType) -> pa.DataType:
    """A type that evolves into this one: smaller numbers, structs with fewer fields."""
    if pa.types.is_struct(kind):
        fields = [field for field in kind if rng.random() < 0.6] or [kind[0]]
        return pa.struct([(field.name, narrower(rng, field.type)) for field in fields])
    if pa.types.is_list(kind):
        return pa.list_(narrower(rng, kind.value_type))
    if pa.types.is_map(kind):
        # The key of a map never changes.
        return pa.map_(kind.key_type, narrower(rng, kind.item_type))
    if pa.types.is_decimal(kind):
        return pa.decimal128(rng.randint(max(kind.scale, 1), kind.precision), kind.scale)
    return {pa.int64(): pa.int32(), pa.float64(): pa.float32()}.get(kind, kind)


def value(rng: random.Random, kind: pa.DataType, nulls: float) -> object:
    """A value of a file's type, which the table's type holds too."""
    if rng.random() < nulls:
        return None
    if pa.types.is_struct(kind):
        return {field.name: value(rng, field.type, nulls) for field in kind}
    if pa.types.is_list(kind):
        return [value(rng, kind.value_type, nulls) for _ in range(rng.choice([0, 1, 1, 2, 5]))]
    if pa.types.is_map(kind):
        keys = {value(rng, kind.key_type, 0) for _ in range(rng.choice([0, 1, 3]))}
        return [(key, value(rng, kind.item_type, nulls)) for key in sorted(keys)]
    return leaf(rng, kind)


def leaf(rng: random.Random, kind: pa.DataType) -> object:
    types = pa.types
    if types.is_boolean(kind):
        return rng.random() < 0.5
    if types.is_integer(kind):
        signed = types.is_signed_integer(kind)
        low, high = (-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1) if signed else (0, 2**kind.bit_width - 1)
        return rng.choice([low, high, 0, 1, rng.randint(low, high), rng.randint(0, 9)])
    if types.is_floating(kind):
        code = {16: "e", 32: "f", 64: "d"}[kind.bit_width]
        drawn = rng.choice([*FLOATS, rng.uniform(-1e4, 1e4)])
        return struct.unpack(code, struct.pack(code, drawn))[0]
    if types.is_decimal(kind):
        digits = rng.choice([kind.precision, rng.randint(1, kind.precision)])
        unscaled = rng.choice([-1, 1]) * rng.randint(0, 10**digits - 1)
        return decimal.Decimal(unscaled).scaleb(-kind.scale, decimal.Context(prec=60))
    if types.is_date(kind):
        return rng.choice([-719162, -1, 0, 1, 19000, 2932896, rng.randint(-30000, 30000)]) * DAY + EPOCH.date()
    if types.is_time(kind):
        micros = rng.choice([0, 86_399_999_999, rng.randrange(86_400_000_000)])
        if kind.unit == "ms":
            micros -= micros % 1000
        return (EPOCH + micros * MICROS).time()
    if types.is_timestamp(kind):
        # Nanoseconds of 64 bits begin in 1677 and end in 2262.
        edge = 9_000_000_000 if kind.unit == "ns" else 60_000_000_000
        micros = rng.choice([0, -1, 1, rng.randint(-edge, edge) * 1_000_000 + rng.randrange(1_000_000)])
        if kind.unit == "ms":
            micros -= micros % 1000
        at = EPOCH + micros * MICROS
        return at.replace(tzinfo=datetime.timezone.utc) if kind.tz else at
    if kind == pa.uuid():
        return rng.choice([bytes(16), b"\xff" * 16, rng.randbytes(16)])
    if types.is_fixed_size_binary(kind):
        return rng.randbytes(kind.byte_width)
    text = rng.choice([*STRINGS, f"value {rng.randint(0, 99)}"])
    if types.is_dictionary(kind) or types.is_string(kind) or types.is_large_string(kind):
        return text
    return text.encode()
