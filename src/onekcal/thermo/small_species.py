"""Small species with experimental heats of formation, the partners of bond separations.

`small_species.csv` beside this file holds ΔfH(298.15 K) with uncertainty and source, and a
published G4(MP2) value where QM9-G4MP2 (Narayanan et al., doi:10.1039/c9sc02834j, 2019) has one.
`scripts/small_species.py` makes it.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("small_species.csv")


class SmallSpecies(NamedTuple):
    """One species; energies in kcal/mol at 298.15 K."""

    formation: float
    """Experimental ΔfH."""
    uncertainty: float
    source: str
    g4mp2: float | None
    """ΔfH from a published G4(MP2) energy."""


@cache
def small_species() -> dict[str, SmallSpecies]:
    """Read the table, by canonical SMILES."""
    with FILE.open(encoding="utf-8") as file:
        return {
            row["smiles"]: SmallSpecies(
                float(row["formation_298_kcal_per_mol"]),
                float(row["uncertainty_kcal_per_mol"]),
                row["source"],
                float(text) if (text := row["g4mp2_298_kcal_per_mol"]) else None,
            )
            for row in csv.DictReader(file)
        }
