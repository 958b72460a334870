"""Compare the variant g4mp2//gfn2 with G4(MP2) on species that ship: results/g4mp2-variant.json.

    python scripts/g4mp2_variant.py [--heavy 2]

Electronic energies at GFN2-xTB's minimum are computed once and kept in the results; zero-point
energies follow `labels/zero_point.py` as it is now. Many of the species are among those that its
numbers were fitted to; `scripts/zero_point.py` prints the errors of those that were not.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np

from onekcal.errors import OnekcalError
from onekcal.geometry.minimum import minimum
from onekcal.labels.computed import shipped
from onekcal.labels.g4mp2 import SCALE, Computed
from onekcal.labels.zero_point import ATOMS, zero_point_from_gfn2
from onekcal.molecules import Molecules
from onekcal.quantum.g4mp2 import g4mp2_energy
from onekcal.thermo.frequencies import frequencies
from onekcal.units import HARTREE

OUT = Path(__file__).parents[1] / "results" / "g4mp2-variant.json"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--heavy", type=int, default=2)
    given = parser.parse_args()
    kept = json.loads(OUT.read_text(encoding="utf-8"))["rows"] if OUT.exists() else []
    rows = {row["smiles"]: row for row in kept}
    for done in map(Computed.from_dict, shipped().values()):
        numbers = done.molecule.numbers
        small = len(numbers) > 1 and int((numbers > 1).sum()) <= given.heavy
        if done.method == "g4mp2" and small and set(done.molecule.elements) <= set(ATOMS):
            try:
                rows[done.smiles] = compared(done, rows.get(done.smiles))
            except OnekcalError as problem:
                print(f"{done.smiles}: {problem}")
    sizes = np.sort([abs(row["electronic"] + row["zero_point"]) for row in rows.values()])
    rank = min(math.ceil(0.9 * (len(sizes) + 1)), len(sizes)) - 1
    out = {
        "unit": "kcal/mol, g4mp2//gfn2 minus g4mp2",
        "species": len(sizes),
        "mean": round(float(sizes.mean()), 2),
        "median": round(float(np.median(sizes)), 2),
        "ninety": round(float(sizes[rank]), 2),
        "rows": list(rows.values()),
    }
    OUT.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print({name: value for name, value in out.items() if name != "rows"})


def compared(done: Computed, known: dict | None) -> dict:
    """One species: what its electronic and its zero-point energy differ by."""
    if known is None:
        place = minimum(done.molecule, "gfn2", force=0.002, keep_bonds=False)[0].molecule
        difference = (g4mp2_energy(place).total - done.terms.total) * HARTREE
        waves = frequencies(place, "gfn2").wavenumbers
        known = {
            "smiles": done.smiles,
            "electronic": round(difference, 3),
            "positions": place.positions.numpy().round(5).tolist(),
            "waves": waves.round(1).tolist(),
        }
    place = Molecules.one(
        done.molecule.numbers.tolist(),
        known["positions"],
        int(done.molecule.charges[0]),
        int(done.molecule.spins[0]),
    )
    own = SCALE * zero_point_from_gfn2(place, np.array(known["waves"]))
    return known | {"zero_point": round(own - done.zero_point, 3)}


if __name__ == "__main__":
    main()
