"""Potentials of nuclei and of electrons: closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import erf, gamma, gammainc

from onekcal.fields import fields
from onekcal.fields.electrostatic import NEAREST, total_potential
from onekcal.fields.grid import cube, frames
from onekcal.fields.repulsion import boys, electron_potential
from onekcal.molecules import Molecules
from onekcal.quantum.orbitals.named import orbitals
from onekcal.units import BOHR
from support.densities import gaussian_atom


def test_the_potential_of_nuclei_is_the_sum_over_them() -> None:
    molecules = Molecules.concatenate(
        [
            Molecules.one([8, 1, 1], [[0, 0, 0.117], [0, 0.757, -0.469], [0, -0.757, -0.469]]),
            Molecules.one([6, 8], [[0, 0, 0], [0, 0, 1.13]]),
            Molecules.one([2], [[5.0, 5.0, 5.0]]),
        ]
    )
    found = fields(molecules, ["nep"], n=6)[:, 0]
    placed = frames(molecules).placed(molecules)
    for m, one in enumerate(placed):
        apart = torch.cdist(cube(6), one.positions).clamp_min(NEAREST) / BOHR
        expected = (one.numbers / apart).sum(1).reshape(6, 6, 6)
        assert torch.allclose(found[m].double(), expected, rtol=1e-6)


def test_a_voxel_on_a_nucleus_has_the_clamped_value() -> None:
    atom = Molecules.one([6], [[1.0, 2.0, 3.0]])
    middle = fields(atom, ["nep"], n=5, box=5.0)[0, 0, 2, 2, 2]
    assert float(middle) == pytest.approx(6 * BOHR / NEAREST)


def test_far_away_a_neutral_molecule_has_no_potential_and_an_ion_that_of_its_charge() -> None:
    water = [[0, 0, 0.117], [0, 0.757, -0.469], [0, -0.757, -0.469]]
    points = torch.tensor([[0.0, 60.0, 0.0], [0.0, -60.0, 0.0]], dtype=torch.float64)
    for numbers, positions, charge in (([8, 1, 1], water, 0), ([8, 1], water[:2], -1)):
        one = Molecules.one(numbers, positions, charge=charge)
        found = total_potential(
            orbitals(one, "gfn2"), points
        ).mean()  # the mean of ± takes the dipole off
        assert float(found) == pytest.approx(charge / 60, abs=1e-4)


@pytest.mark.parametrize("alpha", [0.3, 4.0])
def test_two_electrons_in_a_gaussian_have_the_error_function(alpha: float) -> None:
    source = gaussian_atom(alpha)
    points = torch.tensor(
        [[0.0, 0, 1e-9], [0, 0, 0.4], [1.0, 1, 1], [0, 9, 0]], dtype=torch.float64
    )
    found = electron_potential(source.basis, torch.full((1, 1), 2.0, dtype=torch.float64), points)
    r = points.norm(dim=1).numpy()
    assert found.numpy() == pytest.approx(2 * erf(np.sqrt(2 * alpha) * r) / r, rel=1e-9)


def test_boys_function_is_right_at_every_argument_and_order() -> None:
    T = np.concatenate([[1e-12, 39.999, 40.0, 40.001, 500.0], np.geomspace(1e-3, 80, 400)])
    for order in (0, 2, 6):
        for n, found in enumerate(boys(order, torch.from_numpy(T))):
            # γ(n + ½, T) / 2T^(n+½); for tiny T its limit 1/(2n + 1)
            exact = np.where(
                T < 1e-8,
                1 / (2 * n + 1),
                gammainc(n + 0.5, T) * gamma(n + 0.5) / (2 * T ** (n + 0.5)),
            )
            assert found.numpy() == pytest.approx(exact, rel=1e-9, abs=1e-14), (order, n)


def test_cores_without_orbitals_count_with_their_nucleus() -> None:
    """Without that, GFN2's valence electrons would leave carbon two charges too many."""
    one = Molecules.one(
        [6, 1, 1, 1, 1],
        [
            [0, 0, 0],
            [0.63, 0.63, 0.63],
            [-0.63, -0.63, 0.63],
            [-0.63, 0.63, -0.63],
            [0.63, -0.63, -0.63],
        ],
    )
    source = orbitals(one, "gfn2")
    assert source.electrons == pytest.approx(8)
    points = 30.0 * torch.eye(3, dtype=torch.float64)
    bare = (one.numbers / torch.cdist(points, source.centres)).sum(1) - (
        source.effective / torch.cdist(points, source.centres)
    ).sum(1)
    assert total_potential(source, points).abs().max() < 1e-4
    assert (total_potential(source, points) + bare).abs().min() > 0.05
