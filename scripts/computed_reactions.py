"""Test whether squares may be added for reactions of computed species: results/reactions-g3.json.

    python scripts/computed_reactions.py FOLDER [--results results]

FOLDER holds g305.npz: the G4(MP2) enthalpies of G3/05 and experimental heats of formation. Each
species gets the half width that covers 90 % of its class. Reactions are drawn at random: one to
three species to one to three others with the same elements. The interval of a reaction is the root
of the sum of the squares ν²·half². Species that miss the experiment by more than 6 kcal/mol are
left out: their experiment belongs to another molecule.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from onekcal.bench.results import Measured
from onekcal.bench.results_file import write
from onekcal.energies import free_atoms
from onekcal.system.provenance import provenance
from onekcal.thermo.ledger import ATOM_FORMATION, ELEMENT_HEAT
from onekcal.units import HARTREE

TRIED, EACH, WRONG = 400_000, 3, 6.0
"""Sums that are drawn, reactions of each sum, and kcal/mol."""


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("folder", type=Path)
    ask.add_argument("--results", type=Path, default=Path("results"))
    asked = ask.parse_args()
    started = time.perf_counter()
    numbers, unpaired, errors = read(asked.folder / "g305.npz")
    organic = np.array([set(z.tolist()) <= {1, 6, 7, 8, 9} for z in numbers])
    classes = {
        "closed shells of H C N O F": organic & (unpaired == 0),
        "all species of H C N O F": organic,
        "all species": np.ones(len(errors), dtype=bool),
    }
    made = {key: value for key, value in provenance().items() if key != "python"}
    rows: list[Measured] = []
    for name, some in classes.items():
        half = float(np.quantile(np.abs(errors[some]), 0.9))
        found, widths = reactions(numbers, errors, np.flatnonzero(some))
        size = np.abs(found)
        measured = {
            "count": float(len(found)),
            "mae": float(size.mean()),
            "rmse": float(np.sqrt((found**2).mean())),
            "half": half,
            "interval": float((half * widths).mean()),
            "coverage": float((size <= half * widths).mean()),
        }
        rows.append(
            {
                "name": f"{len(found):,} reactions among {int(some.sum())} {name}",
                "ours": {key: float(f"{value:.6g}") for key, value in measured.items()},
                "paper": {},
                "test": len(found),
                "seconds": round(time.perf_counter() - started, 1),
                **made,  # type: ignore[typeddict-item]
            }
        )
        print(rows[-1]["name"], rows[-1]["ours"])
    write(
        asked.results / "reactions-g3.json",
        {
            "suite": "reactions-g3",
            "title": "reactions among species of G3/05, G4(MP2) against experiment",
            "cite": "Curtiss, Redfern, Raghavachari, J. Chem. Phys. 123, 124107 (2005)",
            "unit": "kcal/mol",
            "rows": rows,
        },
    )


def read(path: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Nuclei, unpaired electrons, and G4(MP2) − experiment (kcal/mol) of the neutral molecules."""
    atoms = free_atoms("g4mp2").hartree
    with np.load(path) as file:
        offsets, every = file["offsets"], file["Z"]
        enthalpies, experiment = file["HT_Ha"] * HARTREE, file["expt"]
        neutral = (file["charge"] == 0) & (file["kind"] == "HF")
        spins = file["unpaired"]
    numbers, unpaired, errors = [], [], []
    for k in np.flatnonzero(neutral):
        z = every[offsets[k] : offsets[k + 1]]
        if len(z) < 2 or not set(z.tolist()) <= set(atoms) & set(ATOM_FORMATION):
            continue
        formed = enthalpies[k] + sum(
            ATOM_FORMATION[a] - ELEMENT_HEAT[a] - atoms[a] * HARTREE for a in z.tolist()
        )
        if abs(formed - experiment[k]) < WRONG:
            numbers.append(z)
            unpaired.append(int(spins[k]))
            errors.append(float(formed - experiment[k]))
    return numbers, np.array(unpaired), np.array(errors)


def reactions(
    numbers: list[np.ndarray], errors: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The errors of random reactions (kcal/mol), and √Σν² of each."""
    random = np.random.default_rng(0)
    elements = sorted({a for z in numbers for a in z.tolist()})
    counts = np.array([[int((z == a).sum()) for a in elements] for z in numbers])
    sums = defaultdict(set)
    for _ in range(TRIED):
        some = tuple(sorted(random.choice(rows, random.integers(1, 4)).tolist()))
        sums[counts[list(some)].sum(0).tobytes()].add(some)
    found, widths = [], []
    for group in sums.values():
        sides = sorted(group)
        for _ in range(min(EACH, len(sides) // 2)):
            left, right = (sides[k] for k in random.choice(len(sides), 2, replace=False))
            reaction = Counter(right)
            reaction.subtract(left)
            if any(reaction.values()):
                found.append(sum(n * errors[k] for k, n in reaction.items()))
                widths.append(float(np.linalg.norm(list(reaction.values()))))
    return np.array(found), np.array(widths)


if __name__ == "__main__":
    main()
