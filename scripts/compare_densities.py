"""How far the LOL of cheap densities is from that of B3LYP/6-31G, and what each costs.

    python scripts/compare_densities.py [MOLECULES [DENSITY ...]]

Draws molecules at random from QM9-G4MP2, samples LOL on 14³ voxels, and prints a line for each density: seconds of
processor time a molecule (orbitals and LOL), mean and largest difference of LOL, correlation with the reference.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

from onekcal.data import load
from onekcal.features.fields import fields

REFERENCE = "b3lyp/6-31g"
DENSITIES = ("gfn1", "gfn2", "gfn2+core", "one-shot", "hf/6-31g", "b3lyp/6-31g df")
SEED = 0


def main(count: int, densities: tuple[str, ...]) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    molecules = load("qm9-g4mp2").dataset.molecules
    rows = np.random.default_rng(SEED).choice(len(molecules), count, replace=False)
    found: dict[str, list[np.ndarray]] = {name: [] for name in (REFERENCE, *densities)}
    spent = dict.fromkeys(found, 0.0)
    for name in found:  # libraries are loaded and parameters read before the clock runs
        fields(molecules[[0]], ["lol"], name)
    for row in rows.tolist():
        for name in found:
            start = time.process_time()
            found[name].append(fields(molecules[[row]], ["lol"], name).numpy().ravel())
            spent[name] += time.process_time() - start
    reference = np.array(found[REFERENCE])
    print(f"{'density':<20} s/molecule  mean |ΔLOL|  largest  correlation   ({count} molecules)")
    for name, values in found.items():
        apart = np.abs(np.array(values) - reference)
        together = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(values, reference)])
        print(f"{name:<20} {spent[name] / count:10.3f} {apart.mean():12.5f} {apart.max():8.4f} {together:12.5f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, tuple(sys.argv[2:]) or DENSITIES)
