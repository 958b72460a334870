"""Fields of the electron density, in atomic units.

They follow from ρ_σ, ∇ρ_σ and τ_σ = ½ Σ_i n_i |∇φ_i|² of each spin σ:

    D⁰_σ = 3/10 (6π²)^⅔ ρ_σ^(5/3)            kinetic energy density of the homogeneous gas
    LOL  = 1 / (1 + Σ τ_σ / Σ D⁰_σ)          Schmider & Becke,
                                             J. Mol. Struct. THEOCHEM 527, 51 (2000)
    D_σ  = τ_σ − |∇ρ_σ|² / 8ρ_σ              what Pauli's principle adds to it (≥ 0)
    ELF  = 1 / (1 + ((Σ D_σ + ε) / Σ D⁰_σ)²) Becke & Edgecombe, J. Chem. Phys. 92, 5397 (1990)

Sums run over both spins for the field of the molecule, and over one for that of a spin. In a closed
shell ρ_σ = ρ/2, and the familiar forms with 3/10 (3π²)^⅔ ρ^(5/3) follow. LOL and ELF are ½ in the
homogeneous gas and lie between 0 and 1.

Conventions. Becke and Edgecombe do not have ε = 1e-5 Hartree/Bohr³. Far out one orbital outlives
all others, and D vanishes faster than D⁰. Without ε, ELF would be 1 in empty space, up to wherever
it is cut off. With ε, ELF has fallen to ½ at ρ = 5e-4 e/Bohr³ at the latest; where there is density
it changes nothing. Rounding can make D_σ negative; it is set to 0 then. Where the density (of the
spins summed over) is below 1e-5 e/Bohr³ both fields are 0. LOL has fallen to 0.002 there, and ELF
below 1e-5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from onekcal.quantum.orbitals.orbitals import Density

FLOOR = 1e-5
"""e/Bohr³. Where the density is lower, LOL and ELF are 0."""
EPSILON = 1e-5
"""ε, Hartree/Bohr³."""
GAS = 0.3 * (6 * math.pi**2) ** (2 / 3)
"""D⁰_σ / ρ_σ^(5/3), atomic units."""


def rho(spins: Sequence[Density]) -> Tensor:
    """Return the electron density, (P,) e/Bohr³.

    Parameters
    ----------
    spins
        The densities of the spins summed over, at P points.
    """
    return torch.stack([spin.rho for spin in spins]).sum(0)


def tau(spins: Sequence[Density]) -> Tensor:
    """Return the positive definite kinetic energy density, (P,) Hartree/Bohr³.

    Parameters
    ----------
    spins
        The densities of the spins summed over, at P points.
    """
    return torch.stack([spin.tau for spin in spins]).sum(0)


def lol(spins: Sequence[Density]) -> Tensor:
    """Return the localized orbital locator, (P,).

    Parameters
    ----------
    spins
        The densities of the spins summed over, at P points.
    """
    gas = _gas(spins)
    return _where_dense(spins, gas / (gas + tau(spins)))


def elf(spins: Sequence[Density]) -> Tensor:
    """Return the electron localization function, (P,).

    Parameters
    ----------
    spins
        The densities of the spins summed over, at P points.
    """
    squared, pauli = _gas(spins).square(), torch.stack([_pauli(spin) for spin in spins]).sum(0)
    return _where_dense(spins, squared / (squared + (pauli + EPSILON).square()))


FUNCTIONS = {"rho": rho, "tau": tau, "lol": lol, "elf": elf}
"""Fields that need only the densities of the spins at the same points."""


def by_spin(densities: Sequence[Density]) -> tuple[Density, Density]:
    """Return the densities of α and β.

    Parameters
    ----------
    densities
        Those of both spins, or the one of a closed shell, of which each spin has half.
    """
    if len(densities) == 2:
        return densities[0], densities[1]
    each = Density(*(0.5 * part for part in densities[0]))
    return each, each


def _gas(spins: Sequence[Density]) -> Tensor:
    """(P,) Σ D⁰_σ."""
    return GAS * torch.stack([spin.rho.clamp_min(0).pow(5 / 3) for spin in spins]).sum(0)


def _pauli(spin: Density) -> Tensor:
    """(P,) D_σ.

    Far below the floor of the density the quotient is 0/0, and its bound changes nothing.
    """
    return (
        spin.tau - spin.gradient.square().sum(1) / (8 * spin.rho.clamp_min(FLOOR**2))
    ).clamp_min(0)


def _where_dense(spins: Sequence[Density], values: Tensor) -> Tensor:
    return torch.where(rho(spins) >= FLOOR, values, 0.0)
