r"""Landmarks for a low-rank kernel: randomly pivoted Cholesky over a pool of points.

Of the pool's kernel matrix K (unit diagonal, block diagonal in the points' kind) pivots are drawn with probability
proportional to what the earlier ones leave of the diagonal, and taken off:

    K ← K − K[:, S] K[S, S]⁻¹ K[S, :]

Chen, Epperly, Tropp, Webber, Comm. Pure Appl. Math. 78, 995 (2025), in blocks. Kinds share the landmarks out among
themselves by what is left unexplained of each: an element with few, alike environments needs few.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 128
"""Pivots drawn at a time."""
JITTER = 1e-12


def gaussian(x: Tensor, z: Tensor) -> Tensor:
    """exp(−|x − z|²/2) of rows (n, d) and (m, d), float64: (n, m)."""
    squared = (x * x).sum(1)[:, None] + (z * z).sum(1) - 2 * x @ z.T
    return torch.exp(squared.clamp(min=0).mul(-0.5))


def choose(points: list[Tensor], count: int, generator: torch.Generator) -> list[Tensor]:
    """Rows of each kind's `points` (n, d), already divided by the kernel's width, that make good landmarks."""
    left = [torch.ones(len(x), dtype=torch.float64) for x in points]
    total = sum(len(x) for x in points)
    count = min(count, total)
    factors = [torch.zeros(len(x), 0, dtype=torch.float64) for x in points]
    chosen: list[list[Tensor]] = [[] for _ in points]
    starts = torch.tensor([0] + [len(x) for x in points]).cumsum(0)
    taken = 0
    while taken < count:
        weights = torch.cat(left)
        if float(weights.sum()) <= JITTER * total:
            break  # nothing is left to explain
        wanted = min(BLOCK, count - taken, int((weights > 0).sum()))
        drawn = torch.multinomial(weights, wanted, generator=generator)
        for kind, x in enumerate(points):
            own = drawn[(drawn >= starts[kind]) & (drawn < starts[kind + 1])] - starts[kind]
            if len(own):
                factors[kind] = _taken_off(x, own, factors[kind], left[kind])
                chosen[kind].append(own)
        taken += wanted
    return [torch.cat(rows) if rows else torch.zeros(0, dtype=torch.int64) for rows in chosen]


def _taken_off(x: Tensor, pivots: Tensor, factor: Tensor, left: Tensor) -> Tensor:
    """The factor F (K ≈ F Fᵀ) with the pivots' columns added; `left`, the diagonal of K − F Fᵀ, is brought up to date."""
    rest = gaussian(x, x[pivots]) - factor @ factor[pivots].T  # (n, pivots)
    block = rest[pivots]
    block.diagonal().add_(JITTER * float(block.diagonal().max()))
    lower, failed = torch.linalg.cholesky_ex(block)
    if int(failed):  # pivots too alike to tell apart in float64
        values, vectors = torch.linalg.eigh(block)
        columns = rest @ (vectors / values.clamp(min=JITTER).sqrt())
    else:
        columns = torch.linalg.solve_triangular(lower, rest.T, upper=False).T
    left.sub_(columns.square().sum(1)).clamp_(min=0)
    left[pivots] = 0
    return torch.cat([factor, columns], 1)
