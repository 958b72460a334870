"""Arrays and molecules inside an HTML page, as base64 that page/scene.js unpacks."""

from __future__ import annotations

import base64

import numpy as np
from ase.data.colors import jmol_colors
from numpy.typing import ArrayLike

from onekcal.molecules import SYMBOLS, Molecules

Packed = dict[str, str | float]
"""An array: its kind of number, its base64 data, and maybe a scale."""


def floats(values: ArrayLike) -> Packed:
    """Pack numbers in single precision.

    Parameters
    ----------
    values
        Numbers of any shape; the page knows the shape.

    Returns
    -------
    Packed
        For JSON.
    """
    return _packed("f4", np.asarray(values))


def halved(values: ArrayLike) -> Packed:
    """Pack numbers in 16 bits of one scale, as for coordinates.

    The largest number decides the step: 0.3 mÅ for 10 Å.

    Parameters
    ----------
    values
        Numbers of any shape; the page knows the shape.

    Returns
    -------
    Packed
        For JSON.
    """
    numbers = np.asarray(values, dtype=np.float64)
    scale = float(np.abs(numbers).max(initial=0.0)) / 32767 or 1.0
    return _packed("i2", np.round(numbers / scale)) | {"scale": scale}


def molecules(some: Molecules) -> dict[str, Packed]:
    """Pack molecules: charges, positions, and where each molecule begins.

    Parameters
    ----------
    some
        The molecules.

    Returns
    -------
    dict
        Positions are in Å, about the middle of each molecule.
    """
    positions = some.positions.numpy()
    sizes = some.sizes.numpy()
    starts = some.offsets.numpy()
    middles = (
        np.add.reduceat(positions, starts[:-1]) / sizes[:, None] if len(sizes) else np.zeros((0, 3))
    )
    return {
        "numbers": _packed("u1", some.numbers.numpy()),
        "positions": halved(positions - np.repeat(middles, sizes, 0)),
        "offsets": _packed("i4", starts),
    }


def elements() -> dict[str, list[str]]:
    """Look up the symbols and colours of elements, by nuclear charge."""
    return {
        "symbols": [SYMBOLS[z] for z in range(len(SYMBOLS))],
        "colors": [
            "#{:02x}{:02x}{:02x}".format(*(int(255 * c) for c in rgb)) for rgb in jmol_colors
        ],
    }


def _packed(kind: str, values: np.ndarray) -> Packed:
    data = np.ascontiguousarray(values.ravel(), dtype=f"<{kind}")
    return {"kind": kind, "data": base64.b64encode(data.tobytes()).decode("ascii")}
