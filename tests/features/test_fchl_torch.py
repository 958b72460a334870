"""FCHL19 in torch: kernelforge's values, the paper's formulas with a pocket calculator,
symmetries, slopes.
"""

from __future__ import annotations

from math import acos, cos, exp, log, pi, sin, sqrt

import pytest
import torch
from scipy.spatial.transform import Rotation

from onekcal.errors import ConfigError, InputError
from onekcal.features import fchl_torch
from onekcal.features.fchl_torch import Fchl19, neighbours
from onekcal.molecules import Molecules
from support.molecules import wobbly

ROUNDING = 1e-10
"""Features are of order 1 to 10; acos in kernelforge loses half the digits only where three atoms
are in line.
"""
CO2 = Molecules.one(["O", "C", "O"], [[0, 0, -1.16], [0, 0, 0], [0, 0, 1.16]])


def shaken(seed: int = 0) -> Molecules:
    return wobbly(8, seed=seed).molecules


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rcut": 8.0, "acut": 8.0},
        {"rcut": 1.7, "acut": 1.2},
        {"rcut": 1.2, "acut": 1.9},
        {"nRs2": 7, "nRs3": 5, "eta2": 0.1, "eta3": 6.0},
        {"two_body_decay": 3.1, "three_body_decay": 1.3, "three_body_weight": 40.0},
    ],
    ids=str,
)
def test_features_are_kernelforges(settings: dict[str, float]) -> None:
    fchl19_repr = pytest.importorskip(
        "kernelforge", reason="kernelforge has wheels for Linux only"
    ).fchl19_repr
    settings = {"rcut": 6.0, "acut": 6.0, **settings}
    elements = (1, 6, 7, 8, 16)
    features, molecules = Fchl19(elements, **settings), shaken()  # type: ignore[arg-type]
    theirs = torch.cat(
        [
            torch.from_numpy(
                fchl19_repr.generate_fchl_acsf(
                    m.positions.numpy(),
                    m.numbers.int().numpy(),
                    elements=list(elements),
                    **settings,
                )
            )
            for m in molecules
        ]
    )
    ours = features(molecules)
    assert ours.shape == (len(molecules.numbers), features.size)
    assert torch.allclose(ours, theirs, atol=ROUNDING, rtol=0)
    assert float((ours - features(shaken(1))).abs().max()) > 1e-3


def test_three_atoms_in_line_are_kernelforges_too() -> None:
    fchl19_repr = pytest.importorskip(
        "kernelforge", reason="kernelforge has wheels for Linux only"
    ).fchl19_repr
    theirs = fchl19_repr.generate_fchl_acsf(
        CO2.positions.numpy(), CO2.numbers.int().numpy(), elements=[6, 8], rcut=6.0, acut=6.0
    )
    assert torch.allclose(Fchl19((6, 8))(CO2), torch.from_numpy(theirs), atol=1e-6, rtol=0)


def test_two_atoms_give_the_two_body_formula() -> None:
    r, radius = 1.1, 6.0 * 5 / 24  # the fifth radius, Å
    x = Fchl19((1, 7))(Molecules.one(["N", "H"], [[0, 0, 0], [0, 0, r]]))
    width = sqrt(log(1 + 0.32 / r**2))
    middle = log(r / sqrt(1 + 0.32 / r**2))
    bump = exp(-((log(radius) - middle) ** 2) / (2 * width**2)) / (radius * width * sqrt(2 * pi))
    expected = r**-1.8 * 0.5 * (1 + cos(pi * r / 6.0)) * bump
    assert float(x[0, 4]) == pytest.approx(expected, rel=1e-12)  # nitrogen sees hydrogen
    assert float(x[1, 24 + 4]) == pytest.approx(expected, rel=1e-12)  # hydrogen sees nitrogen
    assert (
        float(x[0, 24:].abs().max())
        == float(x[1, :24].abs().max())
        == float(x[:, 48:].abs().max())
        == 0
    )


def test_three_atoms_give_the_three_body_formula() -> None:
    """Carbon in HCO, its neighbours hydrogen and oxygen 1.1 and 1.2 Å away at an angle of
    2.1 rad.
    """
    near, far, angle, radius = 1.1, 1.2, 2.1, 6.0 * 4 / 20
    x = Fchl19((1, 6, 8))(
        Molecules.one(
            ["H", "C", "O"], [[near, 0, 0], [0, 0, 0], [far * cos(angle), far * sin(angle), 0]]
        )
    )
    across = sqrt(near**2 + far**2 - 2 * near * far * cos(angle))
    at_h = acos((near**2 + across**2 - far**2) / (2 * near * across))
    at_o = pi - angle - at_h
    weight = 13.4 * (1 + 3 * cos(angle) * cos(at_h) * cos(at_o)) / (near * far * across) ** 0.57
    weight *= 0.25 * (1 + cos(pi * near / 6)) * (1 + cos(pi * far / 6))
    bump = sqrt(2.7 / pi) * exp(-2.7 * (radius - 0.5 * (near + far)) ** 2) * 2 * exp(-(pi**2) / 2)
    place = 3 * 24 + 2 * 40 + 2 * 3  # pairs HH, HC, then HO; its fourth radius
    assert float(x[1, place]) == pytest.approx(weight * bump * cos(angle), rel=1e-11)
    assert float(x[1, place + 1]) == pytest.approx(weight * bump * sin(angle), rel=1e-11)
    pairs = x[1, 72:].reshape(6, 40)
    assert pairs.abs().sum(1).nonzero().flatten().tolist() == [2]


def test_every_triple_counts_once_however_they_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    molecules, features = shaken(), Fchl19((1, 6, 7, 8))
    whole = features(molecules)
    for size in (1, 7, 50):
        monkeypatch.setattr(fchl_torch, "TRIPLES", size)
        assert torch.allclose(features(molecules), whole, atol=1e-13)


def test_neighbours_are_the_other_atoms_of_the_molecule() -> None:
    molecules = Molecules.concatenate(
        [Molecules.one([1], [[0, 0, 0]]), CO2, Molecules.one([1, 1], [[0, 0, 0], [0, 0, 1]])]
    )
    pairs = [[1, 2], [1, 3], [2, 1], [2, 3], [3, 1], [3, 2], [4, 5], [5, 4]]
    assert torch.stack(neighbours(molecules), 1).tolist() == pairs


def same(x: torch.Tensor, y: torch.Tensor) -> bool:
    return torch.allclose(x, y, atol=ROUNDING, rtol=0)


def test_features_do_not_move_or_turn_with_the_molecule() -> None:
    features, still = Fchl19((1, 6, 7, 8)), shaken()
    turn = torch.from_numpy(Rotation.from_euler("xyz", [0.3, 1.1, -0.8]).as_matrix())
    x = features(still)
    assert same(features(still.moved(still.positions + torch.tensor([3.1, -2.2, 0.7]))), x)
    assert same(features(still.moved(still.positions @ turn.T)), x)
    assert not same(features(still.moved(still.positions * 1.001)), x)


def test_features_follow_the_order_of_atoms_and_depend_on_nothing_else_of_it() -> None:
    features = Fchl19((1, 6, 7, 8))
    for molecule in shaken():
        order = torch.randperm(len(molecule.numbers), generator=torch.Generator().manual_seed(1))
        mixed = Molecules.one(molecule.numbers[order].tolist(), molecule.positions[order].numpy())
        assert same(features(mixed), features(molecule)[order])
        others = Molecules.one(molecule.numbers.flip(0).tolist(), molecule.positions.numpy())
        assert not same(features(others), features(molecule).flip(0))


@pytest.mark.parametrize(
    "settings", [{"rcut": 3.0, "acut": 2.0}, {"rcut": 2.0, "acut": 3.0}], ids=str
)
def test_features_vanish_smoothly_at_the_cutoff(settings: dict[str, float]) -> None:
    """Quadratically: from 2h inside to h inside the largest entry falls by 4; outside nothing is
    left.
    """
    features = Fchl19((1, 8), **settings)  # type: ignore[arg-type]

    def left(apart: float) -> torch.Tensor:
        """Of a third atom `apart` Å from the first, which has another near by."""
        third = features(Molecules.one([8, 1, 1], [[0, 0, 0], [0.9, 0, 0], [0, apart, 0]]))[0]
        return (
            (third - features(Molecules.one([8, 1], [[0, 0, 0], [0.9, 0, 0]]))[0])
            .abs()
            .split([48, features.size - 48])
        )

    for part, cutoff in enumerate(settings.values()):
        inside, twice = (float(left(cutoff - h)[part].max()) for h in (1e-3, 2e-3))
        assert twice / inside == pytest.approx(4, rel=0.02)
        assert float(left(cutoff + 1e-9)[part].max()) == 0
        assert float(left(cutoff - 0.5)[part].max()) > 1e4 * inside


def test_slopes_are_those_of_the_values() -> None:
    features = Fchl19((1, 6, 8), rcut=2.0, acut=1.8)
    methanol = wobbly(4).molecules[3]
    some = torch.arange(0, features.size, 15)
    positions = methanol.positions.clone().requires_grad_(True)
    assert torch.autograd.gradcheck(
        lambda r: features(methanol.moved(r))[:, some], (positions,), atol=1e-6
    )


def test_slopes_are_finite_where_three_atoms_lie_on_a_line() -> None:
    positions = CO2.positions.clone().requires_grad_(True)
    Fchl19((6, 8))(CO2.moved(positions)).sum().backward()
    assert positions.grad is not None
    assert positions.grad.isfinite().all()
    assert float(positions.grad[2, 2].abs()) > 0.1


def test_a_lone_atom_has_no_features() -> None:
    x = Fchl19((1, 6))(Molecules.one(["C"], [[1, 2, 3]]))
    assert x.shape == (1, 48 + 120)
    assert not x.any()


def test_molecules_out_of_reach_do_not_see_each_other() -> None:
    one, other = shaken()[2], shaken()[3]
    features = Fchl19((1, 6, 8), rcut=4.0, acut=4.0)

    def both(apart: float) -> torch.Tensor:
        joined = torch.cat([one.positions, other.positions + torch.tensor([apart, 0.0, 0.0])])
        return features(
            Molecules.one(torch.cat([one.numbers, other.numbers]).tolist(), joined.numpy())
        )

    alone = torch.cat([features(one), features(other)])
    assert same(both(10.0), alone)
    assert not same(both(4.0), alone)


def test_what_cannot_be_described_is_refused() -> None:
    with pytest.raises(InputError, match="for H, C cannot describe O: not in the training data"):
        Fchl19((1, 6))(CO2)
    with pytest.raises(ConfigError, match="`rcut` must be positive, got -1"):
        Fchl19((1,), rcut=-1)
