r"""Occupied orbitals of a molecule, and the densities they make: ρ, ∇ρ and τ of each spin. Atomic units.

    ρ_σ = Σ_i n_iσ |φ_iσ|²    ∇ρ_σ = 2 Σ_i n_iσ φ_iσ ∇φ_iσ    τ_σ = ½ Σ_i n_iσ |∇φ_iσ|²

`orbitals(molecule, "gfn2")` computes them, `read_orbitals(path)` reads those of another program.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import NamedTuple

import torch
from torch import Tensor

from onekcal.errors import InputError
from onekcal.labels.gaussians import Basis
from onekcal.molecules import Molecules

ONE_SHOT, CORE = "one-shot", "+core"
PIECE = 2048
"""Points evaluated at a time: few enough for the processor's cache, together enough to leave far shells out."""


class Density(NamedTuple):
    """Of one spin, or of both together where the shells are closed."""

    rho: Tensor  # (P,) e/Bohr³
    gradient: Tensor  # (P, 3) e/Bohr⁴
    tau: Tensor  # (P,) Hartree/Bohr³, positive definite: ½ Σ n |∇φ|²


@dataclass(frozen=True)
class Orbitals:
    """Occupied orbitals in a Gaussian basis; one entry of `coefficients` where the shells are closed, else α and β."""

    numbers: Tensor  # (A,) nuclear charges
    centres: Tensor  # (A, 3) Bohr
    effective: Tensor  # (A,) nuclear charges less the core electrons that no orbital here holds
    basis: Basis
    coefficients: tuple[Tensor, ...]  # per spin: (basis, occupied)
    occupations: tuple[Tensor, ...]  # per spin: (occupied,), to 2 where the shells are closed, else to 1
    source: str

    @property
    def electrons(self) -> float:
        """Electrons in the orbitals."""
        return float(sum(occupied.sum() for occupied in self.occupations))

    def density(self, points: Tensor, screened: bool = True) -> list[Density]:
        """Of each spin (of both where the shells are closed) at `points` (P, 3) Bohr.

        Neighbours in the list should be neighbours in space: `PIECE` points at a time, far shells are left out. Without
        `screened` nothing is.
        """
        points = points.to(torch.float64)
        pieces = [self._density(piece, screened) for piece in points.split(PIECE)]
        return [Density(*(torch.cat(part) for part in zip(*spin))) for spin in zip(*pieces)]

    def _density(self, points: Tensor, screened: bool) -> list[Density]:
        rows, values = self.basis.values(points, screened)  # (n,), (4, n, P)
        spins = []
        for coefficients, occupations in zip(self.coefficients, self.occupations):
            phi = coefficients[rows].T @ values  # (4, occupied, P)
            filled = occupations[:, None] * phi
            rho = (filled[0] * phi[0]).sum(0)
            gradient = 2.0 * (filled[0] * phi[1:]).sum(1).T  # (P, 3)
            spins.append(Density(rho, gradient, 0.5 * (filled[1:] * phi[1:]).sum((0, 1))))
        return spins


def orbitals(molecule: Molecules, method: str) -> Orbitals:
    """Occupied orbitals of one molecule by a density's name; charge and unpaired electrons are the molecule's.

    "gfn2", "gfn1" (valence electrons alone), "gfn2+core" (with frozen 1s cores, to Ne); "hf/6-31g", "b3lyp/6-31g", any
    FUNCTIONAL/BASIS, " df" behind it for density fitting; "one-shot" or "one-shot/BASIS": superposed atoms and one
    diagonalisation. Raises `LabelError` where an SCF does not converge.
    """
    from onekcal.labels.methods import check_molecule
    from onekcal.labels.methods import method as named

    name = density_name(method)
    check_molecule(molecule)
    kind, _, basis = name.partition("/")
    if kind == ONE_SHOT:
        from onekcal.labels.dft_orbitals import one_shot

        return one_shot(molecule, basis)
    how = named(name.removesuffix(CORE))
    if how.family == "xtb":
        from onekcal.labels.gfn2_orbitals import tight_binding_orbitals, with_cores

        found = tight_binding_orbitals(molecule, how)
        return with_cores(found) if name.endswith(CORE) else found
    from onekcal.labels.dft_orbitals import self_consistent

    return self_consistent(molecule, how)


def density_name(density: str) -> str:
    """The one spelling of a density's name: "GFN2-xTB" is "gfn2", "one-shot" is "one-shot/6-31g"; refuses unknown ones."""
    from onekcal.labels.methods import method

    word = " ".join(density.lower().split())
    kind, _, basis = word.partition("/")
    if kind == ONE_SHOT:
        return f"{kind}/{method(f'hf/{basis}').basis if basis else '6-31g'}"
    how = method(word.removesuffix(CORE))
    if word.endswith(CORE) and how.family != "xtb":
        raise InputError(f"{how.name} has its cores already; leave {CORE!r} out")
    return how.name + CORE * word.endswith(CORE)


def read_orbitals(path: str | PathLike[str]) -> tuple[Molecules, Orbitals]:
    """The molecule and the occupied orbitals of a wavefunction file: .wfx, .molden or .fchk."""
    from onekcal.labels.wavefunction_files import read_wavefunction

    return read_wavefunction(path)
