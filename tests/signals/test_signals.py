"""Every signal grows where a model is asked about what it does not know."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType

import pytest
import torch

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, InputError
from onekcal.models.kernels.sparse_kernel import SparseKernel
from onekcal.models.shipped import load_model
from onekcal.models.stack import Stack
from onekcal.networks.leverage import Leverage
from onekcal.prediction.scope import half_width
from onekcal.signals.registry import SIGNALS, gather, signal
from onekcal.signals.signal import Absent, Asked, Doubt, Signal

GIVEN = {
    "kernel": {"variance", "novelty"},
    "exact": {"variance"},
    "hipnn": {"novelty", "latent", "laplace", "R"},
    "ensemble": {"spread", "novelty", "latent", "laplace", "R"},
    "blend": {"spread", "families", "variance", "novelty", "latent", "laplace"},
    "voxels": {"latent", "laplace", "turning"},
    "vectors": {"novelty", "latent", "laplace", "turning"},
}
"""What each stack gives, besides its size."""
OF_ATOMS = {("kernel", "novelty"), ("ensemble", "spread")}


@pytest.mark.parametrize("name", GIVEN)
def test_a_model_gives_the_signals_of_its_kind_and_says_why_not_the_others(
    asked: dict[str, Asked], name: str
) -> None:
    found = gather(asked[name])
    assert set(found.doubts) == GIVEN[name] | {"size"}
    assert set(found.absent) == set(SIGNALS) - set(found.doubts)
    assert all(len(reason) > 10 for reason in found.absent.values())
    for key, doubt in found.doubts.items():
        assert doubt.values.shape == (20,)
        assert doubt.values.dtype == torch.float64
        assert torch.isfinite(doubt.values).all()
        assert (doubt.values >= 0).all()
        if (name, key) in OF_ATOMS:
            assert doubt.atoms is not None
            assert doubt.atoms.shape == asked[name].data.molecules.numbers.shape


def test_every_signal_is_given_by_some_model() -> None:
    # intervals that follow the molecule need more molecules than these models have
    assert set().union(*GIVEN.values()) | {"size", "interval"} == set(SIGNALS)


def test_the_interval_is_the_one_that_an_answer_gets_and_grows_where_less_is_known(
    asked: dict[str, Asked],
) -> None:
    shipped, data = load_model("g4mp2"), asked["kernel"].data[:8]
    found = gather(Asked.of(shipped, data), ["interval"]).doubts["interval"].values
    novelty = shipped.model.novelty(data.molecules)
    assert novelty is not None
    for k, half in enumerate(found.tolist()):
        told = half_width(shipped, "gfn2", 0.9, None, data.molecules[k], float(novelty[k]))
        assert half == pytest.approx(told)
    stretched = Dataset(data.molecules.moved(1.1 * data.molecules.positions), {})
    wider = gather(Asked.of(shipped, stretched), ["interval"]).doubts["interval"].values
    assert (wider > found).all()
    plain = Asked(shipped.model, data)
    assert "no intervals" in gather(plain, ["interval"]).absent["interval"]


@pytest.mark.parametrize(
    ("name", "key"),
    [(name, key) for name in ("kernel", "exact", "hipnn") for key in sorted(GIVEN[name] - {"R"})],
)
def test_squeezed_molecules_are_doubted_more(asked: dict[str, Asked], name: str, key: str) -> None:
    # R is left out: it has no reason to grow with a network of three epochs
    plain = asked[name]
    far = plain.data.molecules.moved(0.6 * plain.data.molecules.positions)
    strange = replace(plain, data=Dataset(far, {}))
    before, after = (gather(one, [key]).doubts[key].values for one in (plain, strange))
    # four features after three epochs hardly tell molecules apart
    assert (after > before).double().mean() > (0.5 if name == "hipnn" else 0.9)


def test_without_its_training_molecules_a_loaded_model_gives_what_its_file_tells(
    asked: dict[str, Asked],
) -> None:
    fitted = asked["kernel"].model
    kernel = SparseKernel(landmarks=120, dims=20, force_weight=0.0)
    kernel.load_state(fitted.stages[-1].state())
    loaded = Asked(Stack([fitted.stages[0], kernel]), asked["kernel"].data)
    found = gather(loaded)
    assert set(found.doubts) == {"novelty", "size"}
    assert "fitted to" in found.absent["variance"]
    with_them = gather(replace(loaded, trained=asked["kernel"].trained), ["variance"])
    fresh = gather(asked["kernel"], ["variance"]).doubts["variance"].values
    assert with_them.doubts["variance"].values == pytest.approx(fresh, rel=1e-6)


def test_the_novelty_of_a_molecule_is_the_root_mean_square_of_its_atoms(
    asked: dict[str, Asked],
) -> None:
    kernel, molecules = asked["kernel"].model.stages[-1], asked["kernel"].data.molecules
    atoms = gather(asked["kernel"], ["novelty"]).doubts["novelty"].atoms
    assert atoms is not None
    means = [atoms[molecules.owner == m].square().mean() for m in range(len(molecules))]
    novelty = kernel.novelty(molecules)
    assert novelty is not None
    assert torch.stack(means).sqrt() == pytest.approx(novelty)


def test_the_laplace_posterior_is_that_of_a_linear_model_whatever_the_units() -> None:
    draw = torch.Generator().manual_seed(0)
    known = torch.randn(50, 4, generator=draw, dtype=torch.float64)
    new = torch.randn(6, 4, generator=draw, dtype=torch.float64)
    prior = torch.diag(known.square().mean(0))
    exact = (new @ torch.linalg.inv(known.T @ known + prior) * new).sum(1)
    assert leverage(known, new) == pytest.approx(exact, rel=1e-5)
    units = torch.tensor([1e-4, 1.0, 1e3, 10.0], dtype=torch.float64)
    assert leverage(known * units, new * units) == pytest.approx(exact, rel=1e-5)
    # every molecule twice is known better than half as well, and 0.5 says that half are left out
    twice = leverage(torch.cat([known, known]), new)
    assert (twice < exact).all()
    assert leverage(known, new, 0.5) == pytest.approx(twice, rel=1e-5)


def leverage(known: torch.Tensor, new: torch.Tensor, share: float = 1.0) -> torch.Tensor:
    return Leverage.of(known.split(20), share).at(new)


def test_the_disagreement_of_two_families_is_the_difference_of_their_energies(
    asked: dict[str, Asked],
) -> None:
    blend = asked["blend"].model.stages[-1]
    kernel, network = (member.energies(asked["blend"].data.molecules) for member in blend.members)
    doubts = gather(asked["blend"], ["families", "spread"]).doubts
    assert doubts["families"].values == pytest.approx((kernel - network).abs())
    # weights 2/3 and 1/3: √(2/9) of the difference
    assert doubts["spread"].values == pytest.approx((kernel - network).abs() * (2 / 9) ** 0.5)


def test_a_signal_from_outside_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("ours_signals")
    module.HEAVY = Signal("heavy atoms", "atoms", lambda asked: Doubt(_heavy(asked)))
    monkeypatch.setitem(sys.modules, "ours_signals", module)
    assert signal("ours_signals:HEAVY") is module.HEAVY
    with pytest.raises(ConfigError, match="no Signal called NOTHING"):
        signal("ours_signals:NOTHING")
    with pytest.raises(ConfigError, match="no module 'nowhere'"):
        signal("nowhere:X")
    with pytest.raises(ConfigError, match="did you mean 'spread'"):
        signal("spred")


def _heavy(asked: Asked) -> torch.Tensor:
    molecules = asked.data.molecules
    return molecules.sum_atoms((molecules.numbers > 1).double())


def test_a_model_that_cannot_answer_at_all_is_an_input_error() -> None:
    assert issubclass(Absent, InputError)
