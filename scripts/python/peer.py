#!/usr/bin/env python3
"""Does to Iceberg tables what other programs do, command by command: a JSON object a line in, one a line out.

A command is {"command": NAME, "arguments": {"catalog": {…}, "table": "namespace.name", …}}, where `catalog` holds Iceberg's
properties; the answer is {"answer": …} or {"error": "…"}. Tables have the columns `id` (long) and `name` (string).
"""

import json
import sys
import traceback
from datetime import datetime, timedelta

import lakehouse
import pyarrow as pa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.update import AssertRefSnapshotId, RemoveSnapshotRefUpdate, SetSnapshotRefUpdate

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])


def rows(ids: list[int]) -> pa.Table:
    return pa.table({"id": ids, "name": [f"name {id}" for id in ids]}, schema=SCHEMA)


def create(catalog: Catalog, table: str, properties: dict[str, str] | None = None) -> None:
    """Makes an empty table, and the namespaces above it."""
    parts = table.split(".")
    for depth in range(1, len(parts)):
        catalog.create_namespace_if_not_exists(tuple(parts[:depth]))
    catalog.create_table(table, SCHEMA, properties=properties or {})


def append(catalog: Catalog, table: str, ids: list[int], branch: str = MAIN_BRANCH) -> None:
    catalog.load_table(table).append(rows(ids), branch=branch)


def read(catalog: Catalog, table: str) -> dict[str, list[int]]:
    """The ids of all rows as each engine sees them, sorted."""
    loaded = catalog.load_table(table)
    return {engine: sorted(lakehouse.read(loaded, engine)["id"].to_pylist()) for engine in lakehouse.ENGINES}


def snapshots(catalog: Catalog, table: str) -> dict:
    loaded = catalog.load_table(table)
    known = [
        {"id": s.snapshot_id, "parent": s.parent_snapshot_id, "summary": dict(s.summary.additional_properties)}
        for s in loaded.snapshots()
    ]
    current = loaded.current_snapshot()
    return {"main": current.snapshot_id if current else None, "known": known}


def drop(catalog: Catalog, table: str) -> None:
    catalog.drop_table(table)


def rename(catalog: Catalog, table: str, to: str) -> None:
    catalog.rename_table(table, to)


def make_branch(catalog: Catalog, table: str, branch: str) -> None:
    """A branch where `main` is."""
    loaded = catalog.load_table(table)
    loaded.manage_snapshots().create_branch(loaded.current_snapshot().snapshot_id, branch).commit()


def set_main(catalog: Catalog, table: str, snapshot: int | None = None, branch: str | None = None) -> None:
    """Moves `main` to a snapshot, or to where a branch is, forward or back."""
    loaded = catalog.load_table(table)
    target = snapshot or loaded.metadata.refs[branch].snapshot_id
    change(loaded, SetSnapshotRefUpdate(ref_name=MAIN_BRANCH, type="branch", snapshot_id=target))


def replace(catalog: Catalog, table: str, ids: list[int]) -> None:
    """Starts `main` anew with these rows, as CREATE OR REPLACE does: a snapshot without a parent."""
    loaded = catalog.load_table(table)
    change(loaded, RemoveSnapshotRefUpdate(ref_name=MAIN_BRANCH))
    append(catalog, table, ids)


def expire(catalog: Catalog, table: str) -> None:
    """Forgets every snapshot that no branch and no tag names."""
    loaded = catalog.load_table(table)
    loaded.maintenance.expire_snapshots().older_than(datetime.now() + timedelta(days=1)).commit()


def set_properties(catalog: Catalog, table: str, properties: dict[str, str]) -> None:
    with catalog.load_table(table).transaction() as transaction:
        transaction.set_properties(properties)


def change(table: Table, update: object) -> None:
    main = table.metadata.refs[MAIN_BRANCH].snapshot_id
    table._do_commit(updates=(update,), requirements=(AssertRefSnapshotId(ref=MAIN_BRANCH, snapshot_id=main),))


COMMANDS = {
    command.__name__: command
    for command in (
        create,
        append,
        read,
        snapshots,
        drop,
        rename,
        make_branch,
        set_main,
        replace,
        expire,
        set_properties,
    )
}


def carry_out(command: str, arguments: dict) -> dict:
    """Any failure is an answer: the test that asked fails, the next one goes on."""
    try:
        properties = {"type": "sql"} | arguments.pop("catalog")
        catalog = load_catalog("my_catalog", **properties)
        try:
            return {"answer": COMMANDS[command](catalog, **arguments)}
        finally:
            catalog.close()
    except Exception:
        return {"error": traceback.format_exc()}


def main() -> None:
    # Libraries may print; answers have the line to themselves.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(carry_out(asked["command"], asked["arguments"])), file=answers, flush=True)


if __name__ == "__main__":
    main()
