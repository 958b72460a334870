"""Hess's law: the heat of a reaction is the same on every path, whatever the energies are.

Molecules are bags of atoms with random energies and heats; a reaction is any exchange of atoms.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from onekcal.energies import FREE_ATOMS
from onekcal.molecules import Molecules
from onekcal.thermo.ledger import ATOM_FORMATION, Ledger, Term, from_total, ledger

ELEMENTS = [1, 6, 7, 8, 9]
CLOSE = 1e-8
"""kcal/mol; terms of up to 1e5 are summed in double precision, 1e-11 each."""
ENERGIES = some.floats(-2000, 2000)
BAGS = some.lists(some.sampled_from(ELEMENTS), min_size=2, max_size=8)
BOUNDED = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def molecule(bag: list[int]) -> Molecules:
    """These atoms in a row."""
    return Molecules.one(bag, [[1.2 * k, 0.0, 0.0] for k in range(len(bag))])


def book(bag: list[int], energy: float, heat: float) -> Ledger:
    """The ledger of these atoms with such an energy and H(298 K) − H(0)."""
    return ledger(molecule(bag), energy, "invented", thermal=Term("heat", heat, None, "invented"))


@BOUNDED
@given(BAGS, some.lists(some.tuples(ENERGIES, some.floats(0, 50)), min_size=3, max_size=6))
def test_any_path_between_isomers_gives_the_same_heat(
    bag: list[int], states: list[tuple[float, float]]
) -> None:
    books = [book(bag, *state) for state in states]
    for which in ("atomization", "formation_0", "formation_298"):
        values = [getattr(one, which) for one in books]
        steps = sum(after - before for before, after in zip(values, values[1:]))
        assert steps == pytest.approx(values[-1] - values[0], abs=CLOSE)
    (first, hot), (last, hotter) = states[0], states[-1]
    direct = books[-1].formation_298 - books[0].formation_298
    assert direct == pytest.approx(last + hotter - first - hot, abs=CLOSE)


@BOUNDED
@given(some.data())
def test_where_atoms_are_conserved_what_atoms_contribute_cancels(data: some.DataObject) -> None:
    """Σ ν ΔfH(298 K) = Σ ν (E + H(298 K) − H(0)), for any way to share the atoms."""
    atoms = data.draw(some.lists(some.sampled_from(ELEMENTS), min_size=4, max_size=10))
    total = expected = 0.0
    for sign in (-1, 1):
        order = data.draw(some.permutations(atoms))
        cut = data.draw(some.integers(2, len(atoms) - 2))
        for bag in (order[:cut], order[cut:]):
            energy, heat = data.draw(ENERGIES), data.draw(some.floats(0, 50))
            total += sign * book(list(bag), energy, heat).formation_298
            expected += sign * (energy + heat)
    assert total == pytest.approx(expected, abs=CLOSE)


@BOUNDED
@given(BAGS, BAGS)
def test_where_atoms_are_not_conserved_they_do_not_cancel(one: list[int], other: list[int]) -> None:
    assume(Counter(one) != Counter(other))
    apart = book(one, 0.0, 0.0).formation_0 - book(other, 0.0, 0.0).formation_0
    expected = sum(ATOM_FORMATION[z] for z in one) - sum(ATOM_FORMATION[z] for z in other)
    assert apart == pytest.approx(expected, abs=CLOSE)
    assert abs(apart) > 1e-3


@BOUNDED
@given(BAGS, some.randoms())
def test_the_order_of_the_atoms_does_not_matter(bag: list[int], chance) -> None:  # type: ignore[no-untyped-def]
    mixed = list(bag)
    chance.shuffle(mixed)
    one, other = book(bag, -1.0, 2.0), book(mixed, -1.0, 2.0)
    assert one.formula == other.formula
    assert one.formation_298 == pytest.approx(other.formation_298, abs=CLOSE)


@BOUNDED
@given(BAGS, some.floats(-500, -1))
def test_a_total_and_its_atomization_energy_give_one_heat(bag: list[int], energy: float) -> None:
    """The way through total energies and free atoms is a path, too."""
    atoms = FREE_ATOMS["g4mp2"]
    one = molecule(bag)
    total = energy + float(atoms.energies(one)[0])
    heat = Term("heat", 3.0, None, "invented")
    itemised = from_total(one, total, atoms, thermal=heat)
    assert itemised.formation_298 == pytest.approx(book(bag, energy, 3.0).formation_298, abs=1e-6)
    assert np.isfinite(itemised.formation_0)
