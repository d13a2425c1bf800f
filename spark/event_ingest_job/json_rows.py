"""JSON texts against columns: which text belongs to which column, each number as the digits that it is.

General readers lose digits, let keys appear twice and pass over keys that nobody asked for.
"""

import json
import re
from dataclasses import dataclass
from json.decoder import scanstring
from typing import Any

import pyarrow as pa

from .columns import join
from .values import Flaw, excerpt

#: How deep values may lie in each other.
MAX_DEPTH = 64
#: Values and nulls that a row may have: a list of empty objects has a null for each of their keys.
MAX_CELLS = 16 * 1024 * 1024
_BLANK = re.compile(r"[ \t\r\n]*")


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


# Numbers stay text: long ones would be refused or rounded.
_decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_constant)

_pairs = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_constant, object_pairs_hook=list)
_ABSENT = object()
_WORDS = {True: "true", False: "false", None: None}


class Shape:
    """A column, a field, an element or a value, and how its JSON is read."""

    def __init__(self, field: pa.Field, ignore_case: bool) -> None:
        """Raises `Flaw` for a type that text cannot hold."""
        self.field, held = field, field.type
        self.kind = "leaf"
        self.children: list[Shape] = []
        if pa.types.is_struct(held):
            self.kind, inner = "struct", list(held)
        elif pa.types.is_list(held):
            self.kind, inner = "list", [held.value_field]
        elif pa.types.is_map(held):
            if not pa.types.is_string(held.key_type):
                raise Flaw(f"a map with keys of type {held.key_type} cannot be read from text; only strings can")
            self.kind, inner = "map", [held.item_field]
        else:
            inner = []
        self.children = [Shape(child, ignore_case) for child in inner]
        self._fold = str.lower if ignore_case else str
        self.places = {self._fold(child.field.name): place for place, child in enumerate(self.children)}

    def place(self, key: str) -> int | None:
        """Where the member of a struct is that a key names."""
        return self.places.get(self._fold(key))

    def plain_row(self, text: str) -> list[Any] | None:
        """What `Reader.whole` gives for a struct, fast, where nothing is special about the text; none otherwise."""
        found: list[Any] = [_ABSENT] * len(self.children)
        try:
            for key, value in _pairs.decode(text):
                place = self.places[self._fold(key)]
                if found[place] is not _ABSENT or self.children[place].kind != "leaf":
                    return None
                # Nested values are lists, which no word is.
                found[place] = value if value.__class__ is str else _WORDS[value]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return [None if value is _ABSENT else value for value in found]


@dataclass
class Reader:
    """One JSON text. Leaves come out as texts, structs as lists in the order of their fields, maps as pairs."""

    text: str
    at: int = 0
    cells: int = 0

    def whole(self, shape: Shape) -> Any:
        """The value that is all of the text. Raises `Flaw`."""
        try:
            found = self.value(shape, 0)
            if self._peek():
                raise self._expected("the end of the line")
            return found
        except RecursionError as error:
            raise Flaw(f"values lie more than {MAX_DEPTH} deep in each other") from error

    def value(self, shape: Shape, depth: int) -> Any:
        """The value that comes next."""
        first = self._peek()
        if depth > MAX_DEPTH:
            raise Flaw(f"values lie more than {MAX_DEPTH} deep in each other")
        if shape.kind == "leaf" or first == "n":
            return self._leaf()
        if shape.kind == "list":
            if first != "[":
                raise self._wrong("list")
            return self._list(shape.children[0], depth)
        if first != "{":
            raise self._wrong("object" if shape.kind == "struct" else "map")
        return self._struct(shape, depth) if shape.kind == "struct" else self._map(shape.children[0], depth)

    def _leaf(self) -> str | None:
        start = self.at
        value = self._scan()
        if value is None or isinstance(value, str) and self.text[start] == '"':
            return value
        # What is no string is its JSON text.
        return self.text[start : self.at]

    def _scan(self) -> Any:
        try:
            value, self.at = _decoder.scan_once(self.text, self.at)
            return value
        except StopIteration as error:
            raise self._expected("a value") from error
        except ValueError as error:
            raise Flaw(f"not JSON: {error}") from error

    def _struct(self, shape: Shape, depth: int) -> list[Any]:
        found: list[Any] = [None] * len(shape.children)
        filled = [False] * len(found)
        self._count(len(found))
        for key in self._keys():
            place = shape.place(key)
            if place is None:
                raise Flaw(f"column `{key}` is not in the table's schema")
            child = shape.children[place]
            if filled[place]:
                raise Flaw("the key appears twice", child.field.name)
            filled[place] = True
            try:
                found[place] = self.value(child, depth + 1)
            except Flaw as flaw:
                raise Flaw(flaw.reason, join(child.field.name, flaw.column).rstrip(".")) from flaw
        return found

    def _map(self, shape: Shape, depth: int) -> list[tuple[str, Any]]:
        found: dict[str, Any] = {}
        for key in self._keys():
            if key in found:
                raise Flaw(f"key {excerpt(key)} appears twice")
            self._count(2)
            found[key] = self.value(shape, depth + 1)
        return list(found.items())

    def _list(self, shape: Shape, depth: int) -> list[Any]:
        found: list[Any] = []
        self.at += 1
        if self._take("]"):
            return found
        while True:
            self._count(1)
            found.append(self.value(shape, depth + 1))
            if self._take("]"):
                return found
            if not self._take(","):
                raise self._expected("`,` or `]`")

    def _keys(self) -> Any:
        """The keys of the object that comes next, each when its value is to be read."""
        self.at += 1
        if self._take("}"):
            return
        while True:
            if self._peek() != '"':
                raise self._expected("a key")
            try:
                key, self.at = scanstring(self.text, self.at + 1, True)
            except ValueError as error:
                raise Flaw(f"not JSON: {error}") from error
            if not self._take(":"):
                raise self._expected("`:`")
            yield key
            if self._take("}"):
                return
            if not self._take(","):
                raise self._expected("`,` or `}`")

    def _peek(self) -> str:
        blank = _BLANK.match(self.text, self.at)
        self.at = blank.end() if blank else self.at
        return self.text[self.at : self.at + 1]

    def _take(self, what: str) -> bool:
        found = self._peek() == what
        self.at += found
        return found

    def _count(self, cells: int) -> None:
        self.cells += cells
        if self.cells > MAX_CELLS:
            raise Flaw(f"the row has more than {MAX_CELLS} values and nulls")

    def _wrong(self, expected: str) -> Flaw:
        start = self.at
        self._scan()
        return Flaw(f"{excerpt(self.text[start : self.at])} is no {expected}")

    def _expected(self, what: str) -> Flaw:
        rest = self.text[self.at :]
        found = excerpt(rest) if rest else "the end of the line"
        return Flaw(f"not JSON: expected {what} at character {self.at + 1}, found {found}")
