"""Fit B3LYP's zero-point energy to GFN2-xTB's frequencies: the numbers of `labels/zero_point.py`.

    python scripts/zero_point.py ../shared/data KEPT.jsonl [--count 160]

Takes every species of G3/05 of up to six heavy atoms with its published B3LYP/6-31G(2df,p)
frequencies (radicals, ions and the second row among them), and QM9 molecules whose zero-point
energy is published. Each is relaxed with GFN2-xTB; its frequencies are kept in KEPT.jsonl, and a
later run goes on from there. Two thirds are fitted, small molecules with more weight. The errors
that it prints are those of the last third.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from onekcal.errors import OnekcalError
from onekcal.geometry.minimum import minimum
from onekcal.labels.g4mp2 import SCALE
from onekcal.labels.zero_point import KNOTS, hydrogens, shares
from onekcal.molecules import Molecules
from onekcal.thermo.frequencies import frequencies
from onekcal.units import HARTREE, WAVENUMBER

ENOUGH = 4
"""An element, or a partner of hydrogen, has a number of its own if so many species hold it."""

WITHOUT = {1, 3, 11}
"""Hydrogens count by their partners; the variant was not measured for alkali metals."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("kept", type=Path)
    parser.add_argument("--count", type=int, default=160)
    given = parser.parse_args()
    rows = relaxed(given.data, given.kept, given.count)
    counts = [Counter(row["numbers"]) for row in rows]
    partners = [hydrogens(*arrays(row)) for row in rows]
    elements = [z for z in common(counts) if z not in WITHOUT]
    bound = common(partners)
    design = np.array(
        [
            [*shares(np.array(row["waves"])), *(n[z] for z in elements), *(h[z] for z in bound)]
            for row, n, h in zip(rows, counts, partners)
        ]
    )
    wanted = np.array([row["zero_point"] for row in rows])
    test = np.arange(len(rows)) % 3 == 2
    atoms = np.array([len(row["numbers"]) for row in rows])
    weights = fitted(design[~test], wanted[~test], atoms[~test] ** -0.5)
    left = design @ weights - wanted
    report("fitted", left[~test])
    report("others", left[test])
    kinds = {
        "of two atoms": atoms == 2,
        "of up to six atoms": atoms <= 6,
        "with unpaired electrons": np.array([row["spin"] > 0 for row in rows]),
        "of QM9": np.array([row["name"].startswith("qm9") for row in rows]),
    }
    for name, chosen in kinds.items():
        report(f"others {name}", left[test & chosen])
    k, e = len(KNOTS), len(elements)
    print("SCALES =", tuple(round(float(w), 4) for w in weights[:k]))
    own = {z: round(float(w), 3) for z, w in zip(elements, weights[k : k + e])}
    print("ATOMS =", {1: 0.0} | own)
    print("HYDROGENS =", {z: round(float(w), 3) for z, w in zip(bound, weights[k + e :])})


def fitted(design: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Least squares with a little ridge, for elements that seldom occur."""
    design, wanted = design * weights[:, None], wanted * weights
    return np.linalg.solve(design.T @ design + 0.01 * np.eye(design.shape[1]), design.T @ wanted)


def report(name: str, left: np.ndarray) -> None:
    if len(left):
        print(
            f"{len(left)} {name}: mean {np.abs(left).mean():.3f} kcal/mol, mean sign "
            f"{left.mean():+.3f}, 90 % below {np.quantile(np.abs(left), 0.9):.2f}"
        )


def common(counted: list[Counter]) -> list[int]:
    """Elements that enough species hold, in the order of the periodic table."""
    holding = Counter(z for one in counted for z in one)
    return sorted(z for z, n in holding.items() if n >= ENOUGH)


def arrays(row: dict) -> tuple[np.ndarray, np.ndarray]:
    return np.array(row["numbers"]), np.array(row["positions"])


def relaxed(data: Path, kept: Path, count: int) -> list[dict]:
    """Every molecule with its GFN2-xTB frequencies; those that do not relax are left out."""
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    rows = {row["name"]: row for row in map(json.loads, lines)}
    for name, molecule, zero_point in (*g305(data), *qm9(data, count)):
        if name in rows:
            continue
        try:
            place = minimum(molecule, "gfn2", force=0.002)[0].molecule
            waves = frequencies(place, "gfn2").wavenumbers
        except OnekcalError as problem:
            print(f"{name}: {problem}")
            continue
        rows[name] = {
            "name": name,
            "numbers": molecule.numbers.tolist(),
            "spin": int(molecule.spins[0]),
            "positions": place.positions.tolist(),
            "waves": [round(float(x), 1) for x in waves],
            "zero_point": zero_point,
        }
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(rows[name]) + "\n")
    return list(rows.values())


def g305(data: Path) -> Iterator[tuple[str, Molecules, float]]:
    """Species of G3/05 and their zero-point energies (kcal/mol, unscaled)."""
    file = dict(np.load(data / "g305.npz"))  # unpacked once
    atoms, waves = file["offsets"], file["frequency_offsets"]
    for row in range(len(atoms) - 1):
        here = slice(atoms[row], atoms[row + 1])
        numbers = file["Z"][here]
        if len(numbers) < 2 or (numbers > 1).sum() > 6:
            continue
        scaled = file["frequencies"][waves[row] : waves[row + 1]]
        molecule = Molecules.one(
            numbers.tolist(),
            file["R"][here].astype(float),
            int(file["charge"][row]),
            int(file["unpaired"][row]),
        )
        zero_point = 0.5 * WAVENUMBER * float(scaled[scaled > 0].sum()) / SCALE
        yield f"g305-{row}", molecule, zero_point


def qm9(data: Path, count: int) -> Iterator[tuple[str, Molecules, float]]:
    """QM9 molecules at B3LYP's geometry and their zero-point energies (kcal/mol)."""
    file = dict(np.load(data / "qm9.npz"))
    subset = np.load(data / "qm9_props_subset.npz")
    place = {int(k): m for m, k in enumerate(file["id"])}
    offsets = file["offsets"]
    rows = [(place[int(k)], float(z)) for k, z in zip(subset["id"], subset["zpve"]) if k in place]
    heavy = [int((file["Z"][offsets[m] : offsets[m + 1]] > 1).sum()) for m, _ in rows]
    drawn = np.random.default_rng(0).permutation(len(rows))
    chosen = [k for k in drawn if heavy[k] <= 5] + [k for k in drawn if heavy[k] > 5]
    for number, k in enumerate(chosen[:count]):
        m, energy = rows[k]
        atoms = slice(offsets[m], offsets[m + 1])
        molecule = Molecules.one(file["Z"][atoms].tolist(), file["R"][atoms].astype(float))
        yield f"qm9-{number}", molecule, energy * HARTREE


if __name__ == "__main__":
    main()
