"""Molecules that repeat another one, and splits that have a copy in two parts."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.data.splits import TEST, TRAIN, VALID
from onekcal.datasets.doctor.diagnosis import Diagnosis
from onekcal.datasets.doctor.twins import twins

SAME, NEAR = 0.001, 0.01
"""Å. Two geometries are the same, or nearly the same, where all distances differ by less."""


def copies(diagnosis: Diagnosis, dataset: Dataset, pairs: np.ndarray) -> None:
    """Report molecules that repeat another one, and whether their labels agree.

    Parameters
    ----------
    diagnosis
        The findings are added to it.
    dataset
        The whole data set.
    pairs
        (P, 2) rows of molecules that are equal to `NEAR`.
    """
    molecules = dataset.molecules
    again = len(np.unique(pairs[:, 1]))
    if not again:
        diagnosis.add("ok", "duplicates", f"none (same atoms with all distances equal to {NEAR} Å)")
        return
    some = np.unique(pairs)
    same = some[twins(molecules[some.tolist()], SAME)]  # rows of all
    exact = len(np.unique(same[:, 1]))
    example = " and ".join(str(molecules.names[m]) for m in pairs[0])
    diagnosis.add(
        "warning" if again > 0.001 * len(molecules) else "note",
        "duplicates",
        f"{again:,} molecules repeat an earlier one with all distances equal to {NEAR} Å, "
        f"{exact:,} of them to {SAME} Å, first: {example}",
        "mirror images count as equal; remove copies, or keep them in one part of a split",
    )
    for name, column in dataset.columns.items():
        if column.quantity != "energy" or not exact:
            continue
        apart = (column.values[same[:, 0]] - column.values[same[:, 1]]).abs().nan_to_num(0.0)
        if (apart > 1.0).any():
            most = " and ".join(str(molecules.names[m]) for m in same[int(apart.argmax())])
            diagnosis.add(
                "warning",
                f"{name} of duplicates",
                f"{int((apart > 1.0).sum()):,} pairs of equal geometries differ "
                f"by more than 1 kcal/mol, most ({float(apart.max()):.1f}): {most}",
                "other states or charges, or a label of another molecule; look at them",
            )


def fits(diagnosis: Diagnosis, name: str, labels: Tensor, count: int) -> bool:
    """Say whether a split has one label for each molecule; report it if not.

    Parameters
    ----------
    diagnosis
        The findings are added to it.
    name, labels
        The split and its name.
    count
        How many molecules there are.
    """
    if labels.shape != (count,):
        diagnosis.add(
            "error",
            f"split {name}",
            f"{len(labels):,} labels for {count:,} molecules",
            "it belongs to other data",
        )
        return False
    return True


def check_split(diagnosis: Diagnosis, name: str, labels: Tensor, pairs: np.ndarray) -> None:
    """Report the sizes of the parts, and test molecules that have a copy in the training part.

    A molecule has one label, so no molecule is in two parts; its copy may be.

    Parameters
    ----------
    diagnosis
        The findings are added to it.
    name, labels
        The split and its name; the labels are (M,).
    pairs
        (P, 2) rows of molecules that are equal to `NEAR`.
    """
    kinds = labels.numpy()
    parts = {
        part: int((kinds == label).sum())
        for part, label in (("train", TRAIN), ("valid", VALID), ("test", TEST))
    }
    counts = ", ".join(f"{count:,} {part}" for part, count in parts.items() if count)
    if not parts["train"]:
        diagnosis.add(
            "error",
            f"split {name}",
            f"{counts or 'nothing'}; no training part",
            "make the split again",
        )
    first, second = kinds[pairs[:, 0]], kinds[pairs[:, 1]]
    tested = np.concatenate(
        [
            pairs[(first == TEST) & (second == TRAIN), 0],
            pairs[(first == TRAIN) & (second == TEST), 1],
        ]
    )
    leaked = len(np.unique(tested))
    if leaked:
        diagnosis.add(
            "warning" if leaked > 0.001 * parts["test"] else "note",
            f"split {name}",
            f"{counts}; {leaked:,} test molecules equal a training molecule to {NEAR} Å",
            "errors on those are not errors on something new",
        )
    elif parts["train"]:
        diagnosis.add("ok", f"split {name}", f"{counts}; no test molecule is in the training part")
