"""Only answers that are sure enough are given; the others say why not."""

from __future__ import annotations

import math

import pytest

from onekcal.errors import InputError
from onekcal.prediction.answers import Answer
from onekcal.prediction.prediction import predict
from onekcal.prediction.trusted import trusted

SURE = Answer("CCO", name="ethanol", energy=-775.0, half=0.8)


def test_a_narrow_interval_is_answered_and_a_wide_one_says_how_wide_it_is() -> None:
    assert trusted(SURE, 1.0) is SURE
    assert trusted(SURE, None) is SURE
    refused = trusted(SURE, 0.5)
    assert refused.problem == (
        "ethanol: not trusted: the interval is ± 0.800 kcal/mol, wider than the ± 0.5 asked for"
    )
    assert math.isnan(refused.energy)
    assert refused.to_dict()["atomization"] is None
    assert refused.cells()["energy_kcal_per_mol"] is None


def test_an_answer_without_an_interval_is_not_trusted_and_a_problem_stays_one() -> None:
    assert "no interval" in trusted(Answer("C", energy=-1.0), 1.0).problem
    problem = Answer("X", problem="X: no such thing")
    assert trusted(problem, 1.0) is problem
    atom = Answer("[H]", energy=0.0, half=0.0)
    assert trusted(atom, 1e-9) is atom


def test_the_limit_is_in_the_unit_of_the_answer() -> None:
    in_kilojoule = Answer("CCO", energy=-775.0, half=0.8, unit="kJ/mol")  # ± 3.35 kJ/mol
    assert not trusted(in_kilojoule, 3.4).problem
    assert trusted(in_kilojoule, 3.3).problem


def test_predict_gives_what_it_trusts_and_lists_the_rest() -> None:
    sure = predict(["C", "O"], max_interval=5.0, route="atomization")
    assert not any(answer.problem for answer in sure)
    refused = predict(["C", "O"], max_interval=1e-3, route="atomization")
    assert ["not trusted" in answer.problem for answer in refused] == [True, True]
    assert [answer.formula for answer in refused] == [answer.formula for answer in sure]


def test_the_limit_is_for_the_heat_of_formation_that_is_shown() -> None:
    """Of ethanol, ΔfH is known to ± 0.99 with the correction to experiment, E to ± 1.28."""
    (corrected,) = predict("CCO", max_interval=1.1)
    assert not corrected.problem
    assert corrected.half > 1.1 > corrected.heat_half
    (plain,) = predict("CCO", max_interval=1.1, level="g4mp2")
    assert "the interval of ΔfH is ± 1.28" in plain.problem


def test_a_limit_that_has_no_meaning_is_refused() -> None:
    with pytest.raises(InputError, match="max_interval"):
        predict("C", max_interval=0.0)
