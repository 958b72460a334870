"""Densities that are known in closed form, and a hydrogen atom made of many Gaussians."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from onekcal.quantum.orbitals.gaussians import Shell, basis_of
from onekcal.quantum.orbitals.orbitals import Density, Orbitals


def hydrogen(points: Tensor) -> Density:
    """The 1s orbital at the origin, exactly: ρ = e^(−2r)/π; `points` (P, 3) Bohr."""
    r = points.norm(dim=1)
    rho = torch.exp(-2 * r) / math.pi
    return Density(rho, -2 * rho[:, None] * points / r[:, None], 0.5 * rho)


def homogeneous_gas(rho: Tensor) -> Density:
    """One spin of the homogeneous gas of density `rho` (P,)."""
    kinetic = 0.3 * (6 * math.pi**2) ** (2 / 3) * rho ** (5 / 3)
    return Density(rho, torch.zeros(len(rho), 3, dtype=rho.dtype), kinetic)


def nothing(points: Tensor) -> Density:
    """A spin without electrons."""
    blank = torch.zeros(len(points), dtype=torch.float64)
    return Density(blank, torch.zeros(len(points), 3, dtype=torch.float64), blank)


def gaussian_atom(alpha: float, charge: int = 2) -> Orbitals:
    """Two electrons in one Gaussian (2α/π)^¾ exp(−α r²) at the origin: ρ = 2 (2α/π)^(3/2) exp(−2α
    r²).
    """
    weight = (2 * alpha / math.pi) ** 0.75
    shell = Shell(np.zeros(3), 0, np.array([alpha]), np.array([weight]), np.ones((1, 1)))
    one = torch.ones(1, 1, dtype=torch.float64)
    return Orbitals(
        torch.tensor([charge]),
        torch.zeros(1, 3, dtype=torch.float64),
        torch.tensor([float(charge)]),
        basis_of([shell]),
        (one,),
        (2 * one[0],),
        "one Gaussian",
    )
