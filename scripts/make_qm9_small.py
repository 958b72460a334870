"""Rebuild the embedded `qm9-small` data set from `qm9`.

    onekcal data get qm9 && python scripts/make_qm9_small.py build/qm9-small

A random sample of the molecules of QM9 with up to seven heavy atoms is relaxed with GFN2-xTB (about
a minute on one core; finished molecules are kept). Molecules that fall apart are left out. The
result is written to `src/onekcal/datasets/sets/qm9_small.npz`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from onekcal import datasets
from onekcal.datasets import store
from onekcal.labels.labelling import label

SEED, COUNT, HEAVY = 0, 1500, 7
OUT = Path(__file__).parents[1] / "src/onekcal/datasets/sets/qm9_small.npz"


def main(work: Path) -> None:
    """Draw, relax and write.

    Parameters
    ----------
    work
        Folder for what is unfinished.
    """
    stored = datasets.load("qm9", strict=True)
    molecules = stored.dataset.molecules
    heavy = molecules.sum_atoms((molecules.numbers > 1).long()).numpy()
    small = np.flatnonzero(heavy <= HEAVY)
    rows = np.sort(np.random.default_rng(SEED).permutation(small)[:COUNT])
    work.mkdir(parents=True, exist_ok=True)
    store.save(work / "drawn.h5", stored.kept(rows))
    relaxed = work / "relaxed.h5"
    label(work / "drawn.h5", relaxed, "gfn2", relax=True, keep=["b3lyp"])
    write(relaxed, OUT)


def write(relaxed: Path, out: Path) -> None:
    """Write the relaxed molecules as compact arrays.

    Parameters
    ----------
    relaxed
        A data set of the store, with the columns gfn2 and b3lyp.
    out
        The file (.npz).
    """
    data = datasets.load(str(relaxed)).dataset
    molecules = data.molecules
    np.savez_compressed(
        out,
        Z=molecules.numbers.numpy().astype(np.uint8),
        R=molecules.positions.numpy().round(4).astype(np.float32),
        offsets=molecules.offsets.numpy().astype(np.int32),
        gdb=np.array([int(str(name).split()[-1]) for name in molecules.names], np.int32),
        E_gfn2=data.columns["gfn2"].values.numpy().round(4),
        E_b3lyp=data.columns["b3lyp"].values.numpy().round(4),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
