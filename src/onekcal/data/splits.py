"""A split is one label a molecule: train, valid, test or unused."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from onekcal.errors import DataError

TRAIN, VALID, TEST, UNUSED = 0, 1, 2, 255
"""Labels of a split."""


def label_split(count: int, test: Any, train: Any = None, valid: Any = None) -> Tensor:
    """(count,) uint8 labels from row numbers; with no `train`, all that is not `test` or `valid`.

    Refuses rows that are not there and rows in two parts: such a split belongs to other data.
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
