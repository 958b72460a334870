"""FCHL19 features of atomic environments in plain torch.

They are differentiable, and they run where there is no kernelforge.

Around atom i, by element of the neighbour j (r = r_ij, s² = ln(1 + η₂/r²), μ = ln(r/√(1 + η₂/r²))):

    x₂(R) = Σ_j  r^−1.8 · f(r) · exp(−(ln R − μ)²/2s²) / (R s √2π)                  for 24 radii R

and by pair of elements of the neighbours j < k, with the angles θ of the triangle:

    x₃(R) = Σ_jk  w · (1 + 3 cos θ_i cos θ_j cos θ_k) / (r_ij r_jk r_ik)^0.57 · f(r_ij) f(r_ik)
                  · √(η₃/π) exp(−η₃ (R − (r_ij + r_ik)/2)²)
                  · 2 exp(−ζ²/2) (cos θ_i, sin θ_i)                                 for 20 radii R

with f(r) = (1 + cos(πr/r_cut))/2. Distances are in Å. Christensen, Bratholm, Faber, von Lilienfeld,
J. Chem. Phys. 152, 044107 (2020). The order of the entries is that of kernelforge's
`generate_fchl_acsf`, which the tests compare with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from onekcal.errors import ConfigError
from onekcal.features.known_elements import places_of
from onekcal.molecules import Molecules

ZETA = math.pi
TRIPLES = 25_000
"""Atom triples that are worked on at once, about 25 MB. With more, memory slows the arithmetic."""


@dataclass(frozen=True)
class Fchl19:
    """The features for a list of elements, with kernelforge's names and the paper's values.

    Parameters
    ----------
    elements
        Nuclear charges.
    rcut, acut
        Å, the two-body and the three-body cut-off.
    nRs2, nRs3
        How many radii the two-body and the three-body functions have.
    eta2, eta3
        Widths of the radial functions, Å² and Å⁻².
    two_body_decay, three_body_decay
        Exponents of the decay with distance.
    three_body_weight
        Factor of the three-body functions.
    """

    elements: tuple[int, ...]
    rcut: float = 6.0
    acut: float = 6.0
    nRs2: int = 24
    nRs3: int = 20
    eta2: float = 0.32
    eta3: float = 2.7
    two_body_decay: float = 1.8
    three_body_decay: float = 0.57
    three_body_weight: float = 13.4

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "elements" and value <= 0:
                raise ConfigError(f"FCHL19: `{name}` must be positive, got {value}")

    @property
    def size(self) -> int:
        """The number of features of an atom."""
        count = len(self.elements)
        return self.nRs2 * count + 2 * self.nRs3 * (count * (count + 1) // 2)

    def __call__(self, molecules: Molecules) -> Tensor:
        """Return the features (A, size), float64, with the gradient graph of the positions."""
        kind = self.kinds(molecules)
        i, j = neighbours(molecules)
        r = (molecules.positions[i] - molecules.positions[j]).norm(dim=1)  # (pairs,)
        near = r < self.rcut
        two = self._two_body(i[near], kind[j[near]], r[near], len(kind))
        near = r < self.acut
        three = self._three_body(molecules.positions, kind, i[near], j[near], r[near])
        return torch.cat([two, three], 1)

    def kinds(self, molecules: Molecules) -> Tensor:
        """Return the place of each atom's element in `elements`, (A,).

        Parameters
        ----------
        molecules
            The molecules.

        Raises
        ------
        InputError
            A molecule has another element.
        """
        return places_of(molecules, self.elements, "FCHL19 features")

    def _two_body(self, i: Tensor, kind: Tensor, r: Tensor, atoms: int) -> Tensor:
        radii = torch.linspace(0, self.rcut, self.nRs2 + 1, dtype=r.dtype)[1:]
        width = torch.log1p(self.eta2 / r**2).sqrt()
        middle = torch.log(r) - 0.5 * width**2
        scale = (
            _cutoff(r, self.rcut) * r**-self.two_body_decay / (width * math.sqrt(2 * math.pi))
        )  # (pairs,)
        bumps = torch.exp(-0.5 * ((radii.log() - middle[:, None]) / width[:, None]) ** 2) / radii
        out = r.new_zeros(atoms * len(self.elements), self.nRs2)
        return out.index_add(0, i * len(self.elements) + kind, scale[:, None] * bumps).reshape(
            atoms, -1
        )

    def _three_body(
        self, positions: Tensor, kind: Tensor, i: Tensor, j: Tensor, r: Tensor
    ) -> Tensor:
        count = len(self.elements)
        pairs = count * (count + 1) // 2
        place = torch.zeros(count, count, dtype=torch.int64)
        a, b = torch.triu_indices(count, count)
        place[a, b] = place[b, a] = torch.arange(pairs)
        out = positions.new_zeros(len(kind) * pairs, 2 * self.nRs3)
        for first, second in _triples(i, len(kind)):
            slot = i[first] * pairs + place[kind[j[first]], kind[j[second]]]
            out = out.index_add(
                0, slot, self._bumps(positions, j[first], j[second], r[first], r[second])
            )
        return out.reshape(len(kind), -1)

    def _bumps(self, positions: Tensor, j: Tensor, k: Tensor, near: Tensor, far: Tensor) -> Tensor:
        """(triples, 2 · radii) what pairs of neighbours add; `near` and `far` are r_ij and r_ik."""
        across = (positions[j] - positions[k]).norm(dim=1)
        a, b, c = near**2, far**2, across**2
        cos_i = ((a + b - c) / (2 * near * far)).clamp(-1, 1)
        cos_j, cos_k = (a + c - b) / (2 * near * across), (b + c - a) / (2 * far * across)
        # sin θ comes from the triangle's area: its slope is finite where three atoms lie on a
        # line, and that of acos is not
        sin_i = _sine(a, b, c) / (2 * near * far)
        factor = (
            self.three_body_weight
            * (1 + 3 * cos_i * cos_j * cos_k)
            / (near * far * across) ** self.three_body_decay
        )
        factor = factor * _cutoff(near, self.acut) * _cutoff(far, self.acut)
        factor = factor * (2 * math.exp(-0.5 * ZETA**2) * math.sqrt(self.eta3 / math.pi))
        radii = torch.linspace(0, self.acut, self.nRs3 + 1, dtype=near.dtype)[1:]
        bumps = torch.exp(-self.eta3 * (radii - 0.5 * (near + far)[:, None]) ** 2)
        angular = factor[:, None] * torch.stack([cos_i, sin_i], 1)
        return (bumps[:, :, None] * angular[:, None, :]).flatten(1)


def _sine(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """2 r_ij r_ik sin θ_i from squared sides (Heron); where atoms are in line its slope is 0."""
    area = 4 * a * b - (a + b - c) ** 2
    flat = area <= 1e-12 * a * b
    return torch.where(flat, torch.zeros_like(area), area.masked_fill(flat, 1.0).sqrt())


def _cutoff(r: Tensor, cutoff: float) -> Tensor:
    return 0.5 * (torch.cos(math.pi / cutoff * r) + 1)


def neighbours(molecules: Molecules) -> tuple[Tensor, Tensor]:
    """Return every ordered pair of atoms of the same molecule.

    Parameters
    ----------
    molecules
        The molecules.

    Returns
    -------
    tuple
        (pairs,) rows of atoms i, ascending, and (pairs,) rows of their partners j ≠ i.
    """
    sizes = molecules.sizes[molecules.owner]  # (A,)
    i = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    starts = torch.repeat_interleave(molecules.offsets[:-1][molecules.owner], sizes)
    before = torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    j = starts + torch.arange(len(i)) - before
    apart = i != j
    return i[apart], j[apart]


def _triples(i: Tensor, atoms: int) -> list[tuple[Tensor, Tensor]]:
    """Rows (first < second) of neighbour pairs that share their atom i, in blocks."""
    counts = torch.bincount(i, minlength=atoms)
    ends = counts.cumsum(0)[i]  # (pairs,) where the neighbours of i end
    later = ends - torch.arange(len(i)) - 1  # partners that come after
    cuts = (later.cumsum(0) // TRIPLES).diff().nonzero().flatten() + 1
    out = []
    for block in torch.tensor_split(torch.arange(len(i)), cuts):
        reach = later[block]
        first = torch.repeat_interleave(block, reach)
        within = torch.arange(len(first)) - torch.repeat_interleave(reach.cumsum(0) - reach, reach)
        out.append((first, first + 1 + within))
    return out
