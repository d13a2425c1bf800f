"""Texts of many rows gathered into Arrow arrays, level by level."""

from itertools import accumulate
from typing import Any

import pyarrow as pa

from .columns import join
from .json_rows import Shape
from .values import Flaw, Values


def column(shape: Shape, values: list[Any], zone: int | None) -> pa.Array:
    """A column from what `json_rows.Reader` gives. Raises `Flaw`, whose place is a row's where the column is plain."""
    array = _array(shape, values, zone)
    if not shape.field.nullable and array.null_count:
        place = array.is_null().index(True).as_py()
        raise Flaw("the table requires a value", shape.field.name, place)
    return array


def _array(shape: Shape, values: list[Any], zone: int | None) -> pa.Array:
    field = shape.field
    if shape.kind == "leaf":
        try:
            return Values(field.type, zone, False).array(values)
        except Flaw as flaw:
            raise Flaw(flaw.reason, field.name, flaw.place) from flaw
    mask = pa.array([value is None for value in values])
    if shape.kind == "struct":
        children = [_member(shape, place, values, zone) for place in range(len(shape.children))]
        return pa.StructArray.from_arrays(children, fields=list(field.type), mask=mask)
    lengths = [0 if value is None else len(value) for value in values]
    offsets = pa.array(list(accumulate(lengths, initial=0)), pa.int32())
    flat = [one for value in values if value is not None for one in value]
    if shape.kind == "list":
        return pa.ListArray.from_arrays(offsets, _below(shape, flat, zone), type=field.type, mask=mask)
    try:
        keys = pa.array([key for key, _ in flat], pa.utf8())
    except UnicodeEncodeError as error:
        raise Flaw("a key of the map is no valid Unicode", field.name) from error
    items = _below(shape, [item for _, item in flat], zone)
    return pa.MapArray.from_arrays(offsets, keys, items, type=field.type, mask=mask)


def _member(shape: Shape, place: int, values: list[Any], zone: int | None) -> pa.Array:
    child = shape.children[place]
    found = _named(shape, child, [None if value is None else value[place] for value in values], zone)
    if not child.field.nullable and found.null_count:
        for row, (valid, value) in enumerate(zip(found.is_valid().to_pylist(), values)):
            # Below a null struct nothing is required.
            if not valid and value is not None:
                raise Flaw("the table requires a value", join(shape.field.name, child.field.name), row)
    return found


def _below(shape: Shape, values: list[Any], zone: int | None) -> pa.Array:
    child = shape.children[0]
    found = _named(shape, child, values, zone)
    if not child.field.nullable and found.null_count:
        raise Flaw("the table requires a value", join(shape.field.name, child.field.name))
    return found


def _named(shape: Shape, child: Shape, values: list[Any], zone: int | None) -> pa.Array:
    try:
        return _array(child, values, zone)
    except Flaw as flaw:
        raise Flaw(flaw.reason, join(shape.field.name, flaw.column), 0) from flaw
