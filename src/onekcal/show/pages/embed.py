"""Arrays and molecules inside an HTML page: base64 of small numbers, which page/scene.js
unpacks.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from ase.data.colors import jmol_colors

from onekcal.molecules import SYMBOLS, Molecules

Packed = dict[str, Any]


def floats(values: Any) -> Packed:
    """Single precision."""
    return _packed("f4", np.asarray(values))


def halved(values: Any) -> Packed:
    """16 bits an entry, of one scale: for coordinates, whose largest entry decides the step (0.3
    mÅ for 10 Å).
    """
    values = np.asarray(values, dtype=np.float64)
    scale = float(np.abs(values).max(initial=0.0)) / 32767 or 1.0
    return _packed("i2", np.round(values / scale)) | {"scale": scale}


def molecules(some: Molecules) -> Packed:
    """Nuclear charges, positions about each molecule's middle (Å), and where each molecule
    begins.
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
    """Symbols and colours by nuclear charge."""
    return {
        "symbols": [SYMBOLS[z] for z in range(len(SYMBOLS))],
        "colors": [
            "#{:02x}{:02x}{:02x}".format(*(int(255 * c) for c in rgb)) for rgb in jmol_colors
        ],
    }


def as_json(value: Any) -> str:
    """JSON that may stand inside a <script>; what is not finite is null."""
    return json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )


@cache
def part(name: str) -> str:
    """A file of `page/`; inside a <script> nothing may look like its end."""
    text = files("onekcal.show").joinpath("page", name).read_text(encoding="utf-8")
    return text.replace("</script", "<\\/script") if name.endswith(".js") else text


def _packed(kind: str, values: np.ndarray) -> Packed:
    data = np.ascontiguousarray(values.ravel(), dtype=f"<{kind}")
    return {"kind": kind, "data": base64.b64encode(data.tobytes()).decode("ascii")}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value
