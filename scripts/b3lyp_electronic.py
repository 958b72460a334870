"""Electronic energies of B3LYP for the molecules of QM9-G4MP2: the data of the model `b3lyp`.

    ONEKCAL_MIRROR=… python scripts/b3lyp_electronic.py OUT.h5 [--train 45000] [--seed 0]

QM9-G4MP2 lists B3LYP/6-31G(2df,p) with its zero-point energy. A user who has not computed
frequencies has only the electronic energy, so this one is what the model starts from. QM9's
properties hold the zero-point energy of a part of the molecules (of all of them in the original).

- Validation part and hold-out: only molecules whose zero-point energy is listed. Every error
  measured on them is one of the whole way from the electronic energy to G4(MP2) at 0 K.
- Training part: all of up to seven heavy atoms and others drawn at random. Where the zero-point
  energy is not listed, a kernel gives it that is fitted to those of the training part. The error of
  this kernel on the validation part is printed and written into the card.

Columns: g4mp2 (0 K), b3lyp (electronic), both kcal/mol relative to free atoms.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from onekcal import datasets as store
from onekcal.data.dataset import Column, Dataset
from onekcal.data.splits import TRAIN, VALID
from onekcal.datasets.card import Card, Stored
from onekcal.datasets.store import save
from onekcal.models.dressed_atoms import DressedAtoms
from onekcal.models.kernels.sparse_kernel import SparseKernel
from onekcal.models.stack import Stack
from onekcal.units import HARTREE

SETS = ("qm9-g4mp2", "qm9-properties")
SMALL = 7
"""Molecules of up to so many heavy atoms are all taken."""
BASIS = {"eta3": 5.0, "two_body_decay": 2.5, "three_body_weight": 26.0}
LEVEL = "b3lyp/6-31g(2df,p)"


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("out", type=Path)
    ask.add_argument("--train", type=int, default=45_000)
    ask.add_argument("--seed", type=int, default=0)
    asked = ask.parse_args()
    torch.set_num_threads(1)
    for name in SETS:
        store.get(name)
    labels, properties = (store.load(name, strict=True) for name in SETS)
    listed = dict(
        zip(
            properties.dataset.molecules.names.tolist(),
            (properties.dataset.columns["zpve"].values * HARTREE).tolist(),
        )
    )
    names, part = labels.dataset.molecules.names.tolist(), labels.splits["ward"].numpy()
    known = np.array([name in listed for name in names])
    rows = _chosen(labels.dataset, part, known, asked.train, asked.seed)
    data, part, known = labels.dataset[rows], part[rows], known[rows]
    zero_point = torch.tensor([listed.get(names[row], 0.0) for row in rows], dtype=torch.float64)
    given = data.with_column("zero point", Column(zero_point, level=LEVEL)).aimed("zero point")
    model = _fitted(given[known & (part == TRAIN)], given[known & (part == VALID)])
    test = given[known & (part == VALID)]
    error = float((model.energies(test.molecules) - test.energies).abs().mean())
    zero_point[~known] = model.energies(given[~known].molecules)
    electronic = Column(data.columns["b3lyp"].values - zero_point, level=LEVEL)
    said = (
        f"zero-point energies of {int((~known).sum()):,} training molecules are a kernel's, which "
        f"errs by {error:.3f} kcal/mol on {len(test):,} others"
    )
    card = Card(
        asked.out.stem,
        "electronic energies of B3LYP for molecules of QM9-G4MP2",
        labels.card.licence,
        labels.card.citation,
        level=labels.card.level,
        molecules=len(data),
        notes=said,
    )
    columns = {"g4mp2": data.columns["g4mp2"], "b3lyp": electronic}
    split = {"ward": torch.from_numpy(part)}
    save(asked.out, Stored(Dataset(data.molecules, columns), split, card))
    print(f"{asked.out}: {len(data):,} molecules; {said}")


def _chosen(
    data: Dataset, part: np.ndarray, known: np.ndarray, train: int, seed: int
) -> np.ndarray:
    """Row numbers of the molecules that are taken, ascending."""
    molecules = data.molecules
    heavy = molecules.sum_atoms((molecules.numbers > 1).to(torch.int64)).numpy()
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(part == TRAIN))
    first = (heavy[drawn] <= SMALL) | known[drawn]
    fitted = np.concatenate([drawn[first], drawn[~first]])[:train]
    return np.sort(np.concatenate([fitted, np.flatnonzero(known & (part != TRAIN))]))


def _fitted(train: Dataset, valid: Dataset) -> Stack:
    """A model of zero-point energies; λ is chosen on the validation part."""
    kernel = SparseKernel(4.0, [1e-6, 1e-5, 1e-4], landmarks=6000, rcut=5.0, acut=4.0, basis=BASIS)
    return Stack([DressedAtoms(), kernel]).fit(train, valid)


if __name__ == "__main__":
    main()
