"""A small request for fields, and waters that differ."""

from __future__ import annotations

from onekcal.fields.compute import request
from onekcal.molecules import Molecules

WATER = [[0, 0, 0.117], [0, 0.757, -0.469], [0, -0.757, -0.469]]
SMALL = request(["nep", "gauss:O"], n=5)


def waters(count: int, first: int = 0) -> Molecules:
    """Water, its oxygen pulled out a little more in each."""
    return Molecules.concatenate(
        [
            Molecules.one([8, 1, 1], [[0, 0, 0.117 + 0.002 * k], *WATER[1:]], name=f"water {k}")
            for k in range(first, first + count)
        ]
    )
