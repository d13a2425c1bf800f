"""From a file's batches to the table's columns: same order, same types, absent columns null."""

import uuid

import pyarrow as pa
import pyarrow.compute as pc

from .added import Constant, Mapping
from .columns import ICEBERG_TYPE, Node, join
from .faults import ContentFault


def align(batch: pa.RecordBatch, mapping: Mapping, table: pa.Schema) -> pa.RecordBatch:
    """The batch in the table's columns, as Spark takes them. Raises `ContentFault` for a value that does not fit."""
    columns = []
    for origin, column in zip(mapping.origins, table):
        if isinstance(origin, Constant):
            found = pa.repeat(origin.value, batch.num_rows)
        elif origin.place is None:
            found = pa.nulls(batch.num_rows, column.type)
        else:
            found = _array(batch.column(origin.place), origin, column, column.name)
        columns.append(_for_spark(_required(found, None, column, column.name), column))
    return pa.RecordBatch.from_arrays(columns, names=table.names)


def _required(array: pa.Array, parent: pa.Array | None, column: pa.Field, path: str) -> pa.Array:
    """A required column has no nulls, save below a parent that is null itself."""
    if not column.nullable and array.null_count:
        offending = array.is_null() if parent is None else pc.and_(array.is_null(), parent.is_valid())
        if pc.any(offending).as_py():
            raise ContentFault(f"column `{path}` is required by the table and has nulls")
    return array


def _array(array: pa.Array, node: Node, to: pa.Field, path: str) -> pa.Array:
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), to.type)
    if not pa.types.is_nested(to.type):
        return _leaf(array, to.type, path)
    if array.offset:
        # Only a whole array can be taken apart and put together again.
        array = pa.concat_arrays([array, array.slice(0, 0)])
        array = array if not array.offset else array.take(pa.array(range(len(array)), pa.int64()))
    mask = array.is_null() if array.null_count else None
    if pa.types.is_struct(to.type):
        children = []
        for below, field in zip(node.children, to.type):
            inner = join(path, field.name)
            if below.place is None:
                child = pa.nulls(len(array), field.type)
            else:
                child = _array(array.field(below.place), below, field, inner)
            children.append(_required(child, array, field, inner))
        return pa.StructArray.from_arrays(children, fields=list(to.type), mask=mask)
    # What is below a null is nobody's, but it is there: the offsets say so.
    if pa.types.is_list(to.type):
        field, inner = to.type.value_field, join(path, "element")
        values = _array(array.values, node.children[0], field, inner)
        _required_below(values, array, field, inner)
        return pa.ListArray.from_arrays(array.offsets, values, type=to.type, mask=mask)
    key = _array(array.keys, node.children[0], to.type.key_field, join(path, "key"))
    field, inner = to.type.item_field, join(path, "value")
    items = _array(array.items, node.children[1], field, inner)
    _required_below(items, array, field, inner)
    return pa.MapArray.from_arrays(array.offsets, key, items, type=to.type, mask=mask)


def _required_below(values: pa.Array, lists: pa.Array, column: pa.Field, path: str) -> None:
    if not column.nullable and values.null_count:
        held = lists.flatten() if pa.types.is_list(lists.type) else lists.drop_null().items
        if held.null_count:
            raise ContentFault(f"column `{path}` is required by the table and has nulls")


def _leaf(array: pa.Array, to: pa.DataType, path: str) -> pa.Array:
    try:
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            # Nobody else looks whether it is UTF-8.
            array.validate(full=True)
        if array.type == to:
            return array
        if pa.types.is_timestamp(array.type) and array.type.tz != to.tz:
            # Of times that may stand for either, only the zone's name differs.
            array = array.cast(pa.timestamp(array.type.unit, to.tz))
        return array.cast(to, safe=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ContentFault(f"column `{path}`: {error}") from error


def _for_spark(array: pa.Array, column: pa.Field) -> pa.Array:
    """Spark has no type for UUIDs, which Iceberg takes as text there, and none for a fixed number of bytes."""
    held = array.type
    if pa.types.is_fixed_size_binary(held):
        if (column.metadata or {}).get(ICEBERG_TYPE) != b"uuid":
            return array.cast(pa.binary())
        return pa.array([None if one is None else str(uuid.UUID(bytes=one)) for one in array.to_pylist()], pa.utf8())
    if pa.types.is_struct(held):
        children = [_for_spark(array.field(place), field) for place, field in enumerate(column.type)]
        mask = array.is_null() if array.null_count else None
        return pa.StructArray.from_arrays(children, names=[field.name for field in held], mask=mask)
    if pa.types.is_list(held) and spark_differs(column.type.value_field):
        mask = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(array.offsets, _for_spark(array.values, column.type.value_field), mask=mask)
    if pa.types.is_map(held) and any(map(spark_differs, (column.type.key_field, column.type.item_field))):
        mask = array.is_null() if array.null_count else None
        key = _for_spark(array.keys, column.type.key_field)
        return pa.MapArray.from_arrays(array.offsets, key, _for_spark(array.items, column.type.item_field), mask=mask)
    return array


def spark_differs(field: pa.Field) -> bool:
    """Whether a column holds, at any depth, what Spark has no type for."""
    held = field.type
    if pa.types.is_struct(held):
        return any(spark_differs(child) for child in held)
    if pa.types.is_list(held):
        return spark_differs(held.value_field)
    if pa.types.is_map(held):
        return spark_differs(held.key_field) or spark_differs(held.item_field)
    return bool(pa.types.is_fixed_size_binary(held))
