"""Batches: each molecule once an epoch, nearly equal sizes, no effect of padding on energies."""

from __future__ import annotations

import pytest
import torch

from onekcal.errors import ConfigError, InputError
from onekcal.molecules import Molecules
from onekcal.networks.network import Batch
from onekcal.networks.pairs import pair_distances, pair_mask
from onekcal.networks.training.batches import Held, in_order, shuffled
from support.molecules import wobbly
from support.pair_network import PairModel

SIZES = torch.randint(1, 30, (1000,), generator=torch.Generator().manual_seed(3))


def order(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("pairs", [None, 4000])
def test_every_molecule_stands_in_one_batch_an_epoch(pairs: int | None) -> None:
    rows = torch.cat(shuffled(SIZES, 64, pairs, 8, order(0)))
    assert torch.equal(rows.sort().values, torch.arange(1000))
    assert torch.equal(torch.cat(in_order(SIZES)).sort().values, torch.arange(1000))


def test_batches_differ_from_epoch_to_epoch_and_not_from_run_to_run() -> None:
    first, again, other = (
        torch.cat(shuffled(SIZES, 64, None, 8, order(seed))) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_sorting_within_windows_saves_most_of_the_padding() -> None:
    def padding(batches: list[torch.Tensor]) -> float:
        padded = sum(len(rows) * int(SIZES[rows].max()) ** 2 for rows in batches)
        return padded / int(SIZES.square().sum()) - 1

    assert padding(shuffled(SIZES, 32, None, 32, order(0))) < 0.15
    assert (
        padding(list(torch.randperm(1000, generator=order(0)).split(32))) > 1.0
    )  # the control: no sorting


def test_a_pair_budget_is_kept_unless_one_molecule_alone_exceeds_it() -> None:
    for rows in shuffled(SIZES, 1000, 400, 8, order(0)):
        largest = int(SIZES[rows].max())
        assert len(rows) * largest**2 <= 400 or len(rows) == 1


def test_the_first_batch_is_not_always_of_the_largest_molecules() -> None:
    first = {int(SIZES[shuffled(SIZES, 64, None, 32, order(seed))[0]].max()) for seed in range(8)}
    assert len(first) > 3


@pytest.mark.parametrize("blind", [False, True])
def test_padding_does_not_change_energies(blind: bool) -> None:
    """With the control: a network whose mask is wrong does change them."""
    data = wobbly(8, seed=1)
    model = PairModel(blind=blind, fit={"epochs": 1}).fit(data, data[:0])
    together = model.energies(data.molecules)
    alone = torch.cat([model.energies(molecule) for molecule in data.molecules])
    apart = float((together - alone).abs().max())
    assert (apart > 0.1) if blind else (apart < 1e-9)  # kcal/mol; float64 rounding


def test_distances_have_finite_slopes_for_one_atom_and_for_padding() -> None:
    positions = torch.zeros(2, 3, 3, requires_grad=True)
    batch = Batch(
        torch.zeros(2, 3, dtype=torch.int64), positions, torch.tensor([[True, False, False]] * 2)
    )
    pair_distances(batch).sum().backward()
    assert not pair_mask(batch).any()
    assert torch.equal(positions.grad, torch.zeros_like(positions))


def test_gathered_molecules_are_those_of_the_data() -> None:
    data = wobbly(9, seed=1)
    held = Held.of(data, data.molecules.elements, torch.device("cpu"), torch.float64, True)
    rows = torch.tensor([5, 2, 7])
    batch, there = held.batch(rows)
    chosen = data[rows.tolist()]
    assert torch.equal(batch.positions[batch.mask], chosen.molecules.positions)
    assert torch.equal(
        torch.tensor(data.molecules.elements)[batch.species[batch.mask]], chosen.molecules.numbers
    )
    assert torch.equal(held.energies[there], chosen.energies)
    assert held.forces is not None
    assert torch.equal(held.forces[there, : batch.mask.shape[1]][batch.mask], chosen.forces)


def test_an_element_absent_from_training_is_named_before_training_and_when_asked() -> None:
    data = wobbly(24, seed=1)
    water = (data.molecules.composition([8, 6]) == torch.tensor([1, 0])).all(1)
    with pytest.raises(
        ConfigError,
        match=r"18 molecules of the validation part have C, N, which no training molecule has",
    ):
        PairModel().fit(data[water], data[~water])
    model = PairModel(fit={"epochs": 1}).fit(data[water], data[:0])
    with pytest.raises(InputError, match="knows no S: its training molecules had H, O"):
        model.energies(Molecules.one(["H", "S"], [[0, 0, 0], [0, 0, 1.3]]))
