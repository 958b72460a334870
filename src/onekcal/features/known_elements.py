"""Features for a fixed list of elements refuse molecules that hold another one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from onekcal.errors import InputError
from onekcal.molecules import SYMBOLS, Molecules


def check_elements(molecules: Molecules, elements: Collection[int], what: str) -> None:
    """Refuse molecules with an element that the features do not know.

    Parameters
    ----------
    molecules
        The molecules.
    elements
        Nuclear charges that the features know.
    what
        The features, as the message names them.

    Raises
    ------
    InputError
        A molecule holds another element.
    """
    strange = [SYMBOLS[z] for z in molecules.elements if z not in elements]
    if strange:
        raise InputError(
            f"{what} for {', '.join(SYMBOLS[z] for z in elements)} cannot describe "
            f"{', '.join(strange)}: not in the training data"
        )


def places_of(molecules: Molecules, elements: Sequence[int], what: str) -> Tensor:
    """Return the place of each atom's element among those that features know.

    Parameters
    ----------
    molecules
        Molecules with A atoms in all.
    elements, what
        As in `check_elements`.

    Returns
    -------
    Tensor
        (A,) int64.

    Raises
    ------
    InputError
        A molecule holds another element.
    """
    check_elements(molecules, elements, what)
    table = torch.full((len(SYMBOLS),), -1)
    table[list(elements)] = torch.arange(len(elements))
    return table[molecules.numbers]
