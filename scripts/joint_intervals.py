"""Calibrate the joint interval of reactions on Ward's split 1 and test it once on split 2.

    python scripts/joint_intervals.py FOLDER [--model g4mp2] [--results results] [--keep ERRORS.npz]
    python scripts/joint_intervals.py FOLDER --test

FOLDER holds qm9.npz, qm9_gfn2.npz, qm9_gfn2_relaxed.npz and qm9_g4mp2_labels.npz. The first call
writes the factors to src/onekcal/shipped/reactions.json. It prints what they cover on the reactions
that they come from. The second call writes results/reactions.json.

The shipped model was fitted once more to its training and validation molecules, so those of split 1
that it was fitted to are left out: the draw of recipes/g4mp2.yaml is repeated. Reactions:

- isomers: a molecule and another of its formula, drawn at random;
- near isomers: a molecule and its most similar isomer;
- isodesmic: two molecules to two others with the same bonds of each kind;
- random pairs: two molecules to two others with the same elements;
- bond separations: a molecule and hydrides to molecules of one bond between heavy atoms. The small
  partners (methane, ammonia, water, ethane, methanol, formaldehyde, acetylene, hydrogen cyanide)
  belong to the training part. QM9 lacks the others, such as ethylene.

Each class counts alike.
"""

from __future__ import annotations

import argparse
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

from onekcal.bench.results import Measured
from onekcal.bench.results_file import write
from onekcal.data.splits import TEST, VALID
from onekcal.datasets.sets import qm9_g4mp2
from onekcal.geometry.minimum import minimum
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import SHIPPED, load_model
from onekcal.molecules import Molecules
from onekcal.prediction.joint import (
    BASE,
    FAMILIAR,
    LARGEST,
    JointCalibration,
    environments,
    joint_scale,
    similarity,
)
from onekcal.prediction.scope import half_width
from onekcal.system.provenance import provenance

SAMPLE, SEED, SMALL = 41_000, 20261121, 7
"""The draw of recipes/g4mp2.yaml."""
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
    novelty: np.ndarray
    heavy: np.ndarray
    molecules: Molecules
    count: int
    partners: dict[str, int] = field(default_factory=dict)


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("folder", type=Path)
    ask.add_argument("--model", default="g4mp2")
    ask.add_argument("--results", type=Path, default=Path("results"))
    ask.add_argument("--keep", type=Path, default=Path("reaction-errors.npz"))
    ask.add_argument("--test", action="store_true")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    artefact = load_model(asked.model)
    if asked.test:
        test(asked.folder, artefact, asked.results, asked.keep, started)
    else:
        calibrate(asked.folder, artefact, asked.model, asked.keep)


def calibrate(folder: Path, artefact: Artefact, name: str, keep: Path) -> None:
    """Write the factors, and print what they cover."""
    pool = read_pool(folder, artefact, VALID, keep)
    novelty = float(np.median(pool.novelty[: pool.count]))
    reactions = draw(pool, CALIBRATED, seed=1)
    errors, scales = measure(pool, reactions, artefact, novelty)
    squares = added_squares(reactions, artefact)
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
                "novelty": round(novelty, 6),
                "reactions": {c: len(e) for c, e in errors.items()},
                "coverages": coverages.tolist(),
                "factors": [round(float(f), 4) for f in factors],
            }
        ],
    }
    (SHIPPED / "reactions.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    own = JointCalibration("", novelty, tuple(coverages), tuple(factors))
    for line, found in coverage_rows(errors, scales, squares, own).items():
        print(line, {key: round(value, 3) for key, value in found.items()})


def test(folder: Path, artefact: Artefact, results: Path, keep: Path, started: float) -> None:
    """Write what the intervals cover on molecules that nothing was chosen by."""
    content = json.loads((SHIPPED / "reactions.json").read_text(encoding="utf-8"))["models"][0]
    own = JointCalibration(
        content["digest"],
        content["novelty"],
        tuple(content["coverages"]),
        tuple(content["factors"]),
    )
    assert own.digest == artefact.card.digest
    pool = read_pool(folder, artefact, TEST, keep)
    reactions = draw(pool, TESTED, seed=2)
    errors, scales = measure(pool, reactions, artefact, own.novelty)
    squares = added_squares(reactions, artefact)
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


def read_pool(folder: Path, artefact: Artefact, split: int, keep: Path) -> Pool:
    """The molecules of a split that the model was not fitted to, and the small partners."""
    kept = keep.with_stem(f"{keep.stem}-{split}")
    everything = qm9_g4mp2.read_mirror(folder)
    relaxed = qm9_g4mp2.read_relaxed(folder)
    rows = np.flatnonzero(relaxed.splits["ward"].numpy() == split)
    names = relaxed.dataset.molecules.names
    fitted = drawn(everything.dataset.molecules) if split == VALID else set()
    rows = rows[[name not in fitted for name in names[rows]]]
    part = relaxed.dataset[rows]
    with np.load(folder / "qm9_g4mp2_labels.npz") as file:
        smiles = dict(zip((f"gdb {k}" for k in file["gdb_id"]), file["smiles"].tolist()))
    texts = [_text(smiles[name]) for name in part.molecules.names]
    small, errors = partners(everything.dataset, [_text(s) for s in smiles.values()], artefact)
    if not kept.exists():
        energies, novelty = [], []
        for first in range(0, len(part), 256):
            block = part[np.arange(first, min(first + 256, len(part)))]
            with torch.no_grad():
                energies.append(artefact.model.energies(block.molecules, block.columns))
            novelty.append(artefact.model.novelty(block.molecules))
        error = torch.cat(energies) - part.columns["g4mp2"].values
        np.savez(kept, error=error.numpy(), novelty=torch.cat(novelty).numpy())
    with np.load(kept) as file:
        error, novelty = file["error"], file["novelty"]
    assert len(error) == len(part)
    molecules = Molecules.concatenate([part.molecules, *small.values()])
    return Pool(
        texts + list(small),
        np.concatenate([error, errors]),
        np.concatenate([novelty, np.zeros(len(small))]),
        molecules.sum_atoms((molecules.numbers > 1).to(torch.int64)).numpy(),
        molecules,
        len(part),
        {text: len(part) + k for k, text in enumerate(small)},
    )


def _text(smiles: bytes | str) -> str:
    return smiles.decode() if isinstance(smiles, bytes) else str(smiles)


def drawn(molecules: Molecules) -> set[str]:
    """The names of the molecules that the shipped model's data were drawn from."""
    heavy = molecules.sum_atoms((molecules.numbers > 1).to(torch.int64)).numpy()
    order = np.random.default_rng(SEED).permutation(len(molecules))
    rest = order[SAMPLE:]
    rows = np.concatenate([order[:SAMPLE], rest[heavy[rest] <= SMALL]])
    return set(molecules.names[rows].tolist())


def partners(
    dataset: qm9_g4mp2.Dataset, smiles: list[str], artefact: Artefact
) -> tuple[dict[str, Molecules], np.ndarray]:
    """The small molecules at their GFN2-xTB minima, and the model's errors on them."""
    small, errors = {}, []
    for text in (*HYDRIDES.values(), *SEPARATED.values()):
        row = smiles.index(text)
        relaxed, _ = minimum(dataset.molecules[row])
        small[text] = relaxed.molecule
        energy = float(artefact.model.energies(relaxed.molecule)[0])
        errors.append(energy - float(dataset.columns["g4mp2"].values[row]))
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
    pool: Pool, reactions: dict[str, list[Reaction]], artefact: Artefact, novelty: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The error of each reaction and the scale of its interval, kcal/mol, by class."""
    half = half_width(artefact, "gfn2", BASE)
    strange = np.maximum(pool.novelty / novelty, FAMILIAR)
    scale = half * np.maximum(pool.heavy, 1) / LARGEST * strange
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
                    np.array([n * scale[k] for k, n in one.items()]), [graphs[k] for k in one]
                )
                for one in some
            ]
        )
    return errors, scales


def added_squares(
    reactions: dict[str, list[Reaction]], artefact: Artefact
) -> dict[str, np.ndarray]:
    """The half widths that come from adding the squares of the molecules' own, kcal/mol."""
    half = half_width(artefact, "gfn2", BASE)
    return {
        name: np.array([half * np.linalg.norm(list(one.values())) for one in some])
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
