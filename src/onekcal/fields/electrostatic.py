"""Electrostatic potentials on the voxels of a cube, atomic units (Hartree per elementary charge).

    nep(r) = Σ_a Z_a / max(|r − R_a|, r₀)             nuclei alone, r₀ = 0.2 Å
    esp(r) = nep(r) − ∫ ρ(r′) / |r − r′| dr′          nuclei and electrons

Every nucleus counts, also a hydrogen and one outside the cube. The potential of the electrons is
exact; it comes from integrals over the Gaussians of the orbitals (`repulsion`). The orbitals of
GFN2-xTB hold no core electrons. In esp alone, these are counted with their nucleus.
"""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.fields.atoms import summed
from onekcal.fields.repulsion import electron_potential
from onekcal.molecules import Molecules
from onekcal.quantum.orbitals.orbitals import Orbitals
from onekcal.units import BOHR

NEAREST = 0.2
"""Å, r₀. Nearer to a nucleus the potential does not rise any more.

Half the diagonal of a voxel is 0.64 Å at N = 14.
"""


def _inverse(squared: Tensor) -> Tensor:
    """Å² → 1/Å. It works in place."""
    return squared.clamp_min_(NEAREST**2).rsqrt_()


def nuclear_potential(placed: Molecules, along: Tensor) -> Tensor:
    """Return the potential of the nuclei at all voxel centres.

    Parameters
    ----------
    placed
        The M molecules in the coordinates of their cubes.
    along
        (n,) Å, the voxel centres along an edge.

    Returns
    -------
    Tensor
        (M, n, n, n) float32, Hartree/e.
    """
    return summed(placed, along, placed.numbers * BOHR, _inverse)


def total_potential(orbitals: Orbitals, points: Tensor) -> Tensor:
    """Return the potential of nuclei and electrons.

    Parameters
    ----------
    orbitals
        The orbitals. Cores that are in no orbital count with their nuclei.
    points
        (P, 3) Bohr.

    Returns
    -------
    Tensor
        (P,) Hartree/e.
    """
    matrix = torch.stack(
        [(c * n) @ c.T for c, n in zip(orbitals.coefficients, orbitals.occupations)]
    ).sum(0)
    apart = torch.cdist(
        points, orbitals.centres, compute_mode="donot_use_mm_for_euclid_dist"
    ).clamp_min(NEAREST / BOHR)
    return (orbitals.effective / apart).sum(1) - electron_potential(orbitals.basis, matrix, points)
