"""Numeric arrays of a MATLAB file (format 5).

    file      128 bytes of header, then elements
    element   kind and size (4 bytes each), content, filled up to 8 bytes; or, where there are at
              most 4 bytes of content: kind, size (2 bytes each) and the content
    array     an element of elements: flags, shape, name, numbers column by column
    packed    an element that is an array when zlib has unpacked it

SciPy's `loadmat` ends the process on some damaged files. This reader refuses them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ARRAY, PACKED = 14, 15
"""Kinds of elements that are read."""
STORED = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
"""How numbers lie in an element, by its kind."""
CLASSES = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
"""What numbers an array has, by its class from `DOUBLE` on; they may lie in fewer bytes."""
DOUBLE = 6
LARGEST = 1 << 28
"""Bytes of an array; more are refused."""


def numeric_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of real numbers; other variables are left out.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    dict
        Name → array.

    Raises
    ------
    ValueError, struct.error, zlib.error
        The file is damaged, or of another format.
    """
    content = path.read_bytes()
    if content[124:128] != b"\x00\x01IM":
        raise ValueError("it is not of format 5")
    found = {}
    for kind, inside in _elements(content[128:]):
        if kind == PACKED:
            ((kind, inside),) = _elements(_unpacked(inside))
        if kind == ARRAY and (array := _array(inside)) is not None:
            found[array[0]] = array[1]
    return found


def _unpacked(content: bytes) -> bytes:
    stream = zlib.decompressobj()
    out = stream.decompress(content, LARGEST)
    if not stream.eof:
        raise ValueError(f"an array is cut off, or larger than {LARGEST >> 20} MiB")
    return out


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each element."""
    at = 0
    while at < len(content):
        kind, size = struct.unpack_from("<II", content, at)
        short = kind >> 16
        begin, size = (at + 4, short) if short else (at + 8, size)
        if begin + size > len(content) or short > 4:
            raise ValueError("an element is cut off")
        yield kind & 0xFFFF, content[begin : begin + size]
        # a packed element is not filled up
        at = begin + (size if kind == PACKED else 4 if short else -(-size // 8) * 8)


def _array(content: bytes) -> tuple[str, np.ndarray] | None:
    """Name and numbers; None where it holds no real numbers."""
    (_, flags), (_, shape), (_, name), *numbers = _elements(content)
    place = flags[0] - DOUBLE
    if not 0 <= place < len(CLASSES) or len(numbers) != 1:
        return None
    kind, stored = numbers[0]
    if kind not in STORED:
        raise ValueError(f"there are no numbers of kind {kind}")
    values = np.frombuffer(stored, f"<{STORED[kind]}").astype(CLASSES[place])
    return name.decode("ascii"), values.reshape(np.frombuffer(shape, "<i4"), order="F")
