"""Frames of zstd, looked at before they are decoded: how much memory one may ask for has a bound.

Arrow's decoder takes windows of up to 128 MiB, the light worker's up to 32 MiB, and what one path takes the other has to.
"""

import io
from collections.abc import Iterator

from .faults import ContentFault

#: Bytes that a frame may have its decoder look back. The light worker's figure is the same.
MAX_WINDOW = 32 * 1024 * 1024

_PIECE = 128 * 1024
_MAGIC = b"\x28\xb5\x2f\xfd"
#: By the descriptor's highest bits: bytes that tell the content's size.
_SIZE_BYTES = (0, 2, 4, 8)
#: By its lowest bits: bytes of the dictionary's number.
_DICTIONARY_BYTES = (0, 1, 2, 4)
#: In the descriptor: the window is the whole content; a checksum follows the blocks.
_SINGLE, _CHECKSUM = 0x20, 0x04
#: A block of one byte that is repeated.
_RLE = 1


def skippable(first: bytes) -> bool:
    """Whether a frame begins like this that has no text."""
    return len(first) > 3 and 0x50 <= first[0] <= 0x5F and first[1:4] == b"\x2a\x4d\x18"


class Frames(io.RawIOBase):
    """The same bytes. Raises `ContentFault` before a frame with too large a window; other faults are the decoder's."""

    def __init__(self, raw: io.BufferedReader) -> None:
        super().__init__()
        self._pieces = _pieces(raw)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, into: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(into), len(self._rest))
        into[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _pieces(raw: io.BufferedReader) -> Iterator[bytes]:
    while magic := raw.read(4):
        yield magic
        if magic == _MAGIC:
            yield from _frame(raw)
        elif skippable(magic):
            yield (size := raw.read(4))
            yield from _plain(raw, int.from_bytes(size, "little"))
        else:
            yield from _plain(raw, None)


def _plain(raw: io.BufferedReader, left: int | None) -> Iterator[bytes]:
    """So many bytes as they are, or all."""
    while left != 0 and (piece := raw.read(_PIECE if left is None else min(left, _PIECE))):
        yield piece
        left = None if left is None else left - len(piece)


def _frame(raw: io.BufferedReader) -> Iterator[bytes]:
    descriptor = raw.read(1)
    flags = descriptor[0] if descriptor else 0
    single = flags & _SINGLE
    size_bytes = _SIZE_BYTES[flags >> 6] or (1 if single else 0)
    length = (0 if single else 1) + _DICTIONARY_BYTES[flags & 3] + size_bytes
    header = raw.read(length)
    if len(header) == length:
        window = _content(header[-size_bytes:]) if single else _window(header[0])
        if window > MAX_WINDOW:
            raise ContentFault(f"a zstd frame has a window of {window >> 20} MiB: at most {MAX_WINDOW >> 20} are taken")
    yield descriptor + header
    last = False
    while not last and len(block := raw.read(3)) == 3:
        bits = int.from_bytes(block, "little")
        last = bool(bits & 1)
        yield block
        yield raw.read(1 if bits >> 1 & 3 == _RLE else bits >> 3)
    if flags & _CHECKSUM:
        yield raw.read(4)


def _window(byte: int) -> int:
    base = 1 << (10 + (byte >> 3))
    return base + base // 8 * (byte & 7)


def _content(size: bytes) -> int:
    return int.from_bytes(size, "little") + (256 if len(size) == 2 else 0)
