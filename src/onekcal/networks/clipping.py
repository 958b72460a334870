r"""relu(γ ∘ x + β) as a clipped x, which costs one pass over memory instead of three.

    relu(γ x + β) = γ a + κ                                                          (clipping)
        t = −β/γ;   a = max(x, t) for γ > 0, min(x, t) for γ < 0
        κ = −γ t;   κ = β where a = x for every x that occurs
    W relu(γ ∘ x + β) = (W ∘ γ) a + W κ                                          (in a product)

The product needs no other pass: γ goes into its weights, and Wκ is one constant a row. From the
gradient g of γ a + κ, m = [a ≠ t] and sums over all rows follow the gradients

    ∂x = m ∘ γ ∘ g
    ∂β = Σ m ∘ g
    ∂γ = Σ m ∘ g ∘ x = Σ g ∘ a − t ∘ (Σ g − ∂β)
        m ∘ x = a − (1 − m) ∘ t

No channel of a normalised batch has a value above √rows, so t is kept within ± FAR. A channel whose
t is below −FAR or, for γ < 0, above FAR is open: a = x.

Comparisons and products with m are done on the bits of numbers, as integers: in bfloat16, vector
units then do four times as much.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

FAR = 512.0
"""Bound of t; √rows of 95 molecules of 14³ voxels."""
TINY = 1e-20
"""This stands for γ = 0."""
INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Bytes of a number → the integer of this size."""


class Clip(NamedTuple):
    """How channels are clipped; every tensor is (C,)."""

    gamma: Tensor
    t: Tensor  # rounded to the precision of a
    kappa: Tensor
    open: Tensor
    falling: bool
    """Whether some γ is below 0."""

    @classmethod
    def of(cls, gamma: Tensor, beta: Tensor, low: torch.dtype) -> Clip:
        """Make the clip of γ and β for activations of precision `low`."""
        gamma = torch.where(gamma.abs() < TINY, TINY, gamma)
        exact = -beta / gamma
        t = exact.clamp(-FAR, FAR).to(low).to(gamma.dtype)
        opened = torch.where(gamma > 0, exact < -FAR, exact > FAR)
        kappa = torch.where(opened, beta, -gamma * t)
        return cls(gamma, t, kappa, opened, bool((gamma < 0).any()))

    def a(self, x: Tensor, room: Tensor) -> Tensor:
        """Write a of some rows x (n, C) into `room` (n, C)."""
        t = self.t.to(x.dtype)
        if not self.falling:
            return torch.maximum(x, t, out=room)
        rising, far = self.gamma > 0, torch.full_like(t, torch.inf)
        torch.maximum(x, torch.where(rising, t, -far), out=room)
        return torch.minimum(room, torch.where(rising, far, t), out=room)

    def mask_in(self, a: Tensor) -> Tensor:
        """Replace a by the integers m, 1 where a ≠ t and 0 elsewhere."""
        return torch.ne(bits(a), bits(self.t.to(a.dtype)), out=bits(a))

    def slopes(self, g_a: Tensor, g: Tensor, masked: Tensor) -> tuple[Tensor, Tensor]:
        """∂γ and ∂β from Σ g ∘ a, Σ g and Σ m ∘ g, each (C,)."""
        return torch.where(self.open, g_a, g_a - self.t * (g - masked)), masked


def bits(x: Tensor) -> Tensor:
    """Return the same memory as integers."""
    return x.view(INTEGERS[x.element_size()])


def relu_in(x: Tensor) -> Tensor:
    """Replace x by relu(x). As an integer, a negative number is negative as well."""
    bits(x).clamp_min_(0)
    return x


def masked_in(slope: Tensor, b: Tensor) -> Tensor:
    """Replace `slope` by 0 where b = relu(…) is 0; b is lost."""
    bits(slope).mul_(torch.gt(bits(b), 0, out=bits(b)))
    return slope
