"""Orbitals of a molecule and their densities: the basis proved by overlaps, the densities by other
programs and algebra.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from onekcal.errors import InputError, MissingExtra
from onekcal.molecules import Molecules
from onekcal.quantum.method import LabelError
from onekcal.quantum.orbitals.gaussians import (
    Shell,
    basis_of,
    cartesian,
    monomials,
    overlap,
    radial_norms,
    solid_harmonics,
)
from onekcal.quantum.orbitals.named import density_name, orbitals
from onekcal.quantum.orbitals.orbitals import Density, Orbitals
from onekcal.units import BOHR

HYDROXYL = Molecules.one(["O", "H"], [[0.0, 0, 0], [0.3, 0.4, 0.8]], spin=1)
AMIDOGEN = Molecules.one(["N", "H", "H"], [[0.0, 0, 0], [0.3, 0.4, 0.9], [0.9, -0.3, -0.4]], spin=1)
MIXED = Molecules.one(  # every element of the common data sets, and d shells on S, P, Cl, Br, I
    ["C", "H", "N", "O", "F", "S", "Cl", "P", "Br", "I"],
    [[0.0, 0, 0], [0.7, 0.6, 0.5], [-1.2, 0.6, 0.1], [0.4, -1.1, 0.7], [2.9, 0.1, -0.2], [-0.6,
    2.3, -1.0], [4.6, 1.0, 1.1],
     [0.3, -3.0, -0.9], [-3.1, -1.9, 1.2], [1.1, 4.2, 1.4]], charge=0, spin=1,
)  # fmt: skip


@pytest.fixture
def points() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(0, 2.5, (300, 3)))  # Bohr


def turned(molecule: Molecules) -> tuple[torch.Tensor, Molecules]:
    turn = torch.from_numpy(np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))[0])
    return turn, molecule.moved(molecule.positions @ turn.T)


def norm_error(found: Orbitals) -> float:
    square = overlap(found.basis)
    return max(
        float(np.abs(c.numpy().T @ square @ c.numpy() - np.eye(c.shape[1])).max())
        for c in found.coefficients
    )


# --- Gaussians --------------------------------------------------------------------------------


def test_one_gaussian_has_the_density_of_the_textbook() -> None:
    alpha, centre = 0.7, np.array([0.1, -0.4, 0.3])
    basis = basis_of(
        [
            Shell(
                centre, 0, np.array([alpha]), radial_norms(0, np.array([alpha])), solid_harmonics(0)
            )
        ]
    )
    one = torch.ones(1, 1, dtype=torch.float64)
    found = Orbitals(
        torch.tensor([1]),
        torch.from_numpy(centre[None]),
        one[0],
        basis,
        (one,),
        (2 * one[0],),
        "by hand",
    )
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(20, 3)))
    apart = points - torch.from_numpy(centre)
    density = found.density(points)[0]
    rho = 2 * (2 * alpha / np.pi) ** 1.5 * torch.exp(-2 * alpha * apart.square().sum(1))
    torch.testing.assert_close(density.rho, rho, rtol=1e-13, atol=0)
    torch.testing.assert_close(
        density.gradient, -4 * alpha * apart * rho[:, None], rtol=1e-12, atol=1e-15
    )
    torch.testing.assert_close(
        density.tau, 2 * alpha**2 * apart.square().sum(1) * rho, rtol=1e-12, atol=1e-15
    )


def test_pure_functions_are_orthonormal_and_cartesian_ones_of_unit_norm() -> None:
    exponents = np.array([1.3, 0.4])
    for angular in range(6):
        names = ["x" * i + "y" * j + "z" * k for i, j, k in monomials(angular)]
        weights = radial_norms(angular, exponents[:1])
        for functions in (solid_harmonics(angular), cartesian(angular, names)):
            basis = basis_of([Shell(np.ones(3), angular, exponents[:1], weights, functions)])
            np.testing.assert_allclose(np.diag(overlap(basis)), 1.0, rtol=1e-12)
        square = overlap(
            basis_of([Shell(np.ones(3), angular, exponents[:1], weights, solid_harmonics(angular))])
        )
        np.testing.assert_allclose(square, np.eye(2 * angular + 1), atol=1e-12)


def test_gradients_are_the_slope_of_the_values(points: torch.Tensor) -> None:
    shells = [
        Shell(
            np.array([0.2, 0.1, -0.3]),
            angular,
            np.array([0.9, 0.3]),
            np.array([0.7, 0.4]),
            solid_harmonics(angular),
        )
        for angular in range(5)
    ]
    basis, step = basis_of(shells), 1e-4
    gradients = basis.values(points, screened=False)[1][1:]
    for axis in range(3):
        shift = torch.zeros(3, dtype=torch.float64)
        shift[axis] = step
        up, down = (basis.values(points + sign * shift, screened=False)[1][0] for sign in (1, -1))
        # the third derivative of the steepest function, about 10, times step²/6
        torch.testing.assert_close((up - down) / (2 * step), gradients[axis], rtol=0, atol=1e-6)


def test_what_is_left_out_is_negligible_and_something_is_left_out() -> None:
    chain = Molecules.one(["C"] * 8, [[1.4 * i, 0.0, 0.1 * (i % 2)] for i in range(8)])
    found = orbitals(chain, "gfn2")
    points = torch.from_numpy(np.random.default_rng(2).normal(0, 0.5, (50, 3)))
    rows, _ = found.basis.values(points)
    assert 0 < len(rows) < found.basis.size
    for near, whole in zip(found.density(points)[0], found.density(points, screened=False)[0]):
        # a function left out is below 1e-12, orbitals and their slopes at most a few units
        torch.testing.assert_close(near, whole, rtol=0, atol=1e-10)
    far = found.density(torch.full((3, 3), 80.0, dtype=torch.float64))[0]
    assert all(not part.any() for part in far)


# --- GFN2-xTB and GFN1-xTB --------------------------------------------------------------------


@pytest.mark.parametrize("how", ["gfn2", "gfn1"])
def test_the_slater_basis_in_gaussians_has_tblites_overlaps(how: str) -> None:
    from tblite.interface import Calculator

    from onekcal.quantum.named import method

    calculator = Calculator(
        method(how).functional, MIXED.numbers.numpy(), MIXED.positions.numpy() / BOHR, 0.0, 1
    )
    for name, value in (("verbosity", 0), ("save-integrals", 1), ("temperature", 0.02)):
        calculator.set(name, value)
    theirs = calculator.singlepoint().get("overlap-matrix")
    ours = overlap(basis_of(_tight_binding_shells(MIXED, method(how).functional)))
    # tblite leaves out products of primitives of about 1e-10
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def _tight_binding_shells(molecule: Molecules, functional: str) -> list[Shell]:
    from onekcal.quantum.orbitals.gfn2 import element_shells

    return [
        Shell(centre / BOHR, angular, exponents, weights, solid_harmonics(angular))
        for z, centre in zip(molecule.numbers.tolist(), molecule.positions.numpy())
        for angular, exponents, weights in element_shells(functional, z)
    ]


@pytest.mark.parametrize("how", ["gfn2", "gfn1"])
@pytest.mark.parametrize(("charge", "spin"), [(0, 0), (1, 1), (-2, 0)])
def test_tight_binding_orbitals_are_orthonormal_and_hold_the_valence_electrons(
    water: Molecules, how: str, charge: int, spin: int
) -> None:
    molecule = Molecules.one(water.numbers.tolist(), water.positions, charge, spin)
    found = orbitals(molecule, how)
    assert norm_error(found) < 1e-8
    assert found.electrons == pytest.approx(8 - charge, abs=1e-6)
    assert found.effective.tolist() == [6, 1, 1]
    assert len(found.coefficients) == (2 if spin else 1)


def test_both_spins_of_tight_binding_are_the_occupations_tblite_tells() -> None:
    from tblite.interface import Calculator

    oxygen = Molecules.one([8], np.zeros((1, 3)), spin=2)  # p shells filled in part, by temperature
    calculator = Calculator("GFN2-xTB", np.array([8]), np.zeros((1, 3)), 0.0, 2)
    calculator.set("verbosity", 0)
    both = calculator.singlepoint().get("orbital-occupations")
    alpha, beta = orbitals(oxygen, "gfn2").occupations
    np.testing.assert_allclose((alpha + beta).numpy(), both, atol=1e-9)
    assert float(alpha.sum() - beta.sum()) == pytest.approx(2.0, abs=1e-9)


def test_the_small_expansions_of_slater_functions_are_least_squares_fits() -> None:
    """A mistyped digit would move an expansion off the maximum of its overlap with the Slater
    function.
    """
    from onekcal.quantum.orbitals.slater import EXPANSIONS

    shared = {("4s", 6), ("4p", 6), ("5s", 6), ("5p", 6)}
    for (shell, count), (exponents, coefficients) in EXPANSIONS.items():
        # STO-6G fits s and p together: each alone is a little off its own maximum; 6s and 6p are
        # good to six digits
        slope = 1e-6 if (shell, count) in shared else 1e-5 if shell[0] == "6" else 1e-9
        assert np.abs(_slopes(shell, np.log(exponents), np.array(coefficients))).max() < slope, (
            shell,
            count,
        )
    logs, coefficients = np.log(EXPANSIONS["2p", 4][0]), np.array(EXPANSIONS["2p", 4][1])
    logs[2] += 1e-5  # the sixth digit of one exponent
    assert np.abs(_slopes("2p", logs, coefficients)).max() > 1e-9


def _slopes(shell: str, logs: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """(2K,) of the squared, normalised overlap with the Slater function, by ln α and by the
    coefficients.
    """
    from math import factorial

    n, angular = int(shell[0]), "spdfg".index(shell[1])
    r = np.linspace(
        0, 70, 14001
    )  # the integrand and its first slopes vanish at both ends: trapezoids are exact
    slater = (
        r ** (n - 1)
        * np.exp(-r)
        * 2 ** (n + 0.5)
        / np.sqrt(float(factorial(2 * n)))
        * r**2
        * (r[1] - r[0])
    )

    def squared(x: np.ndarray) -> float:
        alpha, c = np.exp(x[: len(logs)]), x[len(logs) :]
        norms = radial_norms(angular, alpha)
        squares = norms[:, None] * norms / radial_norms(angular, (alpha[:, None] + alpha) / 2) ** 2
        along = norms * ((r**angular * np.exp(-alpha[:, None] * r**2)) @ slater)
        return float((c @ along) ** 2 / (c @ squares @ c))

    x, step = np.concatenate([logs, coefficients]), 1e-5
    return np.array(
        [(squared(x + step * e) - squared(x - step * e)) / (2 * step) for e in np.eye(len(x))]
    )


def test_cores_make_an_all_electron_density_and_come_close_to_hartree_fock(
    water: Molecules,
) -> None:
    found = orbitals(water, "gfn2+core")
    assert norm_error(found) < 1e-8
    assert found.electrons == pytest.approx(10, abs=1e-6)
    assert found.effective.tolist() == [8, 1, 1]
    pytest.importorskip("pyscf")
    near = water.positions[:1] / BOHR + torch.tensor([[0.15, 0.1, 0.0]], dtype=torch.float64)
    levels = ("gfn2+core", "gfn2", "hf/6-31g")
    with_core, without, whole = (float(orbitals(water, how).density(near)[0].rho) for how in levels)
    assert with_core == pytest.approx(whole, rel=0.1)
    assert without < 0.2 * whole
    alpha, beta = orbitals(HYDROXYL, "gfn2+core").occupations
    assert float(alpha.sum() + beta.sum()) == pytest.approx(9, abs=1e-6)
    with pytest.raises(InputError, match="elements to Ne"):
        orbitals(Molecules.one(["S", "H", "H"], water.positions * 1.4), "gfn2+core")
    with pytest.raises(InputError, match="has its cores already"):
        orbitals(water, "hf/6-31g+core")


def test_a_density_has_one_name() -> None:
    assert [density_name(n) for n in ("GFN2-xTB", "gfn1 +core", "one-shot", "One-Shot/STO-3G")] == [
        "gfn2",
        "gfn1+core",
        "one-shot/6-31g",
        "one-shot/sto-3g",
    ]


# --- pyscf ------------------------------------------------------------------------------------


def pyscf_density(molecule: Molecules, how: str, points: torch.Tensor) -> list[Density]:
    """ρ, ∇ρ and τ by pyscf's own evaluation of the same SCF."""
    from pyscf import dft

    from onekcal.quantum.dft import DensityFunctional
    from onekcal.quantum.named import method
    from onekcal.quantum.orbitals.dft import CONVERGENCE, GRID

    scf = DensityFunctional(method(how), molecule, GRID, CONVERGENCE).solved(
        molecule.positions.numpy()
    )
    scf = scf.whole() if hasattr(scf, "whole") else scf
    functions = dft.numint.eval_ao(scf.mol, points.numpy(), deriv=1)
    matrices = scf.make_rdm1()
    rows = [
        dft.numint.eval_rho(scf.mol, functions, matrix, xctype="MGGA", with_lapl=False)
        for matrix in (matrices if molecule.spins[0] else [matrices])
    ]
    return [
        Density(torch.from_numpy(r[0]), torch.from_numpy(r[1:4].T), torch.from_numpy(r[-1]))
        for r in rows
    ]


@pytest.mark.parametrize("how", ["hf/6-31g(2df,p)", "hf/cc-pvtz", "b3lyp/6-31g df"])
@pytest.mark.parametrize("spin", [0, 1])
def test_densities_are_those_of_pyscf(
    water: Molecules, points: torch.Tensor, how: str, spin: int
) -> None:
    pytest.importorskip("pyscf")
    # OH's hole may lie in any direction across its axis; NH2 has one ground state
    molecule = AMIDOGEN if spin else water
    for ours, theirs in zip(
        orbitals(molecule, how).density(points), pyscf_density(molecule, how, points), strict=True
    ):
        for a, b in zip(ours, theirs):
            # the same SCF run twice, each converged to 1e-9 Hartree; with several threads the last
            # digits differ from run to run
            torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def test_hydrogen_has_the_density_of_the_exact_atom() -> None:
    pytest.importorskip("pyscf")
    found = orbitals(Molecules.one([1], np.zeros((1, 3)), spin=1), "hf/aug-cc-pv5z")
    r = torch.linspace(0.3, 4.0, 30, dtype=torch.float64)
    alpha, beta = found.density(torch.stack([r, 0 * r, 0 * r], 1))
    exact = torch.exp(-2 * r) / np.pi
    torch.testing.assert_close(
        alpha.rho, exact, rtol=6e-3, atol=0
    )  # the basis has no cusp and too thin a tail
    # one orbital: τ = |∇ρ|²/8ρ to the last digit, which for e^(−r) is ρ/2
    torch.testing.assert_close(
        alpha.tau, alpha.gradient.square().sum(1) / (8 * alpha.rho), rtol=1e-12, atol=0
    )
    torch.testing.assert_close(alpha.tau, exact / 2, rtol=2e-2, atol=0)
    assert not beta.rho.any()


@pytest.mark.parametrize("how", ["gfn2", "hf/6-31g", "one-shot"])
def test_densities_integrate_to_the_electrons(water: Molecules, how: str) -> None:
    pytest.importorskip("pyscf")
    from pyscf import dft, gto

    mol = gto.M(
        atom=[(int(z), r) for z, r in zip(water.numbers, water.positions.tolist())], verbose=0
    )
    grid = dft.Grids(mol)
    grid.level = 4
    grid.build()
    found = orbitals(water, how)
    density = found.density(torch.from_numpy(grid.coords))[0]
    assert float(density.rho @ torch.from_numpy(grid.weights)) == pytest.approx(
        found.electrons, abs=1e-4
    )


def test_one_shot_is_near_the_self_consistent_density_but_not_it(
    water: Molecules, points: torch.Tensor
) -> None:
    pytest.importorskip("pyscf")
    scf, once, atoms = (
        orbitals(water, how).density(points)[0].rho for how in ("b3lyp/6-31g", "one-shot", "gfn2")
    )
    assert 1e-4 < float((once - scf).abs().mean() / scf.mean()) < 0.1
    assert not torch.equal(once, atoms)
    assert (
        float(orbitals(HYDROXYL, "one-shot").density(points)[1].rho.min()) >= 0
    )  # open shells, too


# --- symmetry ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["gfn2", "hf/6-31g(2df,p)"])
def test_densities_turn_with_the_molecule(water: Molecules, points: torch.Tensor, how: str) -> None:
    if "/" in how:
        pytest.importorskip("pyscf")
    turn, moved = turned(water)
    here, there = (
        orbitals(water, how).density(points)[0],
        orbitals(moved, how).density(points @ turn.T)[0],
    )
    # both SCF runs stop at 1e-9 Hartree (GFN2 at 1e-6): the density is as good as the root of that
    close = {"rtol": 0, "atol": 1e-5}
    torch.testing.assert_close(here.rho, there.rho, **close)
    torch.testing.assert_close(here.tau, there.tau, **close)
    torch.testing.assert_close(here.gradient @ turn.T, there.gradient, **close)
    unturned = orbitals(moved, how).density(points)[0]
    assert float((unturned.rho - here.rho).abs().max()) > 1e-2


# --- what cannot be computed ------------------------------------------------------------------


@pytest.mark.parametrize("how", ["gfn2", "one-shot", "hf/6-31g"])
def test_an_odd_number_of_electrons_needs_a_spin(how: str) -> None:
    with pytest.raises(InputError, match=r"9 electrons: 0 unpaired is impossible; say `spin`"):
        orbitals(Molecules.one(["O", "H"], [[0, 0, 0], [0, 0, 0.97]]), how)


def test_a_density_that_does_not_exist_is_refused(water: Molecules) -> None:
    with pytest.raises(InputError, match="did you mean 'gfn2'"):
        orbitals(water, "gfn3")
    pytest.importorskip("pyscf")
    with pytest.raises(InputError, match="no basis set"):
        orbitals(water, "one-shot/6-41g")


def test_without_pyscf_the_extra_is_named(
    water: Molecules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyscf", None)
    for how in ("b3lyp/6-31g", "one-shot"):
        with pytest.raises(MissingExtra, match=r"onekcal\[dft\]"):
            orbitals(water, how)
    assert orbitals(water, "gfn2").electrons == pytest.approx(8.0)


def test_a_calculation_that_does_not_converge_says_so() -> None:
    jumble = Molecules.one(
        ["C", "H", "C", "O", "F", "S"],
        [
            [0, 0, 0],
            [1.1, 0.3, -0.2],
            [-0.9, 1.4, 0.6],
            [0.3, -1.8, 1.2],
            [2.4, -1.1, -1.7],
            [-1.6, -1.0, -1.5],
        ],
    )
    with pytest.raises(LabelError, match="gfn2 of C2HFOS failed.*not converged"):
        orbitals(Molecules.one(jumble.numbers.tolist(), jumble.positions, charge=1, spin=1), "gfn2")
