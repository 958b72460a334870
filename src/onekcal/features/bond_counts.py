r"""Bonds, atoms and next neighbours of a molecule, counted smoothly from distances alone.

A pair of atoms is d = r / (R_i + R_j) apart, in sums of their covalent radii. Its weight w falls
from 1 at `FULL` to 0 at `GONE`, with a continuous slope. Bonds are seen in the distances, so that
charged and open-shell molecules need no assignment of bond orders.

    bond A–B                Σ w
    order A–B               Σ w (exp((1 − d) / LENGTH) − 1)     Pauling's bond order beyond one
    atom A                  Σ_i min(1, Σ_j w_ij)                a lone atom counts nothing
    neighbours A–C–B        Σ w_ic w_jc                         A and B bonded to the same C

The order is counted for pairs without hydrogen, neighbours where one end at least is no hydrogen.
Every count is a sum over pairs within 1.5 sums of radii. So the counts of two far molecules add up.

Bond order from length: Pauling, J. Am. Chem. Soc. 69, 542 (1947).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from ase.data import covalent_radii
from torch import Tensor

from onekcal.geometry.bonds import APART, BONDED
from onekcal.molecules import Molecules

FULL, GONE = BONDED, APART
"""Sums of covalent radii. The weight of a pair is 1 below the first and 0 above the second."""
LENGTH = 0.19
"""Sums of covalent radii that a bond shortens by while its order grows by a factor e.

It makes C=C a bond of order 2 and C≡C one of order 3.
"""
What = Literal["bond", "order", "atom", "neighbours"]
WHATS: tuple[What, ...] = get_args(What)
Kind = tuple[int, int, int, int]
"""What is counted, as a place in `WHATS`, and the nuclear charges of up to three atoms (0: none).

Of neighbours the middle one is the common atom.
"""
AT_ONCE = 256
"""Molecules whose pairs are held together."""


def bond_counts(
    molecules: Molecules, whats: Sequence[What], kinds: Sequence[Kind] | None = None
) -> tuple[Tensor, list[Kind]]:
    """Count what each molecule has of each kind.

    Parameters
    ----------
    molecules
        M molecules. The counts keep the graph of their positions.
    whats
        What is counted.
    kinds
        The k columns; anything else is not counted. None takes all that the molecules have.

    Returns
    -------
    tuple
        Counts (M, k), float64, and the kinds of the columns.
    """
    parts, first = [], 0
    for rows in torch.arange(len(molecules)).split(AT_ONCE) if len(molecules) else ():
        for owner, kind, count in _entries(molecules[rows], whats):
            parts.append((owner + first, kind, count))
        first += len(rows)
    if kinds is None:
        seen = [kind.unique(dim=0) for _, kind, _ in parts if len(kind)]
        kinds = [] if not seen else [tuple(k) for k in torch.cat(seen).unique(dim=0).tolist()]
    columns = {kind: k for k, kind in enumerate(kinds)}
    counts = torch.zeros(len(molecules) * len(kinds), dtype=torch.float64)
    for owner, kind, count in parts:
        distinct, which = kind.unique(dim=0, return_inverse=True)
        found = [columns.get(tuple(k), -1) for k in distinct.tolist()]
        place = torch.tensor(found, dtype=torch.int64)[which]
        known = place >= 0
        slots = owner[known] * len(kinds) + place[known]
        counts = counts.index_add(0, slots, count[known])
    return counts.reshape(len(molecules), len(kinds)), list(kinds)


Entries = tuple[Tensor, Tensor, Tensor]
"""Molecule (e,), kind (e, 4) and count (e,) of single entries."""


def _entries(molecules: Molecules, whats: Sequence[What]) -> list[Entries]:
    """What the pairs of a few molecules count."""
    i, j, apart = _pairs(molecules)  # (pairs,) atoms of each, distance in sums of radii
    weight = _weight(apart)
    z, owner, out = molecules.numbers, molecules.owner, []
    low, high = torch.minimum(z[i], z[j]), torch.maximum(z[i], z[j])
    if "bond" in whats:
        out.append((owner[i], _kind("bond", low, high), weight))
    if "order" in whats:
        heavy = low > 1
        order = weight * (torch.exp((1.0 - apart) / LENGTH) - 1.0)
        out.append((owner[i][heavy], _kind("order", low[heavy], high[heavy]), order[heavy]))
    if "atom" in whats:
        held = torch.zeros(len(z), dtype=torch.float64)
        held = held.index_add(0, i, weight).index_add(0, j, weight).clamp(max=1.0)
        bound = held > 0
        out.append((owner[bound], _kind("atom", z[bound]), held[bound]))
    if "neighbours" in whats:
        out.append(_neighbours(molecules, torch.cat([i, j]), torch.cat([j, i]), weight.repeat(2)))
    return out


def _pairs(molecules: Molecules) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs of atoms nearer than `GONE`: the two atoms and their distance in sums of radii."""
    numbers, positions = molecules.pad()
    size = numbers.shape[1]
    a, b = torch.triu_indices(size, size, 1)
    radii = torch.as_tensor(covalent_radii)
    with torch.no_grad():
        there = (numbers[:, a] > 0) & (numbers[:, b] > 0)
        span = radii[numbers[:, a]] + radii[numbers[:, b]]
        gap = (positions[:, a] - positions[:, b]).norm(dim=-1)
        m, pair = torch.nonzero(there & (gap < GONE * span), as_tuple=True)
    i, j = molecules.offsets[m] + a[pair], molecules.offsets[m] + b[pair]
    gap = (molecules.positions[i] - molecules.positions[j]).norm(dim=-1)
    return i, j, gap.to(torch.float64) / span[m, pair]


def _weight(apart: Tensor) -> Tensor:
    """1 below `FULL`, 0 above `GONE`, half a cosine between them."""
    share = ((apart - FULL) / (GONE - FULL)).clamp(0.0, 1.0)
    return 0.5 * (1.0 + torch.cos(math.pi * share))


def _kind(what: What, *elements: Tensor) -> Tensor:
    """(e, 4) int64."""
    first = torch.full_like(elements[0], WHATS.index(what))
    empty = [torch.zeros_like(first)] * (3 - len(elements))
    return torch.stack([first, *elements, *empty], 1)


def _neighbours(molecules: Molecules, centre: Tensor, end: Tensor, weight: Tensor) -> Entries:
    """Pairs of bonds that share an atom; both directions of every bond are given."""
    z = molecules.numbers
    one, other = [], []
    order = centre.argsort(stable=True)
    for bonds in order.split(torch.bincount(centre, minlength=len(z)).tolist()):
        first, second = torch.triu_indices(len(bonds), len(bonds), 1)
        one.append(bonds[first])
        other.append(bonds[second])
    left, right = torch.cat(one), torch.cat(other)
    a, b = z[end[left]], z[end[right]]
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    some = high > 1
    kind = _kind("neighbours", low[some], z[centre[left]][some], high[some])
    return molecules.owner[centre[left]][some], kind, (weight[left] * weight[right])[some]
