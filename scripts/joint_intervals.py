"""Calibrate the joint interval of reactions on Ward's validation part, and test it on his hold-out.

    python scripts/joint_intervals.py RUN RELAXED.h5 LABELS.npz [--model g4mp2] [--results results]
    python scripts/joint_intervals.py RUN RELAXED.h5 LABELS.npz --test

RUN is the run folder of the model that ships, RELAXED.h5 its data (recipes/g4mp2.yaml) and
LABELS.npz the archive qm9_g4mp2_labels.npz with SMILES. The first call writes the factors to
src/onekcal/shipped/reactions.json. It prints what they cover on the reactions that they come from.
The second call writes results/reactions.json.

The errors of the validation part are those of the run's calibration.csv, of before a refit.
Reactions:

- isomers: a molecule and another of its formula, drawn at random;
- near isomers: a molecule and its most similar isomer;
- isodesmic: two molecules to two others with the same bonds of each kind;
- random pairs: two molecules to two others with the same elements;
- bond separations: a molecule and hydrides to molecules of one bond between heavy atoms. The small
  partners (methane, ammonia, water, ethane, methanol, formaldehyde, acetylene, hydrogen cyanide)
  have the G4(MP2) energies that ship, as in `react`.

Each class counts alike.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rdkit import Chem

from onekcal import datasets
from onekcal.bench.results import Measured
from onekcal.bench.results_file import write
from onekcal.data.dataset import Dataset
from onekcal.data.splits import TEST, VALID
from onekcal.labels.computed import Store, key_of_smiles
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import SHIPPED, load_model
from onekcal.molecules import Molecules
from onekcal.prediction.joint import (
    BASE,
    JointCalibration,
    environments,
    joint_scale,
    similarity,
)
from onekcal.system.provenance import provenance
from onekcal.trust.traits import traits

MOST = 4000
"""Molecules that react, at most; drawn at random."""
CLASSES = ("isomers", "near isomers", "isodesmic", "random pairs", "bond separations")
SEPARATED = {
    ("C", "C", 1): "CC",
    ("C", "C", 3): "C#C",
    ("C", "N", 3): "C#N",
    ("C", "O", 1): "CO",
    ("C", "O", 2): "C=O",
}
"""Kind of bond → the molecule that has this bond alone."""
HYDRIDES = {"C": "C", "N": "N", "O": "O"}
ELEMENTS = "HCNOF"
CALIBRATED, TESTED = 1000, 200
"""The most reactions of each class."""
TRIED = 400_000
"""Pairs of molecules that are drawn to find those of equal sums."""

Reaction = dict[int, int]
"""Row of a molecule → coefficient."""


@dataclass
class Pool:
    """Molecules that react with each other; the last rows are the small partners."""

    smiles: list[str]
    error: np.ndarray
    half: np.ndarray
    molecules: Molecules
    count: int
    partners: dict[str, int] = field(default_factory=dict)


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("run", type=Path)
    ask.add_argument("relaxed", type=Path)
    ask.add_argument("labels", type=Path)
    ask.add_argument("--model", default="g4mp2")
    ask.add_argument("--results", type=Path, default=Path("results"))
    ask.add_argument("--test", action="store_true")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    artefact = load_model(asked.model)
    part = TEST if asked.test else VALID
    pool = read_pool(asked.run, asked.relaxed, asked.labels, artefact, part)
    if asked.test:
        test(pool, artefact, asked.results, started)
    else:
        calibrate(pool, artefact, asked.model)


def calibrate(pool: Pool, artefact: Artefact, name: str) -> None:
    """Write the factors, and print what they cover."""
    reactions = draw(pool, CALIBRATED, seed=1)
    errors, scales = measure(pool, reactions)
    squares = added_squares(pool, reactions)
    weights = np.concatenate([np.full(len(e), 1.0 / len(e)) for e in errors.values()])
    scores = np.concatenate([np.abs(errors[c]) / scales[c] for c in errors])
    order = np.argsort(scores)
    shares = weights[order].cumsum() / (weights.sum() + weights.mean())
    coverages = np.round(np.linspace(0.5, 0.99, 50), 2)
    factors = scores[order][np.searchsorted(shares, coverages)]
    content = {
        "made": "scripts/joint_intervals.py",
        "models": [
            {
                "model": name,
                "digest": artefact.card.digest,
                "reactions": {c: len(e) for c, e in errors.items()},
                "coverages": coverages.tolist(),
                "factors": [round(float(f), 4) for f in factors],
            }
        ],
    }
    (SHIPPED / "reactions.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    own = JointCalibration("", tuple(coverages), tuple(factors))
    for line, found in coverage_rows(errors, scales, squares, own).items():
        print(line, {key: round(value, 3) for key, value in found.items()})


def test(pool: Pool, artefact: Artefact, results: Path, started: float) -> None:
    """Write what the intervals cover on molecules that nothing was chosen by."""
    content = json.loads((SHIPPED / "reactions.json").read_text(encoding="utf-8"))["models"][0]
    own = JointCalibration(
        content["digest"], tuple(content["coverages"]), tuple(content["factors"])
    )
    assert own.digest == artefact.card.digest
    reactions = draw(pool, TESTED, seed=2)
    errors, scales = measure(pool, reactions)
    squares = added_squares(pool, reactions)
    rows: list[Measured] = [
        {
            "name": name,
            "ours": {key: float(f"{value:.6g}") for key, value in found.items()},
            "paper": {},
            "train": artefact.card.train or 0,
            "test": int(found["count"]),
            "note": "",
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "seconds": round(time.perf_counter() - started, 1),
            **{k: v for k, v in provenance().items() if k != "python"},  # type: ignore[typeddict-item]
        }
        for name, found in coverage_rows(errors, scales, squares, own).items()
    ]
    write(
        results / "reactions.json",
        {
            "suite": "reactions",
            "title": "reactions among molecules of Ward's hold-out, at GFN2-xTB geometries",
            "cite": "",
            "unit": "kcal/mol",
            "rows": rows,
        },
    )
    for row in rows:
        print(row["name"], row["ours"])


# --- molecules --------------------------------------------------------------------------------


def read_pool(run: Path, relaxed: Path, labels: Path, artefact: Artefact, split: int) -> Pool:
    """Some molecules of a split with the errors of a model that was not fitted to them, and the
    small partners.
    """
    stored = datasets.load(str(relaxed))
    everything = stored.dataset.aimed("g4mp2")
    rows = np.flatnonzero(stored.splits["ward"].numpy() == split)
    told = calibrated(run / "calibration.csv")
    if split == VALID:
        rows = rows[[name in told for name in everything.molecules.names[rows]]]
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:MOST])
    part = everything[rows]
    with np.load(labels) as file:
        smiles = dict(zip((f"gdb {k}" for k in file["gdb_id"]), map(_text, file["smiles"])))
    if split == VALID:
        lines = [told[name] for name in part.molecules.names]
        predicted, novelty = (
            np.array([float(line[key]) for line in lines]) for key in ("predicted", "novelty")
        )
    else:
        predicted, novelty = asked_of(artefact, part)
    error = predicted - part.columns["g4mp2"].values.numpy()
    small, errors = partners(everything, smiles)
    molecules = Molecules.concatenate([part.molecules, *small.values()])
    known = traits(part.molecules, torch.from_numpy(novelty))
    half = artefact.calibration["gfn2"].half(len(part), BASE, traits=known)
    return Pool(
        [smiles[name] for name in part.molecules.names] + list(small),
        np.concatenate([error, errors]),
        np.concatenate([half.numpy(), np.zeros(len(small))]),  # not learned
        molecules,
        len(part),
        {text: len(part) + k for k, text in enumerate(small)},
    )


def calibrated(path: Path) -> dict[str, dict[str, str]]:
    """Name of a validation molecule → its line in a run's calibration.csv."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file) if row["geometry"] == "gfn2"}


def asked_of(artefact: Artefact, part: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Predictions (kcal/mol) and novelty of molecules that the model was not fitted to."""
    energies, novelty = [], []
    for rows in torch.arange(len(part)).split(256):
        block = part[rows.numpy()]
        with torch.no_grad():
            energies.append(artefact.model.energies(block.molecules, block.columns))
        strange = artefact.model.novelty(block.molecules)
        assert strange is not None
        novelty.append(strange)
    return torch.cat(energies).numpy(), torch.cat(novelty).numpy()


def _text(smiles: bytes | str) -> str:
    return smiles.decode() if isinstance(smiles, bytes) else str(smiles)


def partners(dataset: Dataset, smiles: dict[str, str]) -> tuple[dict[str, Molecules], np.ndarray]:
    """The small molecules, and how far the G4(MP2) energies that ship lie from their labels."""
    small, errors, store = {}, [], Store()
    place = {smiles[name]: row for row, name in enumerate(dataset.molecules.names.tolist())}
    for text in (*HYDRIDES.values(), *SEPARATED.values()):
        one = dataset[[place[text]]]
        kept = store.find(key_of_smiles(text, 0, 0, "g4mp2"))
        assert kept is not None
        small[text] = one.molecules
        errors.append(kept.energy - float(one.energies))
    return small, np.array(errors)


# --- reactions --------------------------------------------------------------------------------


def draw(pool: Pool, most: int, seed: int) -> dict[str, list[Reaction]]:
    """At most so many reactions of each class."""
    random = np.random.default_rng(seed)
    mols = [Chem.MolFromSmiles(text) for text in pool.smiles]
    for mol in mols:
        Chem.Kekulize(mol, clearAromaticFlags=True)
    elements = np.array([[_atoms(mol)[s] for s in ELEMENTS] for mol in mols])
    bonds = [_bonds(mol) for mol in mols]
    kinds = sorted({kind for one in bonds for kind in one})
    table = np.array([[one[kind] for kind in kinds] for one in bonds])
    found = {
        "isomers": list(isomers(pool, elements, random, near=False)),
        "near isomers": list(isomers(pool, elements, random, near=True)),
        "isodesmic": list(pairs(pool, lambda i, j: (table[i] + table[j]).tobytes(), random)),
        "random pairs": list(
            pairs(pool, lambda i, j: (elements[i] + elements[j]).tobytes(), random)
        ),
        "bond separations": list(separations(pool, mols, bonds, elements)),
    }
    for name, some in found.items():
        chosen = random.permutation(len(some))[:most]
        found[name] = [some[k] for k in chosen]
    return found


def _atoms(mol: Chem.Mol) -> Counter[str]:
    counts = Counter(atom.GetSymbol() for atom in mol.GetAtoms())
    counts["H"] = sum(atom.GetTotalNumHs() for atom in mol.GetAtoms())
    return counts


def _bonds(mol: Chem.Mol) -> Counter[tuple[str, str, int]]:
    """Bonds by elements and order, those to hydrogen too."""
    counts: Counter[tuple[str, str, int]] = Counter()
    for bond in mol.GetBonds():
        ends = sorted((bond.GetBeginAtom().GetSymbol(), bond.GetEndAtom().GetSymbol()))
        counts[ends[0], ends[1], int(bond.GetBondType())] += 1
    for atom in mol.GetAtoms():
        counts[atom.GetSymbol(), "H", 1] += atom.GetTotalNumHs()
    return +counts


def isomers(
    pool: Pool, elements: np.ndarray, random: np.random.Generator, near: bool
) -> Iterator[Reaction]:
    """For each molecule a reaction to an isomer, the most similar one or any."""
    groups = defaultdict(list)
    for k in range(pool.count):
        groups[elements[k].tobytes()].append(k)
    graphs = [environments(molecule) for molecule in pool.molecules] if near else []
    for group in groups.values():
        for k in group:
            others = [j for j in group if j != k]
            if not others:
                continue
            other = (
                max(others, key=lambda j: similarity(graphs[k], graphs[j]))
                if near
                else int(random.choice(others))
            )
            yield {k: -1, other: 1}


def pairs(
    pool: Pool, key: Callable[[int, int], Hashable], random: np.random.Generator
) -> Iterator[Reaction]:
    """Two molecules to two others with the same sum of what `key` counts."""
    groups = defaultdict(set)
    for i, j in random.integers(0, pool.count, (TRIED, 2)).tolist():
        if i != j:
            groups[key(i, j)].add((min(i, j), max(i, j)))
    for group in groups.values():
        if len(group) < 2:
            continue
        some = sorted(group)
        a, b = (some[k] for k in random.choice(len(some), 2, replace=False))
        if len({*a, *b}) == 4:
            yield {a[0]: -1, a[1]: -1, b[0]: 1, b[1]: 1}


def separations(
    pool: Pool,
    mols: list[Chem.Mol],
    bonds: list[Counter[tuple[str, str, int]]],
    elements: np.ndarray,
) -> Iterator[Reaction]:
    """The bond separation of each molecule whose bonds have partners."""
    for k in range(pool.count):
        whole = {kind: n for kind, n in bonds[k].items() if "H" not in kind}
        if not set(whole) <= set(SEPARATED) or Chem.GetFormalCharge(mols[k]):
            continue
        if any(atom.GetFormalCharge() for atom in mols[k].GetAtoms()):
            continue
        reaction: Counter[int] = Counter({k: -1})
        for kind, number in whole.items():
            reaction[pool.partners[SEPARATED[kind]]] += number
        rest = sum(n * elements[j] for j, n in reaction.items())
        for symbol, hydride in HYDRIDES.items():
            reaction[pool.partners[hydride]] -= int(rest[ELEMENTS.index(symbol)])
        assert not sum(n * elements[j] for j, n in reaction.items()).any()
        yield {j: n for j, n in reaction.items() if n}


# --- errors and scales ------------------------------------------------------------------------


def measure(
    pool: Pool, reactions: dict[str, list[Reaction]]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The error of each reaction and the scale of its interval, kcal/mol, by class."""
    graphs = {
        k: environments(pool.molecules[k])
        for k in {k for some in reactions.values() for one in some for k in one}
    }
    errors, scales = {}, {}
    for name, some in reactions.items():
        errors[name] = np.array([sum(n * pool.error[k] for k, n in one.items()) for one in some])
        scales[name] = np.array(
            [
                joint_scale(
                    np.array([n * pool.half[k] for k, n in one.items()]), [graphs[k] for k in one]
                )
                for one in some
            ]
        )
    return errors, scales


def added_squares(pool: Pool, reactions: dict[str, list[Reaction]]) -> dict[str, np.ndarray]:
    """The half widths that come from adding the squares of the molecules' own, kcal/mol."""
    return {
        name: np.array([np.linalg.norm([n * pool.half[k] for k, n in one.items()]) for one in some])
        for name, some in reactions.items()
    }


def coverage_rows(
    errors: dict[str, np.ndarray],
    scales: dict[str, np.ndarray],
    squares: dict[str, np.ndarray],
    own: JointCalibration,
) -> dict[str, dict[str, float]]:
    """Errors, widths and shares covered, by class and of all."""
    found = {}
    for name in (*errors, "all"):
        error, scale, naive = (
            np.concatenate(list(some.values())) if name == "all" else some[name]
            for some in (errors, scales, squares)
        )
        size, half = np.abs(error), own.factor(BASE) * scale
        found[f"{len(error)} reactions, {name}"] = {
            "count": float(len(error)),
            "mae": float(size.mean()),
            "rmse": float(np.sqrt((error**2).mean())),
            "median": float(np.median(size)),
            "max": float(size.max()),
            "above_1": float((size > 1).mean()),
            "bias": float(error.mean()),
            "coverage": float((size <= half).mean()),
            "interval": float(half.mean()),
            "coverage_50": float((size <= own.factor(0.5) * scale).mean()),
            "coverage_80": float((size <= own.factor(0.8) * scale).mean()),
            "coverage_95": float((size <= own.factor(0.95) * scale).mean()),
            "coverage_squares": float((size <= naive).mean()),
            "interval_squares": float(naive.mean()),
        }
    return found


if __name__ == "__main__":
    main()
