"""The rows of a CSV file, split by the rules of `docs/text.md`.

General readers do not tell a quoted nothing from none, change line ends within quotes, or take text behind a quote.
"""

import re
from collections.abc import Iterator

from .faults import ContentFault
from .options import TextOptions
from .text import MAX_ROW, Lines

MAX_COLUMNS = 10_000
MAX_NAME_BYTES = 1_024


class CsvRows:
    """A CSV file that is being read."""

    def __init__(self, lines: Lines, options: TextOptions) -> None:
        self._lines, self._options = lines, options
        self._blanks = "".join(blank for blank in " \t" if blank != options.delimiter)
        marks = re.escape((options.quote or "") + (options.escape or ""))
        self._special = re.compile(f"[{marks}]") if options.quote else None
        self.line = 0

    def header(self) -> list[str] | None:
        """The names in the first row; none if the file is empty. Raises `ContentFault`."""
        row = next(iter(self), None)
        if row is None:
            return None
        names = [text or "" for text in row.raw]
        for place, name in enumerate(names):
            if not name:
                raise ContentFault(f"line {self.line}: column {place + 1} has no name in the header")
            if len(name.encode()) > MAX_NAME_BYTES:
                reason = f"the name of column {place + 1} has more than {MAX_NAME_BYTES} bytes"
                raise ContentFault(f"line {self.line}: {reason}")
        return names

    def __iter__(self) -> Iterator["Row"]:
        quote, delimiter = self._options.quote, self._options.delimiter
        for line in self._lines:
            self.line = self._lines.number
            if quote and quote in line:
                fields, quoted = self._split(line)
            else:
                body = line.rstrip("\r\n")
                fields = body.split(delimiter)
                if self._options.trim:
                    fields = [field.strip(self._blanks) for field in fields]
                quoted = []
                if fields == [""]:
                    continue
            if len(fields) > MAX_COLUMNS:
                raise ContentFault(f"line {self.line}: it has more than {MAX_COLUMNS} fields")
            yield Row(fields, frozenset(quoted), self._options.null)

    def _split(self, line: str) -> tuple[list[str], list[int]]:
        options = self._options
        fields: list[str] = []
        quoted: list[int] = []
        at = 0
        while True:
            if options.trim:
                at = self._skip_blanks(line, at)
            if line[at : at + 1] == options.quote:
                text, line, at = self._quoted(line, at + 1)
                quoted.append(len(fields))
                if options.trim:
                    at = self._skip_blanks(line, at)
                if line[at : at + 1] not in ("", options.delimiter, "\r", "\n"):
                    raise ContentFault(f"line {self.line}: text follows the quote that ends a field")
            else:
                end = line.find(options.delimiter, at)
                end = len(line.rstrip("\r\n")) if end < 0 else end
                text, at = line[at:end], end
                if options.trim:
                    text = text.rstrip(self._blanks)
            fields.append(text)
            if line[at : at + 1] != options.delimiter:
                return fields, quoted
            at += 1

    def _quoted(self, line: str, at: int) -> tuple[str, str, int]:
        """A field from behind its quote on: its text, and where it ended in which line."""
        quote, parts, size = self._options.quote, [], 0
        assert self._special, "there is a quote"
        while True:
            found = self._special.search(line, at)
            if found is None:
                parts.append(line[at:])
                size += len(parts[-1])
                if size > MAX_ROW:
                    raise ContentFault(f"line {self.line}: a row takes more than {MAX_ROW >> 20} MiB")
                following = self._lines.next()
                if following is None:
                    raise ContentFault(f"line {self.line}: a quote is opened and never closed")
                line, at = following, 0
                continue
            here = found.start()
            parts.append(line[at:here])
            follows = line[here + 1 : here + 2]
            if line[here] == quote and follows != quote:
                return "".join(parts), line, here + 1
            # A doubled quote, or what an escape makes data.
            parts.append(follows)
            size += here + 2 - at
            at = here + 1 + len(follows)

    def _skip_blanks(self, line: str, at: int) -> int:
        while at < len(line) and line[at] in self._blanks:
            at += 1
        return at


class Row:
    """The fields of a row."""

    __slots__ = ("raw", "_quoted", "_null")

    def __init__(self, raw: list[str], quoted: frozenset[int], null: tuple[str, ...]) -> None:
        self.raw, self._quoted, self._null = raw, quoted, null

    def cells(self, holds_text: list[bool]) -> list[str | None]:
        """The texts; none for null, as which a quoted nothing counts but in columns that hold text."""
        if not self._quoted and not self._null:
            return [text or None for text in self.raw]
        cells: list[str | None] = []
        for place, text in enumerate(self.raw):
            if place in self._quoted:
                cells.append(text if text or holds_text[place] else None)
            else:
                cells.append(None if not text or text in self._null else text)
        return cells
