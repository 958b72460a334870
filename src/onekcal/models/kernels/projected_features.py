"""FCHL19 features of atoms along the principal axes of their elements, and GFN2-xTB's electrons.

Features of geometry are differentiable. Those of the electrons follow them, each divided by its
standard deviation among the atoms of the element and multiplied by a weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Self

import torch
from torch import Tensor
from torch.autograd import forward_ad

from onekcal.errors import ConfigError, unknown
from onekcal.features.electrons import electrons
from onekcal.features.fchl_torch import Fchl19
from onekcal.models.kernels.landmark_kernel import principal_axes
from onekcal.molecules import Molecules

FEATURES = 64
"""Molecules whose features are made at a time."""
LEAST = 2e-3
"""Atomic units; added to the standard deviations of the electrons' numbers."""


def features_of(elements: Sequence[int], basis: Mapping[str, float]) -> Fchl19:
    """Return the features for some elements.

    Parameters
    ----------
    elements
        Nuclear charges, ascending.
    basis
        Cut-offs and other parameters of `Fchl19`, by name.

    Raises
    ------
    ConfigError
        A name is not known, or a value is not positive.
    """
    known = [each.name for each in fields(Fchl19) if each.name != "elements"]
    for name in basis:
        if name not in known:
            unknown("parameter of the FCHL19 basis", name, known, ConfigError)
    return Fchl19(tuple(elements), **basis)  # type: ignore[arg-type]


@dataclass
class ProjectedFeatures:
    """Features of d numbers an atom, projected on the leading axes of each element.

    Parameters
    ----------
    features
        The features of geometry before projection.
    middle
        (elements, d) what is subtracted from the features.
    axes
        (elements, d, dims) principal axes, then those of the electrons.
    electronic
        The weight of the electrons' numbers. 0: they are left out.
    """

    features: Fchl19
    middle: Tensor
    axes: Tensor
    electronic: float = 0.0
    _last: tuple[Molecules, Tensor, Tensor] | None = field(default=None, repr=False, compare=False)
    """One molecule that was asked about: its energy and its novelty need the same features."""

    @classmethod
    def found_on(
        cls, features: Fchl19, molecules: Molecules, dims: int, electronic: float = 0.0
    ) -> Self:
        """Find mean and principal axes of each element's features, rounded to float16.

        Parameters
        ----------
        features
            The features before projection.
        molecules
            The molecules whose environments are looked at.
        dims
            Axes to keep of the features of geometry, at most.
        electronic
            The weight of the electrons' numbers.
        """
        count, size = len(features.elements), features.size
        kept: list[tuple[Tensor, Tensor]] = []

        def of_geometry() -> Iterator[tuple[Tensor, Tensor]]:
            for _, kinds, x in _blocks(features, molecules, electronic):
                kept.append((kinds, x[:, size:]))
                yield kinds, x[:, :size]

        middle, axes = principal_axes(of_geometry(), count, size, min(dims, size))
        if electronic and kept:
            kinds, x = (torch.cat(part) for part in zip(*kept))
            own = [x[kinds == kind] for kind in range(count)]
            middle = torch.cat([middle, torch.stack([e.mean(0) for e in own])], 1)
            scales = [electronic / (e.std(0, correction=0) + LEAST) for e in own]
            axes = torch.stack([torch.block_diag(a, e.diag()) for a, e in zip(axes, scales)])
        return cls(features, middle.half(), axes.half().contiguous(), electronic)

    @property
    def dims(self) -> int:
        """How many numbers an atom has after projection."""
        return self.axes.shape[2]

    def project(self, kinds: Tensor, x: Tensor) -> Tensor:
        """Return features along the axes of each atom's element.

        Parameters
        ----------
        kinds
            (A,) place of each atom's element among the elements.
        x
            (A, d) features.

        Returns
        -------
        Tensor
            (A, dims).
        """
        out = x.new_zeros(len(x), self.dims)
        for kind in kinds.unique().tolist():
            own = torch.nonzero(kinds == kind).flatten()
            out = out.index_copy(
                0, own, (x[own] - self.middle[kind].to(x.dtype)) @ self.axes[kind].to(x.dtype)
            )
        return out

    def blocks(self, molecules: Molecules) -> Iterator[tuple[Molecules, Tensor, Tensor]]:
        """Give, for a few molecules at a time, them, their kinds (A,) and features (A, dims).

        Parameters
        ----------
        molecules
            M molecules.
        """
        if self._last is not None and self._last[0] is molecules:
            yield self._last
            return
        for block, kinds, x in _blocks(self.features, molecules, self.electronic):
            found = (block, kinds, self.project(kinds, x))
            if len(molecules) == 1 and not found[2].requires_grad:
                self._last = (molecules, *found[1:])
            yield found

    def rounded(self, molecules: Molecules) -> Tensor:
        """Return the projected features of all atoms in float32.

        Rounding moves an environment by 1e-7, by the same for every landmark.

        Parameters
        ----------
        molecules
            Molecules with A atoms in all.

        Returns
        -------
        Tensor
            (A, dims).
        """
        out = [torch.zeros(0, self.dims)]
        out += [x.float() for _, _, x in self.blocks(molecules)]
        return torch.cat(out)

    def with_slopes(self, molecule: Molecules) -> tuple[Tensor, Tensor, Tensor]:
        """Return the projected features of one molecule and their slopes.

        The slopes come from forward differentiation of one copy of the molecule a coordinate.

        Parameters
        ----------
        molecule
            One molecule of n atoms.

        Returns
        -------
        tuple of Tensor
            Kinds (n,), features (n, dims) and their slopes (3n, n, dims), Å⁻¹.
        """
        n = len(molecule.numbers)
        copies = Molecules.concatenate([molecule] * (3 * n))
        with forward_ad.dual_level():
            tangent = torch.eye(3 * n, dtype=torch.float64).reshape(-1, 3)
            moving = copies.moved(forward_ad.make_dual(copies.positions, tangent))
            value, slope = forward_ad.unpack_dual(
                self.project(self.features.kinds(copies), self.features(moving))
            )
        return self.features.kinds(molecule), value[:n], slope.reshape(3 * n, n, -1)


def _blocks(
    features: Fchl19, molecules: Molecules, electronic: float
) -> Iterator[tuple[Molecules, Tensor, Tensor]]:
    """Blocks of molecules, their kinds (A,) and features (A, d)."""
    for first in range(0, len(molecules), FEATURES):
        block = molecules[first : first + FEATURES]
        x = features(block)
        yield block, features.kinds(block), torch.cat([x, electrons(block)], 1) if electronic else x
