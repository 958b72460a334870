r"""Landmarks for a low-rank kernel: randomly pivoted Cholesky over a pool of points.

K is the kernel matrix of the pool: its diagonal is 1, and it has one block for each kind of points.
A pivot s is drawn with a probability proportional to what the earlier pivots leave of the diagonal.
Then its part is subtracted:

    K ← K − K[:, s] K[s, s]⁻¹ K[s, :]

Chen, Epperly, Tropp, Webber, Comm. Pure Appl. Math. 78, 995 (2025). Many pivots are proposed at a
time. A proposal is accepted with a probability equal to the share of its diagonal that is left by
those accepted before it in the block. This gives the same distribution as one pivot at a time
(Epperly, Tropp, Webber, arXiv:2410.03969), and no point is taken twice. A kind with few or similar
environments gets few landmarks, because little of it is left to explain.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 128
"""Pivots proposed at a time."""
ROUNDING = 1e-10
"""A rest below this of a diagonal of ones comes from the rounding of distances."""


def gaussian(x: Tensor, z: Tensor) -> Tensor:
    """Return the Gaussian kernel exp(−|x − z|²/2).

    Parameters
    ----------
    x, z
        (n, d) and (m, d) float64, in units of σ.

    Returns
    -------
    Tensor
        (n, m).
    """
    squared = (x * x).sum(1)[:, None] + (z * z).sum(1) - 2 * x @ z.T
    return torch.exp(squared.clamp(min=0).mul(-0.5))


def choose(points: list[Tensor], count: int, generator: torch.Generator) -> list[Tensor]:
    """Choose points that make good landmarks.

    Parameters
    ----------
    points
        (n, d) of each kind, in units of σ.
    count
        Landmarks of all kinds, at most. There are fewer where those found explain every point to
        within rounding.
    generator
        Source of the random choices.

    Returns
    -------
    list of Tensor
        Rows of each kind's points.
    """
    left = [torch.ones(len(x), dtype=torch.float64) for x in points]
    factors: list[list[Tensor]] = [
        [] for _ in points
    ]  # K ≈ Σ F Fᵀ over each kind's blocks F (n, pivots)
    chosen = [torch.zeros(0, dtype=torch.int64) for _ in points]
    starts = torch.tensor([0] + [len(x) for x in points]).cumsum(0)
    while (missing := count - sum(map(len, chosen))) > 0:
        weights = torch.cat(left)  # (points,) never negative
        if not weights.any():
            break
        drawn = torch.multinomial(
            weights, min(BLOCK, missing), replacement=True, generator=generator
        )
        for kind, x in enumerate(points):
            own = drawn[(drawn >= starts[kind]) & (drawn < starts[kind + 1])] - starts[kind]
            if len(own):
                own, lower = _accepted(x, own, factors[kind], left[kind], generator)
                columns = torch.linalg.solve_triangular(
                    lower, _rest(x, own, factors[kind]).T, upper=False
                ).T
                factors[kind].append(columns)
                left[kind] -= columns.square().sum(1)
                left[kind][own] = 0  # rounding leaves more of them far from the origin
                # after a division by a pivot near zero, entries may be negative or not a number
                left[kind][~(left[kind] >= ROUNDING)] = 0
                chosen[kind] = torch.cat([chosen[kind], own])
    return chosen


def _accepted(
    x: Tensor, proposed: Tensor, factor: list[Tensor], left: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The accepted proposals, at least one, and the factor of what is left of their kernel."""
    rest = _rest(x[proposed], torch.arange(len(proposed)), [block[proposed] for block in factor])
    # the first was drawn because something is left of it, but the difference above is rounded in
    # another way and may be 0
    rest.diagonal().copy_(left[proposed])
    limits = torch.rand(len(proposed), generator=generator, dtype=torch.float64) * left[proposed]
    lower = torch.zeros_like(rest)
    kept: list[int] = []
    taken: set[int] = set()
    for i, (point, limit) in enumerate(zip(proposed.tolist(), limits.tolist())):
        pivot = float(rest[i, i])
        if not kept or (pivot > max(limit, ROUNDING) and point not in taken):
            column = rest[:, i] / max(pivot, ROUNDING) ** 0.5
            lower[:, len(kept)] = column
            rest.addr_(column, column, alpha=-1)
            kept.append(i)
            taken.add(point)
    return proposed[kept], lower[kept, : len(kept)].tril()


def _rest(x: Tensor, pivots: Tensor, factor: list[Tensor]) -> Tensor:
    """(n, pivots) columns of K − Σ F Fᵀ."""
    rest = gaussian(x, x[pivots])
    for block in factor:
        rest.addmm_(block, block[pivots].T, alpha=-1)
    return rest
