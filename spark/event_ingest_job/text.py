"""Text objects as plain UTF-8 lines: decompressed, without byte-order mark, told from what is no text."""

import gzip
import io
import zlib
from collections.abc import Iterator

import pyarrow as pa

from .faults import ContentFault
from .options import TextOptions
from .store import Pinned
from .zstd import Frames, skippable

#: Characters that a row may take.
MAX_ROW = 16 * 1024 * 1024
READ_BYTES = 4 * 1024 * 1024
_SNIFFED = 64
_MAGICS = (
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"PAR1", "a Parquet file"),
    (b"PARE", "an encrypted Parquet file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"ARROW1", "an Arrow file"),
)


class Lines:
    """The lines of a file with their ends, one after the other."""

    def __init__(self, file: Pinned, options: TextOptions, newline: str) -> None:
        """`newline`: what ends a line, as `io.TextIOWrapper` has it: `""` for LF, CR LF and CR."""
        self.number = 0
        self._compressed = "none"
        self._lines = io.TextIOWrapper(self._plain(file, options.compression), "utf-8", newline=newline)

    def next(self) -> str | None:
        """The next line; none at the end. Raises `ContentFault`."""
        self.number += 1
        try:
            line = self._lines.readline(MAX_ROW + 1)
        except UnicodeDecodeError as error:
            raise ContentFault(f"line {self.number} or a later one: the row is not UTF-8") from error
        except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
            reason = f"the {self._compressed} data is damaged or cut off: {error}"
            raise ContentFault(reason) from error
        if len(line) > MAX_ROW:
            raise ContentFault(f"line {self.number}: a row takes more than {MAX_ROW >> 20} MiB")
        return line or None

    def __iter__(self) -> Iterator[str]:
        while (line := self.next()) is not None:
            yield line

    def _plain(self, file: Pinned, compression: str) -> io.BufferedReader:
        raw = io.BufferedReader(file, READ_BYTES)
        first = _peek(raw)
        if compression == "auto":
            compression = _compression_of(first) or "none"
        self._compressed = compression
        if compression == "gzip" and first:
            raw = io.BufferedReader(gzip.GzipFile(fileobj=raw), READ_BYTES)  # type: ignore[arg-type]
        elif compression == "zstd":
            raw = io.BufferedReader(_Zstd(raw), READ_BYTES)
        try:
            first = _peek(raw)
        except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
            raise ContentFault(f"the {compression} data is damaged or cut off: {error}") from error
        _refuse(first)
        if first.startswith(b"\xef\xbb\xbf"):
            raw.read(3)
        return raw


class _Zstd(io.RawIOBase):
    def __init__(self, raw: io.BufferedReader) -> None:
        super().__init__()
        frames = io.BufferedReader(Frames(raw), READ_BYTES)
        self._stream = pa.CompressedInputStream(pa.PythonFile(frames, mode="r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, into: memoryview) -> int:  # type: ignore[override]
        body = self._stream.read(len(into))
        into[: len(body)] = body
        return len(body)


def _peek(stream: io.BufferedReader) -> bytes:
    return bytes(stream.peek(_SNIFFED)[:_SNIFFED])


def _compression_of(first: bytes) -> str | None:
    if first.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zstd" if first.startswith(b"\x28\xb5\x2f\xfd") or skippable(first) else None


def _refuse(first: bytes) -> None:
    for magic, name in _MAGICS:
        if first.startswith(magic) and not _is_text(first):
            raise ContentFault(f"the file is {name}, not text")
    if _compression_of(first):
        raise ContentFault("the text in the file is itself gzip or zstd data")
    if first[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ContentFault("the file is UTF-16; send UTF-8")
    if b"\x00" in first:
        raise ContentFault("the file is not UTF-8 text: it has NUL bytes; is it UTF-16?")


def _is_text(first: bytes) -> bool:
    try:
        first.decode()
    except UnicodeDecodeError as error:
        # The last character may be cut.
        if error.end < len(first) or error.reason != "unexpected end of data":
            return False
    return not any(byte < 0x20 and byte not in b"\t\r\n" for byte in first)
