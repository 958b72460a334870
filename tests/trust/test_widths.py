"""Intervals that follow what is known of a molecule: every group gets what it was promised."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor

from onekcal.molecules import Molecules
from onekcal.trust.conformal import MANY, Conformal, coverage
from onekcal.trust.traits import NOVELTY, OPEN, RIVALRY, SIZE, UNCLEAR, Traits, traits
from onekcal.trust.widths import Widths

METHANOL = Molecules.one(
    [6, 8, 1, 1, 1, 1],
    [
        [-0.047, 0.664, 0.0],
        [-0.047, -0.758, 0.0],
        [-1.093, 0.969, 0.0],
        [0.437, 1.071, 0.890],
        [0.437, 1.071, -0.890],
        [0.863, -1.050, 0.0],
    ],
)


def drawn(count: int, seed: int) -> tuple[Tensor, Traits]:
    """Residuals of molecules in two groups that overlap; one is three times as hard."""
    draw = np.random.default_rng(seed)
    hard, other = draw.random(count) < 0.2, draw.random(count) < 0.3
    novelty = draw.normal(size=count)
    size = np.exp(0.5 * novelty + np.log(3.0) * hard - 0.4 * other)
    table = np.column_stack([novelty, hard, other])
    return torch.from_numpy(size * draw.normal(size=count)), Traits(
        (NOVELTY, "hard", "other"), torch.from_numpy(table)
    )


def test_every_group_is_covered_and_with_one_width_for_all_it_is_not() -> None:
    (residuals, known), (new, there) = drawn(6000, 0), drawn(20_000, 1)
    own, one = Conformal.calibrated(residuals, traits=known), Conformal.calibrated(residuals)
    nothing, hard = torch.zeros_like(new), there.of(("hard",))[:, 0] > 0
    for group in (hard, ~hard, there.of(("other",))[:, 0] > 0):
        lower, upper = own.interval(nothing, traits=there)
        assert coverage(new[group], lower[group], upper[group]) == pytest.approx(0.9, abs=0.025)
    lower, upper = one.interval(nothing)
    assert coverage(new, lower, upper) == pytest.approx(0.9, abs=0.015)
    assert coverage(new[hard], lower[hard], upper[hard]) < 0.75


def test_other_shares_are_kept_too() -> None:
    (residuals, known), (new, there) = drawn(6000, 2), drawn(20_000, 3)
    own = Conformal.calibrated(residuals, traits=known)
    for share in (0.5, 0.68, 0.95):
        ends = own.interval(torch.zeros_like(new), share, traits=there)
        assert coverage(new, *ends) == pytest.approx(share, abs=0.025)


def test_novelty_never_makes_an_interval_narrower() -> None:
    residuals, known = drawn(4000, 4)
    errors = residuals * torch.exp(-known.of((NOVELTY,))[:, 0])  # strange molecules err less
    found = Widths.fitted(errors, known)
    assert found.slopes[1 + found.names.index(NOVELTY)] == pytest.approx(0.0, abs=1e-9)
    free = Widths.fitted(errors, Traits(("size", "hard", "other"), known.table))
    assert free.slopes[1] < -0.3


def test_beyond_what_was_measured_a_width_grows_and_does_not_shrink() -> None:
    residuals, known = drawn(4000, 5)
    found = Widths.fitted(residuals, known)
    least = float(known.of((NOVELTY,)).min())

    def at(novelty: float) -> float:
        return float(found.of(Traits((NOVELTY,), torch.tensor([[novelty]], dtype=torch.float64))))

    assert at(least - 5.0) == pytest.approx(at(least))
    assert at(8.0) > at(4.0) > at(0.0)


def test_above_the_largest_molecule_of_the_fit_a_width_grows_with_the_number_of_atoms() -> None:
    """All molecules of the fit have nine heavy atoms, so their size gives no slope."""
    residuals, known = drawn(4000, 5)
    nine = torch.full((4000, 1), 9.0, dtype=torch.float64)
    sized = Traits((SIZE, *known.names), torch.cat([nine, known.table], 1))
    found = Widths.fitted(residuals, sized)

    def at(heavy: float, widths: Widths) -> float:
        table = torch.tensor([[heavy, 0.0]], dtype=torch.float64)
        return float(widths.of(Traits((SIZE, NOVELTY), table)))

    assert at(4.0, found) == at(9.0, found)
    assert at(18.0, found) == pytest.approx(2 * at(9.0, found))
    again = Widths.from_header(json.loads(json.dumps(found.header())))
    assert at(18.0, again) == pytest.approx(at(18.0, found), rel=1e-4)
    # a file of an earlier edition does not tell, and a fit without sizes does not know
    older = Widths.from_header({k: v for k, v in found.header().items() if k != "largest"})
    assert at(18.0, older) == at(9.0, older)
    assert at(18.0, Widths.fitted(residuals, known)) == at(9.0, Widths.fitted(residuals, known))


def test_a_molecule_that_is_infinitely_strange_has_no_finite_width_and_spoils_no_fit() -> None:
    residuals, known = drawn(3000, 10)
    strange = known.table.clone()
    strange[:5, 0] = torch.inf
    own = Conformal.calibrated(residuals, traits=Traits(known.names, strange))
    halves = own.half(3000, traits=Traits(known.names, strange))
    assert halves[:5].isinf().all()
    calm = Conformal.calibrated(residuals, traits=known).half(3000, traits=known)
    assert halves[5:].tolist() == pytest.approx(calm[5:].tolist(), rel=0.2)


def test_few_residuals_have_one_width() -> None:
    residuals, known = drawn(MANY - 1, 6)
    own = Conformal.calibrated(residuals, traits=known)
    assert own.widths is None
    assert own.radius() == Conformal.calibrated(residuals).radius()


def test_without_traits_the_width_is_that_of_the_median_molecule() -> None:
    residuals, known = drawn(4000, 7)
    own = Conformal.calibrated(residuals, traits=known)
    halves = own.half(len(residuals), traits=known)
    assert own.radius() == pytest.approx(float(halves.median()), rel=1e-6)
    assert own.radius(traits=known[:1]) == pytest.approx(float(halves[0]))


def test_a_trait_that_too_few_have_does_not_count() -> None:
    residuals, known = drawn(2000, 8)
    rare = torch.zeros(2000, 1, dtype=torch.float64)
    rare[:20] = 1.0
    found = Widths.fitted(
        residuals, Traits((*known.names, "rare"), torch.cat([known.table, rare], 1))
    )
    assert "rare" not in found.names
    assert "hard" in found.names


def test_widths_come_back_from_json() -> None:
    residuals, known = drawn(2000, 9)
    found = Widths.fitted(residuals, known)
    back = Widths.from_header(json.loads(json.dumps(found.header())))
    assert back.of(known).tolist() == pytest.approx(found.of(known).tolist(), rel=1e-4)


def test_the_traits_of_methanol() -> None:
    found = traits(METHANOL, torch.tensor([1.0]), torch.tensor([0.5]))
    value = dict(zip(found.names, found.table[0].tolist()))
    assert value[SIZE] == 2.0
    assert value[RIVALRY] == pytest.approx(np.log(1.5))
    assert value[NOVELTY] == pytest.approx(0.001, abs=1e-4)
    assert value["alcohol, enol or phenol"] == 1.0
    assert value["ether"] == value[OPEN] == value[UNCLEAR] == 0.0


def test_what_is_not_known_is_left_out() -> None:
    assert NOVELTY not in traits(METHANOL).names
    assert traits(METHANOL).of((NOVELTY, SIZE)).tolist() == [[0.0, 2.0]]


def test_unpaired_electrons_are_seen() -> None:
    methyl = Molecules.one(
        [6, 1, 1, 1], [[0, 0, 0], [1.08, 0, 0], [-0.54, 0.935, 0], [-0.54, -0.935, 0]], spin=1
    )
    found = traits(methyl)
    assert dict(zip(found.names, found.table[0].tolist()))[OPEN] == 1.0
