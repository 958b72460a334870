"""Derivatives of B3LYP on a grid: exact slopes, blocks between atoms, small grids."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from onekcal.geometry.inertia import MASSES
from onekcal.molecules import Molecules
from onekcal.quantum.b3lyp import GRID, VibratingB3LYP
from onekcal.thermo.frequencies import wavenumbers
from onekcal.units import BOHR, WAVENUMBER


@pytest.fixture(scope="module")
def near_water() -> Molecules:
    return Molecules.one(
        ["O", "H", "H"],
        [[0.01, 0.02, 0.1173], [0.03, 0.7572, -0.4692], [0.0, -0.7472, -0.4992]],
    )


@pytest.fixture(scope="module")
def hydroxyl() -> Molecules:
    return Molecules.one(["O", "H"], [[0.01, 0.02, 0.1], [0.03, -0.04, 1.05]], spin=1)


@pytest.fixture(scope="module", params=["closed", "open"])
def one(request: pytest.FixtureRequest) -> Molecules:
    name = "near_water" if request.param == "closed" else "hydroxyl"
    return request.getfixturevalue(name)


@pytest.fixture(scope="module")
def b3lyp_of(one: Molecules) -> VibratingB3LYP:
    return VibratingB3LYP(one)


def test_the_gradient_is_the_slope_of_the_energy_on_any_grid(one: Molecules) -> None:
    b3lyp_of = VibratingB3LYP(one)
    b3lyp_of.grid = 0  # so small that it matters whether it moves with the nuclei
    place, step = one.positions.numpy(), 1e-3
    shift = np.zeros_like(place)
    shift[0] = [0.3, -0.5, 0.8]  # of the heavy atom, whose core the grid resolves worst
    ends = [b3lyp_of.at(place + sign * step * shift, gradient=False).energy for sign in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * step / BOHR)
    point = b3lyp_of.at(place)
    assert point.gradient is not None
    assert slope == pytest.approx(float((point.gradient * shift).sum()), abs=3e-6)
    assert b3lyp_of.last is not None
    still = b3lyp_of.last[1].nuc_grad_method().kernel()  # pyscf's, whose grid does not move
    assert abs(float((still * shift).sum()) - slope) > 1e-5


def test_blocks_between_atoms_are_those_of_pyscf(b3lyp_of: VibratingB3LYP, one: Molecules) -> None:
    place = one.positions.numpy()
    ours = b3lyp_of.hessian(place).reshape(len(place), 3, len(place), 3)
    assert b3lyp_of.last is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = b3lyp_of.last[1].Hessian().kernel().transpose(0, 2, 1, 3)
    for a in range(len(place)):
        for b in range(a):
            assert np.abs(ours[a, :, b] - theirs[a, :, b]).max() < 2e-4  # the coarse grid
    assert np.abs(ours.sum(2)).max() < 1e-4  # moving all atoms together costs nothing; 1e-5 here
    assert np.abs(theirs.sum(2)).max() > 5e-3


def test_a_small_grid_gives_the_zero_point_energy_of_a_fine_one(
    near_water: Molecules,
) -> None:
    place = near_water.positions.numpy()
    masses = np.array([MASSES[int(z)] for z in near_water.numbers])
    found = []
    for level in (GRID, 4):
        calculation = VibratingB3LYP(near_water)
        calculation.grid = level
        waves = wavenumbers(calculation.hessian(place), masses, place)
        found.append(0.5 * WAVENUMBER * float(waves.sum()))
    assert found[0] == pytest.approx(found[1], abs=0.01)  # kcal/mol; 0.001 here
    assert found[0] != found[1]


def test_b3lyp_vibrates_as_published() -> None:
    hydrogen = Molecules.one(["H", "H"], [[0, 0, 0], [0, 0, 0.7428]])  # G3/05's geometry
    stretch = VibratingB3LYP(hydrogen).hessian(hydrogen.positions.numpy())[5, 5]
    reduced = 0.5 * 1.00782503 * 1822.888486  # electron masses
    assert np.sqrt(stretch / reduced) * 219474.631 == pytest.approx(4462, abs=25)  # 1/cm, G3/05


def test_one_electron_vibrates() -> None:
    """There is no orbital of the second spin."""
    ion = Molecules.one(["H", "H"], [[0, 0, 0], [0, 0, 1.0935]], charge=1, spin=1)
    second = VibratingB3LYP(ion).hessian(ion.positions.numpy())
    assert second.shape == (6, 6)
    assert second[5, 5] == pytest.approx(0.0815, abs=0.003)  # 2067 1/cm
    assert second[2, 5] == pytest.approx(-second[5, 5], abs=1e-9)
