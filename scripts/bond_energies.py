"""Compare dissociation enthalpies with experiment: results/bonds.json.

    python scripts/bond_energies.py [--results results]

Each value is the one that `onekcal bonds` prints. Nothing is computed: all species ship with the
package. The experiment is the difference of heats of formation of the Active Thermochemical Tables
(`thermo/small_species.csv`), so that both sides are enthalpies at 298.15 K.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from onekcal.bench.results import Measured
from onekcal.bench.results_file import write
from onekcal.models.shipped import load_model
from onekcal.prediction.bonds import bonds
from onekcal.prediction.options import Options
from onekcal.system.provenance import provenance
from onekcal.thermo.small_species import small_species

BONDS = {
    "H–H": ("[H][H]", "[H]", "[H]"),
    "F–H": ("F", "[F]", "[H]"),
    "Cl–H": ("Cl", "[Cl]", "[H]"),
    "HO–H": ("O", "[OH]", "[H]"),
    "HS–H": ("S", "[SH]", "[H]"),
    "NH₂–H": ("N", "[NH2]", "[H]"),
    "CH₃–H": ("C", "[CH3]", "[H]"),
    "C₂H₅–H": ("CC", "[CH2]C", "[H]"),
    "CH₂=CH–H": ("C=C", "[CH]=C", "[H]"),
    "NC–H": ("C#N", "[C]#N", "[H]"),
    "OHC–H": ("C=O", "[CH]=O", "[H]"),
    "HOCH₂–H": ("CO", "[CH2]O", "[H]"),
    "CH₃O–H": ("CO", "C[O]", "[H]"),
    "HOO–H": ("OO", "[O]O", "[H]"),
    "HO–OH": ("OO", "[OH]", "[OH]"),
    "H₂N–NH₂": ("NN", "[NH2]", "[NH2]"),
    "CH₃–CH₃": ("CC", "[CH3]", "[CH3]"),
    "CH₃–OH": ("CO", "[CH3]", "[OH]"),
    "CH₃–NH₂": ("CN", "[CH3]", "[NH2]"),
    "CH₃–Cl": ("CCl", "[CH3]", "[Cl]"),
}
"""Name → the molecule and the two radicals."""


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("--results", type=Path, default=Path("results"))
    folder = ask.parse_args().results
    artefact, started = load_model("g4mp2"), time.perf_counter()
    lookup = Options(budget=0.0)
    made = {key: value for key, value in provenance().items() if key != "python"}
    rows: list[Measured] = []
    for name, (whole, *parts) in BONDS.items():
        (found,) = (
            one for one in bonds(whole, artefact, lookup) if sorted(one.fragments) == sorted(parts)
        )
        if found.problem:
            raise SystemExit(found.problem)
        known = small_species()
        experiment = sum(known[part].formation for part in parts) - known[whole].formation
        ours = {"dissociation": found.enthalpy, "half": found.half, "experiment": experiment}
        rows.append(row(name, {**ours, "error": found.enthalpy - experiment}, 1, started, made))
    errors = np.array([one["ours"]["error"] for one in rows])
    mean = {"mae": float(np.abs(errors).mean()), "error": float(errors.mean())}
    mean["largest"] = float(np.abs(errors).max())
    rows.append(row(f"mean of {len(errors)}", mean, len(errors), started, made))
    print(mean)
    write(
        folder / "bonds.json",
        {
            "suite": "bonds",
            "title": "dissociation enthalpies at 298.15 K, G4(MP2) against experiment",
            "cite": "Active Thermochemical Tables, as RMG-database lists them",
            "unit": "kcal/mol",
            "rows": rows,
        },
    )


def row(name: str, ours: dict[str, float], count: int, started: float, made: dict) -> Measured:
    """A row of results."""
    return {
        "name": name,
        "ours": {key: float(f"{value:.5g}") for key, value in ours.items()},
        "paper": {},
        "test": count,
        "seconds": round(time.perf_counter() - started, 1),
        **made,  # type: ignore[typeddict-item]
    }


if __name__ == "__main__":
    main()
