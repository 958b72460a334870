"""The bond correction: what it counts, that it adds up, that wrong experiments hardly move it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.errors import ConfigError, DataError
from onekcal.features.bond_counts import WHATS, bond_counts
from onekcal.models.bond_correction import COUNTED, BondCorrection, robust_ridge
from onekcal.molecules import Molecules
from support.molecules import wobbly

ETHENE = Molecules.one(
    ["C", "C", "H", "H", "H", "H"],
    [
        [0.667, 0.0, 0.0],
        [-0.667, 0.0, 0.0],
        [1.235, 0.923, 0.0],
        [1.235, -0.923, 0.0],
        [-1.235, 0.923, 0.0],
        [-1.235, -0.923, 0.0],
    ],
)
TRUTH = 0.4
"""kcal/mol a bond to hydrogen in the made-up experiments."""


def counted(molecules: Molecules) -> dict[str, list[float]]:
    counts, kinds = bond_counts(molecules, WHATS)
    names = [f"{WHATS[what]} {a} {b} {c}" for what, a, b, c in kinds]
    return dict(zip(names, counts.T.tolist()))


def test_ethene_has_its_bonds_atoms_neighbours_and_a_double_bond() -> None:
    found = {name: values[0] for name, values in counted(ETHENE).items()}
    order = found.pop("order 6 6 0")
    assert order == pytest.approx(1.0, abs=0.1)  # beyond one, by its length of 1.334 Å
    assert found == {
        "bond 1 6 0": 4.0,
        "bond 6 6 0": 1.0,
        "atom 1 0 0": 4.0,
        "atom 6 0 0": 2.0,
        "neighbours 1 6 6": 4.0,
    }


def test_a_lone_atom_counts_nothing_and_has_no_correction() -> None:
    atom = Molecules.one(["C"], [[0.0, 0.0, 0.0]], spin=2)
    assert counted(atom) == {}
    model = BondCorrection().fit(experiments(8), experiments(8)[:0])
    assert model.energies(atom).tolist() == [0.0]


@pytest.mark.parametrize("counts", COUNTED)
def test_two_far_molecules_have_the_sum_of_their_corrections(counts: str) -> None:
    data = experiments(12)
    model = BondCorrection(counts).fit(data, data[:0])  # type: ignore[arg-type]

    def together(apart: float) -> float:
        one, other = data.molecules[3], ETHENE
        positions = torch.cat([one.positions, other.positions + torch.tensor([apart, 0.0, 0.0])])
        pair = Molecules.one(torch.cat([one.numbers, other.numbers]).tolist(), positions.numpy())
        return float(model.energies(pair))

    alone = float(model.energies(data.molecules[3]) + model.energies(ETHENE))
    assert together(20.0) == pytest.approx(alone, abs=1e-12)
    assert abs(together(1.5) - alone) > 1e-2  # the control: bonds form between near ones


def test_the_count_of_a_bond_falls_without_a_jump_as_it_breaks() -> None:
    apart = np.linspace(1.2, 3.0, 400)
    pairs = Molecules.concatenate(
        [Molecules.one(["C", "O"], [[0.0, 0.0, 0.0], [r, 0.0, 0.0]]) for r in apart]
    )
    for values in counted(pairs).values():
        steps = np.abs(np.diff(values))
        assert steps.max() < 0.05  # a jump of a bond would be 1
        assert values[-1] == 0.0


def experiments(count: int, noise: float = 0.05) -> Dataset:
    """Molecules whose experiment differs by `TRUTH` for each bond to hydrogen, and noise."""
    data = wobbly(count, seed=4)
    hydrogens = data.molecules.composition([1])[:, 0]
    rng = np.random.default_rng(1)
    left = TRUTH * hydrogens + torch.from_numpy(rng.normal(0, noise, count))
    columns = {
        "left": Column(left, level="experiment"),
        "left_uncertainty": Column(torch.full((count,), 0.3, dtype=torch.float64), "property"),
    }
    return Dataset(data.molecules, columns, "left")


def spoilt(data: Dataset, sure: bool) -> Dataset:
    """Every tenth experiment is wrong by 20 kcal/mol; `sure`: it claims to be as good as others."""
    wrong = torch.arange(len(data)) % 10 == 4
    sigma = torch.where(wrong & (not sure), 20.0, 0.3).to(torch.float64)
    return data.with_column("left", Column(data.energies + 20.0 * wrong)).with_column(
        "left_uncertainty", Column(sigma, "property")
    )


@pytest.mark.parametrize("sure", [True, False])
def test_wrong_experiments_hardly_move_the_fit(sure: bool) -> None:
    data = experiments(80)
    settings = {"counts": "bonds", "regularization": 1e-3}
    good = BondCorrection(**settings).fit(data, data[:0])  # type: ignore[arg-type]
    robust = BondCorrection(**settings).fit(spoilt(data, sure), data[:0])  # type: ignore[arg-type]
    moved = (robust.energies(data.molecules) - good.energies(data.molecules)).abs().mean()
    assert float(moved) < 0.1
    # the control: with plain least squares and equal weights they do
    plain = BondCorrection(**settings, threshold=1e9)  # type: ignore[arg-type]
    plain.fit(spoilt(data, sure=True), data[:0])
    moved = (plain.energies(data.molecules) - good.energies(data.molecules)).abs().mean()
    assert float(moved) > 0.5


def test_without_robustness_it_is_the_ridge_of_scikit_learn() -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    counts, target, sigma = rng.random((30, 4)), rng.random(30), 0.3 + rng.random(30)
    mine, trust = robust_ridge(
        torch.from_numpy(counts), torch.from_numpy(target), torch.from_numpy(sigma), 2.0, 1e9
    )
    theirs = Ridge(alpha=2.0, fit_intercept=False).fit(counts, target, sample_weight=sigma**-2.0)
    assert np.allclose(mine.numpy(), theirs.coef_, atol=1e-9)
    assert (trust == 1).all()


def test_what_no_training_molecule_has_adds_nothing() -> None:
    data = experiments(12)
    model = BondCorrection("bonds").fit(data, data[:0])
    silane = Molecules.one(["Si", "Cl"], [[0.0, 0.0, 0.0], [2.05, 0.0, 0.0]])
    assert model.energies(silane).tolist() == [0.0]


def test_wrong_settings_and_uncertainties_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean .bonds."):
        BondCorrection("bond")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="`floor` must be above 0"):
        BondCorrection(floor=0.0)
    data = experiments(4)
    for bad in (-1.0, float("nan")):
        sigma = Column(torch.tensor([0.1, 0.2, bad, 0.1], dtype=torch.float64), "property")
        with pytest.raises(DataError, match="for molecule 2"):
            BondCorrection().fit(data.with_column("left_uncertainty", sigma), data)
