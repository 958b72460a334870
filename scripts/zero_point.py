"""Fit B3LYP's zero-point energy to GFN2-xTB's frequencies: the numbers of `labels/zero_point.py`.

    python scripts/zero_point.py ../shared/data [--count 600]

Takes QM9 molecules whose B3LYP/6-31G(2df,p) zero-point energy is published (all of up to five heavy
atoms, the others drawn at random), relaxes each with GFN2-xTB, and fits on two thirds. The errors
that it prints are those of the last third.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from onekcal.geometry.relax import relax
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.quantum.method import LabelError
from onekcal.thermo.frequencies import frequencies
from onekcal.units import HARTREE, WAVENUMBER


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=600)
    given = parser.parse_args()
    molecules, published = read(given.data, given.count)
    own, kept = [], []
    for k, molecule in enumerate(molecules):
        try:
            place = relax(molecule, "gfn2", force=0.002).molecule
        except LabelError:
            continue
        waves = frequencies(place, "gfn2").wavenumbers
        if waves[0] > 0:
            own.append(0.5 * WAVENUMBER * float(waves.sum()))
            kept.append(k)
    elements = sorted({z for k in kept for z in molecules[k].elements})
    counts = np.array([[int((molecules[k].numbers == z).sum()) for z in elements] for k in kept])
    design = np.column_stack([np.array(own), counts])
    wanted = published[kept]
    test = np.arange(len(kept)) % 3 == 2
    weights, *_ = np.linalg.lstsq(design[~test], wanted[~test], rcond=None)
    left = design @ weights - wanted
    print(f"{(~test).sum()} fitted: {np.abs(left[~test]).mean():.3f} kcal/mol on average")
    worst = np.abs(left[test]).max()
    print(f"{test.sum()} others: {np.abs(left[test]).mean():.3f}, largest {worst:.2f}")
    small = test & (counts[:, [z > 1 for z in elements]].sum(1) <= 5)
    print(f"{small.sum()} of them of up to five heavy atoms: {np.abs(left[small]).mean():.3f}")
    print(f"SLOPE = {weights[0]:.5f}")
    print("ATOMS =", {z: round(float(w), 4) for z, w in zip(elements, weights[1:])})
    print("elements:", ", ".join(SYMBOLS[z] for z in elements))


def read(data: Path, count: int) -> tuple[list[Molecules], np.ndarray]:
    """QM9 molecules at B3LYP's geometry and their zero-point energies (kcal/mol)."""
    qm9 = dict(np.load(data / "qm9.npz"))  # an archive unpacks an array each time it is asked
    subset = np.load(data / "qm9_props_subset.npz")
    place = {int(k): m for m, k in enumerate(qm9["id"])}
    offsets = qm9["offsets"]
    rows = [(place[int(k)], float(z)) for k, z in zip(subset["id"], subset["zpve"]) if k in place]
    heavy = [int((qm9["Z"][offsets[m] : offsets[m + 1]] > 1).sum()) for m, _ in rows]
    drawn = np.random.default_rng(0).permutation(len(rows))
    chosen = [k for k in drawn if heavy[k] <= 5] + [k for k in drawn if heavy[k] > 5]
    molecules, wanted = [], []
    for k in chosen[:count]:
        m, energy = rows[k]
        atoms = slice(offsets[m], offsets[m + 1])
        molecules.append(Molecules.one(qm9["Z"][atoms].tolist(), qm9["R"][atoms].astype(float)))
        wanted.append(energy * HARTREE)
    return molecules, np.array(wanted)


if __name__ == "__main__":
    main()
