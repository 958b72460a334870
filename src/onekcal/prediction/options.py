"""How questions are answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Options:
    """How `predict` answers."""

    keep_geometry: bool = False  # geometries of files are not relaxed
    conformers: int = 6  # at most so many are relaxed
    thermal: Literal["auto", "gfn2", "regression"] = "auto"  # where H(298 K) − H(0) comes from
    forces: bool = False
    force: bool = False  # answer outside the scope, too, without an interval
    coverage: float = 0.9
    length: str | None = None  # unit of coordinates in files; what the file says, else Å


DEFAULTS = Options()
"""The options where none are named."""
