"""FCHL19 features as an exact kernel takes them: padded, a few molecules at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from onekcal.features.fchl import Environments, environments, environments_and_gradients, width
from onekcal.models.kernels.local_kernel import Atoms
from onekcal.models.kernels.packed_cholesky import Array
from onekcal.molecules import Molecules

BLOCK = 512
"""Molecules whose features are made at a time."""
GRADIENT_BYTES = 256 * 2**20
"""Bytes of feature gradients held at a time, where not all are needed at once."""


def gradient_elements(count: int, size: int, elements: int) -> int:
    """Return how many numbers the padded feature gradients of `count` molecules hold.

    Parameters
    ----------
    count, size, elements
        Molecules, atoms in the largest, different elements.
    """
    return count * size * width(elements) * 3 * size


def atoms(padded: Environments, elements: list[int], first: int = 0) -> Atoms:
    """Return environments without padding.

    Parameters
    ----------
    padded
        Environments of the molecules `first`, `first` + 1 …
    elements
        Nuclear charges, ascending; `Atoms.kinds` are places in this list.
    first
        Number of the first molecule.
    """
    molecule, place = padded.charges.nonzero()
    kinds = np.searchsorted(elements, padded.charges[molecule, place])
    return Atoms(
        *map(torch.from_numpy, (padded.features[molecule, place], kinds, first + molecule))
    )


@dataclass
class FchlFeatures:
    """How the features of one kernel are made.

    Parameters
    ----------
    elements
        Nuclear charges of the training molecules, ascending.
    padded_to
        Atoms of the largest training molecule.
    basis
        Cut-offs `rcut` and `acut` (Å) and other parameters of the features, by name.
    """

    elements: list[int]
    padded_to: int
    basis: dict[str, float]

    def room(self, molecules: Molecules) -> int:
        """Return how many atoms features are padded to: at least those of the largest molecule.

        Parameters
        ----------
        molecules
            M molecules.
        """
        return max([self.padded_to, *molecules.sizes.tolist()])

    def of(self, molecules: Molecules) -> Environments:
        """Return the features of molecules.

        Parameters
        ----------
        molecules
            M molecules.
        """
        return environments(molecules, self.elements, self.room(molecules), **self.basis)

    def with_gradients(self, molecules: Molecules) -> tuple[Environments, Array]:
        """Return the features of M molecules and their gradients (M, n, d, 3n), Å⁻¹.

        Parameters
        ----------
        molecules
            M molecules.
        """
        return environments_and_gradients(
            molecules, self.elements, self.room(molecules), **self.basis
        )

    def parts_with_gradients(
        self, molecules: Molecules
    ) -> Iterator[tuple[slice, Environments, Array]]:
        """Give, for a few molecules at a time, their rows, their features and the gradients.

        Parameters
        ----------
        molecules
            M molecules.
        """
        each = 8 * gradient_elements(1, self.room(molecules), len(self.elements))
        block = max(1, int(GRADIENT_BYTES / each))
        for first in range(0, len(molecules), block):
            rows = slice(first, min(first + block, len(molecules)))
            yield rows, *self.with_gradients(molecules[rows])

    def atoms(self, molecules: Molecules) -> Iterator[Atoms]:
        """Give the features without padding, a few molecules at a time.

        Parameters
        ----------
        molecules
            M molecules.
        """
        for first in range(0, len(molecules), BLOCK):
            yield atoms(self.of(molecules[first : first + BLOCK]), self.elements, first)
