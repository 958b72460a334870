"""A split is one label a molecule: train, valid, test or unused."""

from __future__ import annotations

import numpy.typing as npt
import torch
from torch import Tensor

from onekcal.errors import DataError

TRAIN, VALID, TEST, UNUSED = 0, 1, 2, 255
"""Labels of a split."""


def label_split(
    count: int,
    test: npt.ArrayLike,
    train: npt.ArrayLike | None = None,
    valid: npt.ArrayLike | None = None,
) -> Tensor:
    """Return the labels of a split from row numbers.

    Parameters
    ----------
    count
        The number of molecules.
    test, train, valid
        Row numbers of each part. Without `train`, every row that is in no other part is in it.

    Returns
    -------
    Tensor
        (count,) labels, uint8: TRAIN, VALID, TEST or UNUSED.

    Raises
    ------
    DataError
        A row does not exist or is named twice. Such a split belongs to other data.
    """
    labels = torch.full((count,), UNUSED, dtype=torch.uint8)
    for part, named, label in (
        ("train", train, TRAIN),
        ("valid", valid, VALID),
        ("test", test, TEST),
    ):
        if named is None:
            continue
        rows = torch.as_tensor(named, dtype=torch.int64).flatten()
        outside = rows[(rows < 0) | (rows >= count)]
        if len(outside):
            raise DataError(
                f"the {part} part names row {int(outside[0])}, but the rows are 0 to {count - 1}: "
                "this split belongs to other data"
            )
        if len(rows.unique()) < len(rows) or (labels[rows] != UNUSED).any():
            raise DataError(
                f"the {part} part names a row twice, or one that is in another part already"
            )
        labels[rows] = label
    if train is None:
        labels[labels == UNUSED] = TRAIN
    return labels
