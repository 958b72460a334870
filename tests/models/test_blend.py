"""Blend: weights of sum 1 found on validation data, disagreement, members that are stacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import pytest
import torch

from onekcal.data.dataset import Columns, Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Stored
from onekcal.errors import ConfigError
from onekcal.models.artefact import Artefact
from onekcal.models.baseline import Baseline
from onekcal.models.blend import Blend, best_weights, every_stage
from onekcal.models.model import Model, State
from onekcal.models.registry import build
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.runs.experiment import parse
from onekcal.runs.run import run
from support.molecules import pair_energy, wobbly

KERNEL = {"sparse_kernel": {"landmarks": 50, "regularization": 1e-6, "force_weight": 0.0}}


class Shifted(Model):
    """The right energy and `by` kcal/mol more, with the sign of the number of atoms."""

    def __init__(self, by: float = 0.0, odd: bool = False) -> None:
        self.by, self.odd = by, odd

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        return self

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> torch.Tensor:
        sign = 1.0 - 2.0 * (molecules.sizes % 2) if self.odd else torch.ones(len(molecules))
        return pair_energy(molecules) + self.by * sign

    def state(self) -> State:
        return {}

    def load_state(self, state: State) -> Self:
        return self


def shifted(by: float, odd: bool = False) -> dict[str, object]:
    return {f"{__name__}:Shifted": {"by": by, "odd": odd}}


def test_the_weights_are_those_that_cancel_the_errors_of_the_members() -> None:
    data = wobbly(12, seed=3)
    blend = Blend([shifted(3.0), shifted(-1.0)]).fit(data, data)
    assert torch.allclose(blend.weights, torch.tensor([0.25, 0.75], dtype=torch.float64))
    assert torch.allclose(blend.energies(data.molecules), data.energies, atol=1e-9)
    # 0.25 · 3² + 0.75 · 1²
    expected = torch.full((len(data),), 3.0, dtype=torch.float64)
    assert torch.allclose(blend.variance(data.molecules), expected)
    novelty = blend.novelty(data.molecules)
    assert novelty is not None
    assert torch.allclose(novelty, expected.sqrt())


def test_no_weight_is_negative_where_the_best_sum_would_need_one() -> None:
    data = wobbly(12, seed=3)
    blend = Blend([shifted(1.0), shifted(2.0)]).fit(data, data)  # 2, −1 would cancel
    assert blend.weights.tolist() == pytest.approx([1.0, 0.0])


def test_a_blend_is_no_worse_than_its_members_on_the_validation_data() -> None:
    errors = torch.randn(4, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = best_weights(errors)
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()
    best = (weights @ errors).square().mean()
    assert best < errors.square().mean(1).min()
    for other in torch.rand(
        200, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    ):
        assert best <= (other / other.sum() @ errors).square().mean() + 1e-12


def test_without_validation_data_all_members_weigh_the_same_or_as_told() -> None:
    data = wobbly(8, seed=3)
    members = [shifted(3.0), shifted(-1.0)]
    assert Blend(members).fit(data, data[:0]).weights.tolist() == [0.5, 0.5]
    told = Blend(members, weights=[1.0, 3.0])
    assert told.fit(data, data).weights.tolist() == [0.25, 0.75]


def test_what_the_members_say_of_themselves_comes_through() -> None:
    data = wobbly(24, seed=1)
    blend = Blend([KERNEL, ["dressed_atoms", shifted(0.0)]]).fit(data, data[:4])
    assert not blend.differentiable  # one member derives its forces by differences
    each = [member.forces(data.molecules[:2]) for member in blend.members]
    mean = blend.weights[0] * each[0] + blend.weights[1] * each[1]
    assert torch.allclose(blend.forces(data.molecules[:2]), mean)
    own = blend.members[0].novelty(data.molecules)
    novelty = blend.novelty(data.molecules)
    assert own is not None
    assert novelty is not None
    assert torch.equal(novelty, own)


def test_a_stack_tells_the_variance_of_its_blend_and_refuses_without_one() -> None:
    data = wobbly(8, seed=1)
    blend = build("blend", {"members": [shifted(3.0), shifted(-1.0)]})
    stack = Stack([build("dressed_atoms", {}), blend]).fit(data, data[:2])
    assert torch.equal(stack.variance(data.molecules), blend.variance(data.molecules))
    with pytest.raises(Exception, match="gives no variance"):
        Stack([build("dressed_atoms", {})]).fit(data, data).variance(data.molecules)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"members": ["dressed_atoms"]}, "two models or more, got 1"),
        ({"members": ["dressed_atoms", "hipn"]}, "hipn"),
        ({"members": ["dressed_atoms", []]}, "at least one stage"),
        ({"members": ["dressed_atoms", {"hipnn": {"features": "many"}}]}, "features"),
        ({"members": ["dressed_atoms", "dressed_atoms"], "weights": [1.0]}, "2 numbers"),
        ({"members": ["dressed_atoms", "dressed_atoms"], "weights": [1.0, -1.0]}, "2 numbers"),
        ({"members": ["dressed_atoms", {"a": {}, "b": {}}]}, "a member is"),
    ],
)
def test_wrong_members_and_weights_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        build("blend", settings)


def test_the_stages_of_members_are_found_however_deep() -> None:
    inner = {"blend": {"members": ["dressed_atoms", [{"baseline": "gfn2"}, KERNEL]]}}
    stack = Stack([build("blend", {"members": ["dressed_atoms", inner]})])
    found = list(every_stage(stack))
    assert [type(stage).__name__ for stage in found].count("DressedAtoms") == 2
    assert any(isinstance(stage, Baseline) for stage in found)  # what decides on forces, say


def test_a_run_fits_again_with_the_weights_that_it_found(tmp_path: Path) -> None:
    store.save(tmp_path / "wobbly.h5", Stored(wobbly(40)))
    shorter = {"baseline": "gfn2"}  # as an experiment writes it
    done = run(
        parse(
            {
                "data": {
                    "set": str(tmp_path / "wobbly.h5"),
                    "target": "pairs",
                    "train": 24,
                    "valid": 8,
                    "test": 8,
                },
                "stages": [{"blend": {"members": [["dressed_atoms", KERNEL], [shorter, KERNEL]]}}],
                "refit": True,
            }
        ),
        tmp_path / "run",
    )
    kept = Artefact.load(tmp_path / "run" / "model.safetensors")
    ((name, settings),) = kept.stages
    assert name == "blend"
    assert json.dumps(settings)
    (blend,) = kept.model.stages
    assert isinstance(blend, Blend)
    assert settings["weights"] == pytest.approx(blend.weights.tolist())
    assert done.metrics["count"] == 8
