r"""Products of random densities of an atom's neighbours, and of GFN2-xTB's numbers.

The densities of `density_expansion` are mixed at random, over radial functions ν and elements Z:

    A_i^{cl} = Σ_{νZ} W^{cl}_{νZ} Σ_{j of Z} g_ν(r_ij) Y^l(r̂_ij)            l = 0, 1, 2; c = 1 … C

Nine products of each c do not change when the molecule turns. With a = A⁰, v = A¹, T = A²:

    p = [a, a², a³, |v|², |T|², v·Tv, det T, a|v|², a|T|²]

They are sums over up to three neighbours. Random mixtures stand in the place of all pairs and
triples of (ν, Z): Darby et al., Phys. Rev. Lett. 131, 028001 (2023).

z, the thirteen numbers of `electrons` in deviations among the atoms of the element (cut off at
six), are mixed at random, too: u = R [z, 1]. Then p also holds z, u, u², u³, ua, u|v|² and u|T|².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from onekcal.features.density_expansion import expand, neighbour_sums, turned_products
from onekcal.features.electrons import NAMES, electrons
from onekcal.features.known_elements import places_of
from onekcal.molecules import Molecules

FADE = 0.5
"""W is normal with the deviation ν^−FADE / √(N · elements): quick waves count less."""
SPREAD = 2.0
"""R is normal with this deviation over the root of its columns."""
FAR = 6.0
"""Deviations at which z is cut off, so that its cubes stay tame."""
LEAST = 1e-3
"""Atomic units; added to the deviations of the electrons' numbers."""


@dataclass(frozen=True)
class DensityProducts:
    """Products for some elements.

    Parameters
    ----------
    elements
        Nuclear charges, ascending.
    cutoff
        r_c, Å.
    mixtures
        (3, C, N·elements) W.
    electronic
        (C, 14) R; None leaves the electrons out.
    standard
        (2, elements, 13) mean and deviation of the electrons' numbers.
    """

    elements: tuple[int, ...]
    cutoff: float
    mixtures: Tensor
    electronic: Tensor | None = None
    standard: Tensor | None = None

    @classmethod
    def drawn(
        cls, elements: tuple[int, ...], cutoff: float, count: int, radial: int, seed: int
    ) -> Self:
        """Draw mixtures of neighbours, without electrons.

        Parameters
        ----------
        elements, cutoff
            As in the class.
        count
            C.
        radial
            Number N of radial functions.
        seed
            Seed of the draw.
        """
        draw = torch.Generator().manual_seed(seed)
        W = torch.randn(3, count, radial, len(elements), generator=draw)
        W *= torch.arange(1, radial + 1)[:, None] ** -FADE
        return cls(elements, cutoff, W.flatten(2) / (radial * len(elements)) ** 0.5)

    def with_electrons(self, molecules: Molecules, seed: int) -> Self:
        """Return products that hold the electrons, too.

        Parameters
        ----------
        molecules
            Molecules that tell the mean and deviation of the electrons' numbers.
        seed
            Seed of the draw.
        """
        count, columns = self.mixtures.shape[1], len(NAMES) + 1
        draw = torch.Generator().manual_seed(seed)
        R = torch.randn(count, columns, generator=draw) * (SPREAD / columns**0.5)
        kinds, known = self.kinds(molecules), electrons(molecules)
        own = [known[kinds == kind] for kind in range(len(self.elements))]
        standard = torch.stack(
            [
                torch.stack([x.mean(0) for x in own]),
                torch.stack([x.std(0, correction=0) + LEAST for x in own]),
            ]
        )
        return type(self)(self.elements, self.cutoff, self.mixtures, R, standard)

    @property
    def size(self) -> int:
        """How many numbers an atom has."""
        count = self.mixtures.shape[1]
        return 9 * count + (6 * count + len(NAMES) if self.electronic is not None else 0)

    def kinds(self, molecules: Molecules) -> Tensor:
        """Return the place of each atom's element among the elements.

        Parameters
        ----------
        molecules
            Molecules with A atoms in all.

        Returns
        -------
        Tensor
            (A,) int64.

        Raises
        ------
        InputError
            An element is not among them.
        """
        return places_of(molecules, self.elements, "products of densities")

    def __call__(self, molecules: Molecules) -> Tensor:
        """Return the products of every atom.

        Parameters
        ----------
        molecules
            A few molecules with A atoms in all.

        Returns
        -------
        Tensor
            (A, size) float64, with the graph of the positions but for the electrons.
        """
        kinds = self.kinds(molecules)
        numbers, positions = molecules.pad()
        there, n = numbers > 0, numbers.shape[1]
        pairs = there[:, :, None] & there[:, None] & ~torch.eye(n, dtype=torch.bool)
        radial = self.mixtures.shape[2] // len(self.elements)
        known = expand(positions, pairs, radial, self.cutoff)
        sent = torch.zeros(*there.shape, len(self.elements), dtype=positions.dtype)
        sent[there] = one_hot(kinds, len(self.elements)).to(sent)
        rows = (known.radial, known.vectors.flatten(1, 2), known.tensors.flatten(1, 2))
        scalars, v, T = (
            neighbour_sums(each, sent, n, radial) @ W.T.to(positions)
            for each, W in zip(rows, self.mixtures)
        )
        a = scalars[:, 0]
        vv, TT, vTv, det = turned_products(v, T)
        p = torch.cat([a, a**2, a**3, vv, TT, vTv, det, a * vv, a * TT], -1)[there]
        if self.electronic is None or self.standard is None:
            return p
        middle, width = self.standard[:, kinds]
        z = ((electrons(molecules) - middle) / width).clamp(-FAR, FAR)
        u = torch.cat([z, torch.ones_like(z[:, :1])], 1) @ self.electronic.T.to(z)
        a, vv, TT = a[there], vv[there], TT[there]
        return torch.cat([p, z, u, u**2, u**3, u * a, u * vv, u * TT], 1)
