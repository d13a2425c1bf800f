"""Texts as values of a type: the table of `docs/text.md`.

A column's texts are converted together where all are plain; else one by one, by the exact rules, which also know why
a text is no value.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .options import zone_seconds

_EXCERPT = 64
_MAX_DIGITS = 40
_MAX_EXPONENT_DIGITS = 6
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_STAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(?: ?(Z|z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?))?"
)
_REAL = re.compile(r"[+-]?(?:inf(?:inity)?|nan|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)", re.IGNORECASE)
_INTEGER = re.compile(r"([+-]?[0-9]+)(?:\.0+)?")
_DECIMAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FAST_STAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Flaw(Exception):
    """Why a row cannot be taken. `place` counts the texts that were converted together."""

    def __init__(self, reason: str, column: str = "", place: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.column, self.place = reason, column, place


def excerpt(text: str) -> str:
    """The beginning of a value, for a reason."""
    return f"`{text[:_EXCERPT]}…`" if len(text) > _EXCERPT else f"`{text}`"


class Values:
    """Texts of a column of a simple type."""

    def __init__(self, to: pa.DataType, zone: int | None, required: bool) -> None:
        """`zone`: seconds ahead of UTC for timestamps whose text has no zone."""
        self.to, self.zone, self.required = to, zone, required
        self._fast, self._slow = _ways(to, zone)

    @property
    def holds_text(self) -> bool:
        """Whether an empty text is a value."""
        return bool(pa.types.is_string(self.to))

    def array(self, texts: Sequence[str | None]) -> pa.Array:
        """Raises `Flaw` with the place of the first text that is no value."""
        try:
            plain = pa.array(texts, pa.utf8())
        except (pa.ArrowInvalid, UnicodeError) as error:
            raise Flaw(f"the row is not UTF-8: {error}") from error
        if self.required and plain.null_count:
            raise Flaw("the table requires a value", place=pc.index(plain.is_null(), True).as_py())
        if self.holds_text:
            return plain
        if self._fast and pc.all(pc.match_substring_regex(plain, self._fast)).as_py() is not False:
            try:
                return plain.cast(self.to)
            except pa.ArrowInvalid:
                pass
        found: list[Any] = []
        for place, text in enumerate(texts):
            try:
                found.append(None if text is None else self._slow(text))
            except ValueError as error:
                why = f": {error}" if str(error) else ""
                raise Flaw(f"{excerpt(text or '')} is no {_name(self.to)}{why}", place=place) from error
        if pa.types.is_timestamp(self.to) or pa.types.is_date(self.to):
            counts = pa.int64() if pa.types.is_timestamp(self.to) else pa.int32()
            return pa.array(found, counts).cast(self.to)
        return pa.array(found, self.to)


def _ways(to: pa.DataType, zone: int | None) -> tuple[str | None, Any]:
    """The texts that Arrow's cast takes as we do, as a pattern; and the rule for any text."""
    t = pa.types
    if t.is_boolean(to):
        return None, _boolean
    if to == pa.int32():
        return r"^-?[0-9]{1,9}$", lambda text: _integer(text, 32)
    if to == pa.int64():
        return r"^-?[0-9]{1,18}$", lambda text: _integer(text, 64)
    if t.is_floating(to):
        return r"^-?[0-9]{1,20}(\.[0-9]{1,20})?$", lambda text: _real(text, to)
    if t.is_decimal(to):
        whole, fraction = to.precision - to.scale, to.scale
        if whole < 1:
            return None, lambda text: decimal(text, to.precision, to.scale)
        fast = rf"^-?[0-9]{{1,{whole}}}" + (rf"(\.[0-9]{{1,{fraction}}})?$" if fraction else "$")
        return fast, lambda text: decimal(text, to.precision, to.scale)
    if t.is_date(to):
        return r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", _days
    if t.is_timestamp(to):
        fast = _FAST_STAMP + (r"(Z|[+-][0-9]{2}:[0-9]{2})$" if to.tz else "$")
        return fast, lambda text: _micros(text, to.tz is not None, zone)
    if t.is_string(to):
        return None, str
    if t.is_fixed_size_binary(to):
        return None, lambda text: _fixed(text, to.byte_width)
    return None, _unhex


def _boolean(text: str) -> bool:
    found = _BOOLEANS.get(text if text in _BOOLEANS else text.lower() if text.isascii() else "")
    if found is None:
        raise ValueError("")
    return found


def _integer(text: str, bits: int) -> int:
    found = _INTEGER.fullmatch(text)
    if not found or len(digits := found.group(1).lstrip("+-").lstrip("0")) > _MAX_DIGITS:
        raise ValueError("")
    value = int(digits or "0") * (-1 if text.startswith("-") else 1)
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError("")
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise ValueError(f"it takes more than {bits} bits")
    return value


def _real(text: str, to: pa.DataType) -> float:
    if not _REAL.fullmatch(text):
        raise ValueError("")
    digits = any("0" <= letter <= "9" for letter in text)
    value = float(text)
    if to == pa.float32() and digits and value - value == 0:
        # From the text itself: by way of a double it would be rounded twice.
        value = pa.scalar(text.lstrip("+")).cast(to).as_py()
    if digits and value - value != 0:
        raise ValueError("")
    return value


def decimal(text: str, precision: int, scale: int) -> Decimal:
    """The exact value. Raises `ValueError` for what is none, or does not fit."""
    found = _DECIMAL.fullmatch(text)
    sign, whole, fraction, exponent = found.groups() if found else ("", "", "", None)
    fraction = fraction or ""
    if not whole and not fraction or len(exponent or "") > _MAX_EXPONENT_DIGITS:
        raise ValueError("not a decimal number")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return Decimal(0).scaleb(-scale)
    behind = len(fraction) - int(exponent or "0")
    plain = digits.rstrip("0")
    dropped = min(len(digits) - len(plain), max(0, behind - scale))
    behind -= dropped
    digits = digits[: len(digits) - dropped]
    if behind > scale:
        raise ValueError("too many digits behind the point")
    if len(digits) + scale - behind > precision:
        raise ValueError("too many digits")
    value = int(digits) * 10 ** (scale - behind)
    return Decimal((1 if sign == "-" else 0, tuple(map(int, str(value))), -scale))


def _days(text: str) -> int:
    if not _DAY.fullmatch(text):
        raise ValueError("")
    try:
        return int(pa.scalar(text).cast(pa.date32()).cast(pa.int32()).as_py())
    except pa.ArrowInvalid as error:
        raise ValueError("") from error


def _micros(text: str, zoned: bool, default: int | None) -> int:
    found = _STAMP.fullmatch(text)
    if not found:
        raise ValueError("")
    day, hour, minute, second, fraction, zone = found.groups()
    clock = int(hour), int(minute), int(second or 0)
    if clock[0] > 23 or clock[1] > 59 or clock[2] > 59:
        raise ValueError("")
    fraction = fraction or ""
    offset = None if zone is None else zone_seconds("UTC" if zone in ("Z", "z") else zone)
    if (zone is not None and offset is None) or fraction[9:].strip("0"):
        raise ValueError("")
    if fraction[6:9].strip("0"):
        raise ValueError("the table holds no fraction that fine")
    if zoned and offset is None and default is None:
        raise ValueError("it has no zone, and `text.timezone` is not set")
    if not zoned and offset is not None:
        raise ValueError("it has a zone, the column has none")
    ahead = (offset if offset is not None else default or 0) if zoned else 0
    seconds = _days(day) * 86_400 + clock[0] * 3_600 + clock[1] * 60 + clock[2] - ahead
    return seconds * 1_000_000 + int(f"{fraction[:6]:0<6}")


def _fixed(text: str, width: int) -> bytes:
    if width == 16 and len(text) == 36:
        if not _UUID.fullmatch(text):
            raise ValueError("not a UUID")
        return bytes.fromhex(text.replace("-", ""))
    value = _unhex(text)
    if len(value) != width:
        raise ValueError("it has another length")
    return value


def _unhex(text: str) -> bytes:
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})*", text):
        raise ValueError("bytes are written as two hexadecimal digits each")
    return bytes.fromhex(text)


def _name(to: pa.DataType) -> str:
    """What people call the type: Iceberg's names."""
    if pa.types.is_decimal(to):
        return f"decimal({to.precision}, {to.scale})"
    if pa.types.is_timestamp(to):
        return "timestamp with zone" if to.tz else "timestamp"
    if pa.types.is_fixed_size_binary(to):
        return "uuid or fixed(16)" if to.byte_width == 16 else f"fixed({to.byte_width})"
    names = {"bool": "boolean", "int32": "int", "int64": "long", "date32[day]": "date"}
    return names.get(str(to), str(to))
