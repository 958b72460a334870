"""B3LYP/6-31G(2df,p): second derivatives in a basis of Cartesian d and pure f functions.

Where the basis is tested, Hartree-Fock stands for B3LYP: it has no integration grid, whose noise in
second derivatives (2e-3) is above the difference between the bases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from onekcal.geometry.hessian import hessian
from onekcal.molecules import Molecules
from onekcal.quantum import b3lyp
from onekcal.quantum.b3lyp import AUXILIARY, TIGHT, VibratingB3LYP
from onekcal.quantum.pople import basis_of

EXACT = 1.5e-4
"""Hartree/Bohr²; central differences and the response of the auxiliary basis give 5e-5."""


@pytest.fixture(scope="module")
def near_water() -> Molecules:
    """Water without symmetry, so that no element of its Hessian is zero."""
    return Molecules.one(
        ["O", "H", "H"],
        [[0.01, 0.02, 0.1173], [0.03, 0.7572, -0.4692], [0.0, -0.7472, -0.4992]],
    )


@pytest.fixture(scope="module")
def vibrating(near_water: Molecules) -> Iterator[VibratingB3LYP]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(b3lyp, "METHOD", replace(b3lyp.METHOD, functional="hf"))
        tight = VibratingB3LYP(near_water)
        tight.convergence = TIGHT  # differences of gradients need more than a relaxation does
        yield tight


@pytest.fixture(scope="module")
def analytic(near_water: Molecules, vibrating: VibratingB3LYP) -> np.ndarray:
    return vibrating.hessian(near_water.positions.numpy())


def test_the_hessian_is_the_slope_of_the_gradient(
    near_water: Molecules, vibrating: VibratingB3LYP, analytic: np.ndarray
) -> None:
    differences = hessian(vibrating, near_water.positions.numpy())
    assert np.abs(analytic - differences).max() < EXACT
    assert np.abs(analytic).max() > 0.3


def test_the_hessian_is_symmetric_and_translations_cost_nothing(analytic: np.ndarray) -> None:
    assert analytic.shape == (9, 9)
    assert np.abs(analytic - analytic.T).max() < 1e-6
    moved = analytic @ np.tile(np.eye(3), (3, 1))  # every atom along x, y or z
    assert np.abs(moved).max() < EXACT
    alone = analytic[:, :3]  # the first atom alone
    assert np.abs(alone).max() > 0.3


def test_pure_d_functions_give_another_hessian(near_water: Molecules, analytic: np.ndarray) -> None:
    """What pyscf's molecules can have is not the basis of G4(MP2)."""
    from pyscf import gto, scf

    symbols = ["O", "H", "H"]
    mol = gto.M(
        atom=list(zip(symbols, near_water.positions.tolist())),
        basis=basis_of("6-31g(2df,p)", symbols),
        cart=False,
        verbose=0,
    )
    solver = scf.RHF(mol).density_fit(auxbasis=AUXILIARY)
    solver.conv_tol, solver.chkfile, solver._chkfile = 1e-9, None, None
    pure = solver.run().Hessian().kernel().transpose(0, 2, 1, 3).reshape(9, 9)
    assert np.abs(pure - analytic).max() > 3 * EXACT
