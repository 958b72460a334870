"""The mean over conformers: Boltzmann's distribution, its limits, and its line in the ledger."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onekcal.prediction.answers import Answer, Spread
from onekcal.prediction.mixture import populations, with_conformers
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import predict
from onekcal.thermo.ledger import Ledger


def of(*relative: float) -> Spread:
    return Spread(10, np.array(relative))


def test_the_populations_are_those_of_boltzmann() -> None:
    assert populations(of(0.0, 0.0, 0.0)) == pytest.approx([1 / 3] * 3)
    low, high = populations(of(0.0, 1.0))
    assert low / high == pytest.approx(np.exp(1.0 / (0.0019872 * 298.15)), rel=1e-4)
    assert populations(of(0.0, 50.0)) == pytest.approx([1.0, 0.0], abs=1e-12)


def test_the_line_is_the_mean_energy_and_moves_the_warm_heat_alone() -> None:
    bare = Answer("x", conformers=of(0.0, 0.0, 2.0), ledger=Ledger("CH4", ()), energy=-1.0)
    mixed = with_conformers(bare)
    assert mixed.ledger is not None
    (term,) = mixed.ledger.terms
    share = np.exp(-2.0 / (0.0019872 * 298.15))
    assert term.value == pytest.approx(2.0 * share / (2.0 + share), rel=1e-3)
    assert mixed.ledger.formation_0 == 0.0
    assert mixed.ledger.formation_298 == term.value
    assert mixed.energy == bare.energy


def test_what_has_no_conformers_stays_as_it_is() -> None:
    bare = Answer("x", ledger=Ledger("CH4", ()), energy=-1.0)
    assert with_conformers(bare) is bare
    refused = replace(bare, conformers=of(0.0), problem="no")
    assert with_conformers(refused) is refused
    alone = with_conformers(replace(bare, conformers=of(0.0)))
    assert alone.ledger is not None
    assert alone.ledger.formation_298 == 0.0


def test_a_computed_molecule_says_why_it_has_no_mean() -> None:
    (found,) = predict("CCO", boltzmann=True)
    assert found.remarks == (
        "no mean over conformers: G4(MP2) is computed at one (--rung learned has the mean)",
    )


def test_predict_answers_for_the_mixture_when_it_is_asked_to() -> None:
    plain, mixed = (
        predict("CCCC", options=Options(rung="learned", route="atomization", boltzmann=yes))[0]
        for yes in (False, True)
    )
    assert plain.ledger is not None
    assert mixed.ledger is not None
    more = mixed.ledger.formation_298 - plain.ledger.formation_298
    assert 0.0 < more < 0.6  # kcal/mol: gauche butane lies 0.6 above anti
    assert mixed.ledger.formation_0 == plain.ledger.formation_0
