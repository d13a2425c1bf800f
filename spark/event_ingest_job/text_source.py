"""One text object: its columns, and its rows as Arrow batches of the table's types."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from . import gather
from .columns import Matching
from .csv_rows import CsvRows
from .faults import ContentFault
from .json_rows import Reader, Shape
from .options import Options
from .store import Pinned
from .text import Lines
from .values import Flaw

BATCH_ROWS = 8 * 1024
BATCH_CHARACTERS = 8 * 1024 * 1024


class TextSource:
    """An opened object of CSV or JSON lines. A first bad row is the whole file's fault."""

    def __init__(
        self, open_file: Callable[[], Pinned], form: str, options: Options, table: pa.Schema, added: list[str]
    ) -> None:
        """`added`: names of columns that do not come from the file."""
        self._open, self._form, self._options = open_file, form, options
        self._added = added
        matching = Matching(options.ignore_case)
        known = {matching.name(column.name): column for column in table}
        if form == "json":
            # Each key that is not there is null, each that the table has not a fault: so these are its columns.
            others = {matching.name(name) for name in added}
            self._names = [column.name for column in table if matching.name(column.name) not in others]
        else:
            self._names = self._csv_names(table, matching, added)
        # A column that the table has not is no reason to type it: it does not get in.
        self._columns = [
            known[matching.name(name)].with_name(name) if matching.name(name) in known else pa.field(name, pa.utf8())
            for name in self._names
        ]
        #: The file's columns. All may have nulls; where the table requires values, rows without are flawed.
        self.schema = pa.schema([column.with_nullable(True) for column in self._columns])

    def _csv_names(self, table: pa.Schema, matching: Matching, added: list[str]) -> list[str]:
        others = {matching.name(name) for name in added}
        if not self._options.text.header:
            return [column.name for column in table if matching.name(column.name) not in others]
        header = self._csv().header()
        # An empty file has the columns that it ought to have, and no rows.
        return [column.name for column in table] if header is None else header

    def _csv(self) -> CsvRows:
        return CsvRows(Lines(self._open(), self._options.text, ""), self._options.text)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Its rows in its own order. Raises `ContentFault` with line and column of the first that cannot be taken."""
        shapes = self._shapes()
        rows: list[list[Any]] = []
        lines: list[int] = []
        characters = 0
        source = self._json_rows(shapes) if self._form == "json" else self._csv_rows(shapes)
        for line, size, row in source:
            rows.append(row)
            lines.append(line)
            characters += size
            if len(rows) >= BATCH_ROWS or characters >= BATCH_CHARACTERS:
                yield self._batch(shapes, rows, lines)
                rows, lines, characters = [], [], 0
        if rows:
            yield self._batch(shapes, rows, lines)

    def _shapes(self) -> list[Shape]:
        try:
            return [Shape(column, self._options.ignore_case) for column in self._columns]
        except Flaw as flaw:
            raise ContentFault(flaw.reason) from flaw

    def _batch(self, shapes: list[Shape], rows: list[list[Any]], lines: list[int]) -> pa.RecordBatch:
        try:
            by_column = zip(*rows)
            columns = [
                gather.column(shape, list(values), self._options.text.zone) for shape, values in zip(shapes, by_column)
            ]
        except Flaw as flaw:
            where = lines[flaw.place] if flaw.place < len(lines) else lines[0]
            raise ContentFault(f"line {where}, column `{flaw.column}`: {flaw.reason}") from flaw
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _csv_rows(self, shapes: list[Shape]) -> Iterator[tuple[int, int, list[Any]]]:
        csv = self._csv()
        if self._options.text.header:
            csv.header()
        texts = [shape.kind == "leaf" and bool(pa.types.is_string(shape.field.type)) for shape in shapes]
        nested = [place for place, shape in enumerate(shapes) if shape.kind != "leaf"]
        for row in csv:
            if len(row.raw) != len(shapes):
                reason = f"the row has {len(row.raw)} fields, there are {len(shapes)} columns"
                raise ContentFault(f"line {csv.line}: {reason}")
            cells: list[Any] = row.cells(texts)
            for place in nested:
                if cells[place] is not None:
                    cells[place] = self._json(cells[place], shapes[place], csv.line)
            yield csv.line, sum(map(len, row.raw)), cells

    def _json_rows(self, shapes: list[Shape]) -> Iterator[tuple[int, int, list[Any]]]:
        whole = Shape(pa.field("", pa.struct(self._columns)), self._options.ignore_case)
        first = True
        lines = Lines(self._open(), self._options.text, "\n")
        for line in lines:
            text = line.strip(" \t\r\n\f")
            if not text:
                continue
            if first and text.startswith("["):
                raise ContentFault("the file is a JSON array; send one object a line")
            first = False
            if not text.startswith("{"):
                raise ContentFault(f"line {lines.number}: not JSON: expected an object")
            row = whole.plain_row(text)
            yield lines.number, len(text), self._json(text, whole, lines.number) if row is None else row

    def _json(self, text: str, shape: Shape, line: int) -> Any:
        try:
            return Reader(text).whole(shape)
        except Flaw as flaw:
            column = f", column `{flaw.column}`" if flaw.column else ""
            # Whether a file of JSON has such a column itself would show only at its end.
            added = f" (added are {', '.join(self._added)})" if self._added else ""
            raise ContentFault(f"line {line}{column}: {flaw.reason}{added}") from flaw
