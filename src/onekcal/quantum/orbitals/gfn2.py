r"""GFN2-xTB and GFN1-xTB orbitals as Gaussians, through tblite. Valence electrons alone: there are
no core shells.

The Slater exponents, and how many Gaussians stand for each function, come from tblite's own
parameters. Its functions are numbered by atom, shell and m (p as y, z, x; d as m = −2 … 2). A
second shell of one angular momentum on an atom (2s of hydrogen in GFN1) is orthogonalised to the
first.

tblite fills levels at an electronic temperature, each spin for itself; what it tells is the sum
over both spins.

`with_cores` adds what is missing to Ne: a 1s Slater function on every atom from Li on, with
ζ = Z − 5/16, the best one for two electrons about a nucleus (E. A. Hylleraas, Z. Phys. 54, 347
(1929)), in six Gaussians.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import expit

from onekcal.errors import InputError, OnekcalError
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.quantum.gfn2 import TightBinding
from onekcal.quantum.method import Method
from onekcal.quantum.orbitals.gaussians import (
    Basis,
    Shell,
    basis_of,
    overlap,
    radial_norms,
    solid_harmonics,
)
from onekcal.quantum.orbitals.orbitals import Orbitals
from onekcal.quantum.orbitals.slater import expansion
from onekcal.units import BOHR

TEMPERATURE = 9.5e-4
"""Hartree; tblite's electronic temperature when nothing is said, 300 K."""
EMPTY = 1e-12
"""Electrons; an orbital with fewer is left out."""
ANGULAR = "spdfg"
CORES = range(3, 11)
"""Nuclear charges of the elements whose core is 1s²."""


def tight_binding_orbitals(molecule: Molecules, how: Method) -> Orbitals:
    """Return the valence orbitals of a converged GFN1- or GFN2-xTB calculation.

    Parameters
    ----------
    molecule
        One molecule, positions in Å.
    how
        GFN1-xTB or GFN2-xTB.

    Returns
    -------
    Orbitals
        Atomic units; occupations are fractional, at 300 K; α and β apart where electrons are
        unpaired.

    Raises
    ------
    InputError
        Where an element is heavier than xTB knows.
    LabelError
        Where the calculation does not converge.
    OnekcalError
        Where tblite is older than 0.8.
    """
    calculation = TightBinding(how, molecule)
    calculation.at(molecule.positions.numpy(), gradient=False)
    result = calculation.wavefunction
    energies, both = result.get("orbital-energies"), result.get("orbital-occupations")
    coefficients = result.get("orbital-coefficients")  # (basis, orbitals)
    unpaired = int(molecule.spins[0])
    occupations = _of_each_spin(energies, float(both.sum()), unpaired) if unpaired else [both]
    centres = molecule.positions / BOHR
    elements = molecule.numbers.tolist()
    filled = [occupied > EMPTY for occupied in occupations]
    return Orbitals(
        molecule.numbers,
        centres,
        torch.tensor([valence(how.functional, z) for z in elements], dtype=torch.float64),
        basis_of(
            _placed(shell, centre)
            for z, centre in zip(elements, centres.numpy())
            for shell in element_shells(how.functional, z)
        ),
        tuple(torch.from_numpy(np.ascontiguousarray(coefficients[:, f])) for f in filled),
        tuple(torch.from_numpy(n[f]) for n, f in zip(occupations, filled)),
        how.name,
    )


def with_cores(bare: Orbitals) -> Orbitals:
    """Return the orbitals with a 1s core on every atom from Li to Ne.

    Valence orbitals are made orthogonal to the cores.

    Parameters
    ----------
    bare
        Valence orbitals, as `tight_binding_orbitals` returns them.

    Returns
    -------
    Orbitals
        Atomic units; "+core" is appended to the source.

    Raises
    ------
    InputError
        Where an element is heavier than Ne.
    """
    heavy = [z for z in bare.numbers.tolist() if z > 2]
    if any(z not in CORES for z in heavy):
        raise InputError(
            f'cores are known for elements to Ne, got Z = {max(heavy)}; leave "+core" out'
        )
    cores = basis_of(
        Shell(centre, 0, *_core(z), solid_harmonics(0))
        for z, centre in zip(bare.numbers.tolist(), bare.centres.numpy())
        if z in CORES
    )
    first, count = bare.basis.size, cores.size
    basis = Basis(
        (*bare.basis.blocks, *(replace(block, rows=block.rows + first) for block in cores.blocks)),
        first + count,
    )
    square = overlap(basis)
    core = _orthonormal(np.eye(first + count)[:, first:], square)
    coefficients = []
    for found in bare.coefficients:
        outer = np.concatenate([found.numpy(), np.zeros((count, found.shape[1]))])
        outer = _orthonormal(outer - core @ (core.T @ square @ outer), square)
        coefficients.append(torch.from_numpy(np.concatenate([outer, core], 1)))
    inner = torch.full((count,), 2.0 / len(coefficients), dtype=torch.float64)
    return replace(
        bare,
        basis=basis,
        coefficients=tuple(coefficients),
        source=f"{bare.source}+core",
        occupations=tuple(torch.cat([n, inner]) for n in bare.occupations),
        effective=bare.effective + 2.0 * (bare.numbers > 2),
    )


def _orthonormal(columns: np.ndarray, square: np.ndarray) -> np.ndarray:
    """The orthonormal orbitals nearest to `columns` (Löwdin), `square` the overlaps of the
    basis.
    """
    values, vectors = np.linalg.eigh(columns.T @ square @ columns)
    return columns @ (vectors / np.sqrt(values)) @ vectors.T


@cache
def _core(element: int) -> tuple[np.ndarray, np.ndarray]:
    exponents, coefficients = expansion("1s", 6, element - 5 / 16)
    return exponents, coefficients * radial_norms(0, exponents)


@cache
def valence(functional: str, element: int) -> float:
    """Return the electrons that xTB has of a neutral atom: all but a frozen core.

    Parameters
    ----------
    functional
        "GFN2-xTB" or "GFN1-xTB".
    element
        Nuclear charge.

    Raises
    ------
    OnekcalError
        Where tblite is older than 0.8.
    """
    return float(sum(_parameters(functional)[SYMBOLS[element]]["refocc"]))


@cache
def element_shells(functional: str, element: int) -> tuple[tuple[int, np.ndarray, np.ndarray], ...]:
    """Return the shells that xTB has on an element, in tblite's order.

    Parameters
    ----------
    functional
        "GFN2-xTB" or "GFN1-xTB".
    element
        Nuclear charge.

    Returns
    -------
    tuple of tuple
        For each shell: angular momentum, exponents (K,) in Bohr⁻², weights (K,) of bare Gaussians.

    Raises
    ------
    OnekcalError
        Where tblite is older than 0.8.
    """
    kept = _parameters(functional)[SYMBOLS[element]]
    shells: list[tuple[int, np.ndarray, np.ndarray]] = []
    for name, zeta, count in zip(kept["shells"], kept["slater"], kept["ngauss"]):
        angular = ANGULAR.index(name[-1])
        exponents, coefficients = expansion(name, int(count), zeta)
        weights = coefficients * radial_norms(angular, exponents)
        for earlier in shells:
            if earlier[0] == angular:
                exponents, weights = _orthogonal(earlier, exponents, weights)
        shells.append((angular, exponents, weights))
    return tuple(shells)


def _orthogonal(
    earlier: tuple[int, np.ndarray, np.ndarray], exponents: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A shell less its part along an earlier one of its angular momentum, normalised."""
    angular, others, theirs = earlier
    share = _product(angular, exponents, weights, others, theirs)
    exponents, weights = (
        np.concatenate([exponents, others]),
        np.concatenate([weights, -share * theirs]),
    )
    return exponents, weights / np.sqrt(_product(angular, exponents, weights, exponents, weights))


def _product(angular: int, a: np.ndarray, u: np.ndarray, b: np.ndarray, v: np.ndarray) -> float:
    """∫ R R′ r² dr of two radial parts r^l Σ u exp(−a r²)."""
    return float(u @ (1 / radial_norms(angular, (a[:, None] + b) / 2) ** 2) @ v)


def _placed(shell: tuple[int, np.ndarray, np.ndarray], centre: np.ndarray) -> Shell:
    angular, exponents, weights = shell
    return Shell(centre, angular, exponents, weights, solid_harmonics(angular))


def _of_each_spin(energies: np.ndarray, electrons: float, unpaired: int) -> list[np.ndarray]:
    """Fermi occupations of the α and the β level, each with its own Fermi energy, from orbital
    `energies` (Hartree).
    """
    return [_fermi(energies, (electrons + sign * unpaired) / 2) for sign in (1, -1)]


def _fermi(energies: np.ndarray, electrons: float) -> np.ndarray:
    if (
        not 0 < electrons < len(energies)
    ):  # all empty or all full (a hydrogen atom): no level in between
        return np.full(len(energies), float(electrons > 0))

    def missing(level: float) -> float:
        return float(expit((level - energies) / TEMPERATURE).sum() - electrons)

    level = brentq(missing, energies.min() - 1.0, energies.max() + 1.0, xtol=1e-14)
    return expit((level - energies) / TEMPERATURE)


@cache
def _parameters(functional: str) -> dict[str, dict]:
    """tblite's parameters by element symbol."""
    from tblite import library

    if not hasattr(library, "table_to_dict"):
        raise OnekcalError(
            "orbitals of xTB methods need tblite 0.8 or newer, which tells its Slater exponents: "
            "pip install --upgrade tblite"
        )
    export = {"GFN2-xTB": library.export_gfn2_param, "GFN1-xTB": library.export_gfn1_param}[
        functional
    ]
    parameters, table = library.new_param(), library.new_table()
    export(parameters)
    library.dump_param(parameters, table)
    return library.table_to_dict(table)["element"]
