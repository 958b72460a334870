"""Fit H(298 K) − H(0) to counts of groups on QM9's own U0 and H, and measure the error on a
hold-out.

    python scripts/fit_thermal.py FOLDER

FOLDER holds qm9.npz (geometries), qm9_props_subset.npz (U0 and H, Hartree) and qm9_g4mp2_labels.npz
(the split; its hold-out is measured on and never fitted). Prints the constants of
`onekcal.thermo.groups`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from onekcal.molecules import Molecules
from onekcal.thermo.group_counts import groups
from onekcal.thermo.groups import RT
from onekcal.units import HARTREE

RIDGE = 0.01
RAREST = 20  # molecules of the training part; a group in fewer is left unknown


def main(folder: Path) -> None:
    """Print groups, weights and the error on the hold-out."""
    ids, heats = read_heats(folder)
    counted = count_groups(folder, ids)
    with np.load(folder / "qm9_g4mp2_labels.npz") as file:
        held_out = set(file["gdb_id"][file["split"] == 2].tolist())
    train = np.array([int(i) not in held_out for i in ids])
    seen = {
        name: sum(name in c for c, t in zip(counted, train) if t)
        for name in sorted(set().union(*counted))
    }
    names = [name for name, count in seen.items() if count >= RAREST]
    known = np.array([set(c) <= set(names) for c in counted])
    x = np.array([[c[name] for name in names] for c in counted], dtype=float)  # (molecules, groups)
    a, y = x[train & known], heats[train & known] - 4 * RT
    weights = np.linalg.solve(a.T @ a + RIDGE * np.eye(len(names)), a.T @ y)
    error = x @ weights + 4 * RT - heats
    error = error[~train & known]
    print("WEIGHTS = {")
    for name, weight in zip(names, weights):
        print(f'    "{name}": {weight:.4f},')
    print("}")
    print(
        f"train {int((train & known).sum())}, hold-out {len(error)}: mean absolute error "
        f"{np.abs(error).mean():.4f}, root mean square {np.sqrt((error**2).mean()):.4f}, largest "
        f"{np.abs(error).max():.3f} kcal/mol"
    )


def read_heats(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """QM9 ids and H(298 K) − H(0), kcal/mol, of the characterised molecules of the subset."""
    with np.load(folder / "qm9_props_subset.npz") as file:
        keep = file["in_consistent"]
        return file["id"][keep], ((file["H"] - file["U0"]) * HARTREE)[keep]


def count_groups(folder: Path, ids: np.ndarray) -> list:
    """The groups of each molecule at its B3LYP geometry."""
    with np.load(folder / "qm9.npz") as file:
        everything, offsets, numbers, positions = (file[key] for key in ("id", "offsets", "Z", "R"))
    row = {int(i): k for k, i in enumerate(everything)}
    spans = [slice(offsets[row[int(i)]], offsets[row[int(i)] + 1]) for i in ids]
    return [groups(Molecules.one(numbers[span], positions[span])) for span in spans]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
