r"""Electrostatic potentials on the voxels of a cube, atomic units (Hartree per elementary charge).

    nep(r) = Σ_a Z_a / max(|r − R_a|, r₀)                                     nuclei alone, r₀ = 0.2
    Å esp(r) = nep(r) − ∫ ρ(r′) / |r − r′| dr′                                  nuclei and electrons

Every nucleus counts, those of hydrogens and those outside the cube, too. The potential of the
electrons is exact, from integrals over the Gaussians the orbitals are made of (`repulsion`); where
the orbitals hold no core electrons (GFN2-xTB), these are counted with their nucleus, in esp alone.
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
"""Å; r₀: nearer to a nucleus the potential does not rise any more. A voxel's half diagonal is 0.64
Å at N = 14.
"""


def _inverse(squared: Tensor) -> Tensor:
    """Å² → 1/Å, in place."""
    return squared.clamp_min_(NEAREST**2).rsqrt_()


def nuclear_potential(placed: Molecules, along: Tensor) -> Tensor:
    """(M, n, n, n) float32, atomic units; molecules in their cubes, `along` (n,) Å the voxel
    centres of an edge.
    """
    return summed(placed, along, placed.numbers * BOHR, _inverse)


def total_potential(orbitals: Orbitals, points: Tensor) -> Tensor:
    """(P,) Hartree/e at `points` (P, 3) Bohr: nuclei (less the cores that are in no orbital) and
    electrons.
    """
    matrix = torch.stack(
        [(c * n) @ c.T for c, n in zip(orbitals.coefficients, orbitals.occupations)]
    ).sum(0)
    apart = torch.cdist(
        points, orbitals.centres, compute_mode="donot_use_mm_for_euclid_dist"
    ).clamp_min(NEAREST / BOHR)
    return (orbitals.effective / apart).sum(1) - electron_potential(orbitals.basis, matrix, points)
