"""Words in an HDF5 file.

HDF5 keeps a text of any length in a heap of the file that has no checksum; where it is damaged,
reading it may never end. A text of a fixed length stands beside its attribute, and has one.
"""

from __future__ import annotations

import numpy as np


def fixed(text: str) -> np.bytes_:
    """Return a text as an attribute of a fixed length holds it.

    Parameters
    ----------
    text
        The text; an empty one is kept as one zero byte, because HDF5 has no empty text.
    """
    return np.bytes_(text.encode("utf-8") or b"\0")


def word(value: object) -> str:
    """Return the text of an attribute, of a fixed length or not.

    Parameters
    ----------
    value
        What h5py returns.

    Raises
    ------
    ValueError
        It is no text.
    """
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode("utf-8")
    if isinstance(value, str):
        return value
    raise ValueError(f"expected a text, got {type(value).__name__}")
