"""Orbitals of Hartree-Fock and density functionals through pyscf (extra `dft`), self-consistent or
one-shot.

A density needs less than an energy: functionals are integrated on pyscf's grid of level 1, and an
SCF ends at 1e-7 Hartree. That is two to three times faster and changes LOL by at most 2e-4; density
fitting (" df") by at most 4e-5. The one-shot density takes the Hartree-Fock matrix of superposed
atoms, with density fitting: no grid, no cycles.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy.linalg import block_diag

from onekcal.molecules import Molecules
from onekcal.quantum.dft import DensityFunctional
from onekcal.quantum.method import Method
from onekcal.quantum.named import method
from onekcal.quantum.orbitals.gaussians import (
    Shell,
    basis_of,
    cartesian,
    monomials,
    solid_harmonics,
)
from onekcal.quantum.orbitals.orbitals import Orbitals
from onekcal.quantum.pople import Mixed

GRID = 1
"""pyscf's level of the integration grid."""
CONVERGENCE = 1e-7
"""Hartree."""
AUXILIARY = {"6-31g(2df,p)": "def2-universal-jkfit"}
"""Bases of density fitting where pyscf has none of its own and would build one twice as large;
changes LOL by 3e-5.
"""


def self_consistent(molecule: Molecules, how: Method) -> Orbitals:
    """Return the orbitals of a converged SCF.

    Parameters
    ----------
    molecule
        One molecule, positions in Å.
    how
        Hartree-Fock or a density functional with its basis.

    Returns
    -------
    Orbitals
        Atomic units; α and β apart where electrons are unpaired.

    Raises
    ------
    LabelError
        Where the SCF cannot be set up or does not converge.
    MissingExtra
        Where pyscf is not installed.
    """
    calculation = DensityFunctional(how, molecule, GRID, CONVERGENCE, AUXILIARY.get(how.basis))
    scf = calculation.solved(molecule.positions.numpy())
    return from_scf(molecule, scf.whole() if isinstance(scf, Mixed) else scf, how.level)


def one_shot(molecule: Molecules, basis: str) -> Orbitals:
    """Return orbitals of superposed atoms.

    The Hartree-Fock matrix of superposed atomic densities is diagonalised once: nothing is made
    self-consistent.

    Parameters
    ----------
    molecule
        One molecule, positions in Å.
    basis
        A basis set's name, such as "6-31g".

    Returns
    -------
    Orbitals
        Atomic units; α and β apart where electrons are unpaired.

    Raises
    ------
    InputError
        Where pyscf has no such basis set.
    LabelError
        Where pyscf cannot set the molecule up, as with an element that the basis set lacks.
    MissingExtra
        Where pyscf is not installed.
    """
    calculation = DensityFunctional(
        method(f"hf/{basis} df"), molecule, auxiliary=AUXILIARY.get(basis)
    )
    scf = calculation.scf(calculation.mol(molecule.positions.numpy()))
    density = block_diag(*(_atom(basis, z) for z in molecule.numbers.tolist()))
    density = scf.reduced(density) if isinstance(scf, Mixed) else density
    fock = scf.get_fock(dm=np.stack([density / 2] * 2) if molecule.spins[0] else density)
    scf.mo_energy, scf.mo_coeff = scf.eig(fock, scf.get_ovlp())
    scf.mo_occ = scf.get_occ(scf.mo_energy, scf.mo_coeff)
    return from_scf(molecule, scf.whole() if isinstance(scf, Mixed) else scf, f"one-shot/{basis}")


@cache
def _atom(basis: str, element: int) -> np.ndarray:
    """The density matrix of a neutral Hartree-Fock atom, spherical, both spins together."""
    atom = Molecules.one([element], np.zeros((1, 3)), spin=element % 2)
    mol = DensityFunctional(method(f"hf/{basis}"), atom).mol(np.zeros((1, 3)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyscf's atoms use what pyscf deprecates
        from pyscf.scf import hf

        return np.asarray(hf.init_guess_by_atom(mol))


def from_scf(molecule: Molecules, scf: Any, source: str) -> Orbitals:
    """Return the occupied orbitals that an SCF object of pyscf holds.

    Parameters
    ----------
    molecule
        The molecule it belongs to.
    scf
        pyscf's solved SCF object, Cartesian or spherical throughout (not a `Mixed` one).
    source
        What the orbitals are to say of where they come from.

    Returns
    -------
    Orbitals
        Atomic units; `effective` leaves out the core electrons of effective core potentials.
    """
    mol = scf.mol
    coefficients, occupations = np.asarray(scf.mo_coeff), np.asarray(scf.mo_occ)
    if coefficients.ndim == 2:
        coefficients, occupations = coefficients[None], occupations[None]
    filled = [occupied > 0 for occupied in occupations]
    return Orbitals(
        molecule.numbers,
        torch.from_numpy(mol.atom_coords()),
        torch.from_numpy(mol.atom_charges().astype(float)),
        basis_of(shells_of(mol)),
        tuple(
            torch.from_numpy(np.ascontiguousarray(c[:, f])) for c, f in zip(coefficients, filled)
        ),
        tuple(torch.from_numpy(n[f]) for n, f in zip(occupations, filled)),
        source,
    )


def shells_of(mol: Any) -> list[Shell]:
    """Return pyscf's shells, one for each contraction, in its order of functions.

    Parameters
    ----------
    mol
        pyscf's molecule.

    Returns
    -------
    list of Shell
        Centres in Bohr, exponents in Bohr⁻².
    """
    shells = []
    for number in range(mol.nbas):
        angular, exponents = mol.bas_angular(number), mol.bas_exp(number)
        for weights in mol._libcint_ctr_coeff(number).T:
            shells.append(
                Shell(
                    mol.bas_coord(number),
                    angular,
                    exponents,
                    weights,
                    _functions(angular, mol.cart),
                )
            )
    return shells


def _functions(angular: int, is_cartesian: bool) -> np.ndarray:
    """pyscf's polynomials: p as x, y, z; Cartesian d and higher as bare monomials."""
    if angular == 1:
        return solid_harmonics(1, (1, -1, 0))
    if angular > 1 and is_cartesian:
        return cartesian(
            angular, ["x" * i + "y" * j + "z" * k for i, j, k in monomials(angular)], unit=False
        )
    return solid_harmonics(angular)
