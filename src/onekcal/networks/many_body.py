"""AtomCloudNet's potentials V, V' and V'' (equations in `onekcal.networks.atomcloudnet`)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from onekcal.molecules import CLOSEST
from onekcal.networks.network import Batch
from onekcal.networks.pairs import pair_mask


class Pairs(NamedTuple):
    """Every two atoms of a batch; without a pair, the distance is 1 Å and has no gradient."""

    exist: Tensor  # (B, n, n) bool
    distances: Tensor  # (B, n, n) Å, never below `CLOSEST`
    directions: Tensor  # (B, n, n, 3) from the first atom to the second

    @classmethod
    def of(cls, batch: Batch) -> Pairs:
        """Make the pairs of a batch.

        Parameters
        ----------
        batch
            B molecules, padded to n atoms.
        """
        exist = pair_mask(batch)
        between = batch.positions[:, None] - batch.positions[:, :, None]  # (B, n, n, 3)
        square = torch.where(exist, between.square().sum(-1), 1.0)
        distances = square.clamp_min(
            CLOSEST**2
        ).sqrt()  # atoms on one point would have no direction
        return cls(exist, distances, between / distances[..., None])


def potentials(charges: Tensor, pairs: Pairs) -> Tensor:
    """Return the one-, two- and three-body potentials of all atoms.

    With w_ij = √(Z_i Z_j)/R³ and S_ij = w_ij · R̂R̂ᵀ, a 3 × 3 block of a matrix of all atoms, the
    sums over j and k are powers of matrices:

        Σ w w w = (w³)_ii
        cos α cos β cos γ = −(R̂_ij·R̂_ik)(R̂_ij·R̂_jk)(R̂_ik·R̂_jk)
        Σ w w w cos cos cos = −tr (S³)_ii

    Parameters
    ----------
    charges
        (B, n) nuclear charges, 0 in padding.
    pairs
        The pairs of the batch.

    Returns
    -------
    Tensor
        (B, n, 3), in powers of e² and Å.
    """
    size = charges.shape[1]
    products = charges[:, :, None] * charges[:, None]  # (B, n, n); 0 where an atom is missing
    inverse = pairs.exist * pairs.distances**-3
    two = (products * inverse.square()).sum(-1)
    weights = products.sqrt() * inverse
    plain = ((weights @ weights) * weights).sum(-1)
    blocks = (
        weights[..., None, None] * pairs.directions[..., :, None] * pairs.directions[..., None, :]
    )  # (B, n, n, 3, 3)
    whole = blocks.transpose(2, 3).reshape(-1, 3 * size, 3 * size)
    angular = ((whole @ whole) * whole).sum(-1).unflatten(1, (size, 3)).sum(-1)
    return torch.stack([charges, two, plain - angular], -1)
