"""The one structure type: selecting, padding, joining, summing, refusing."""

from __future__ import annotations

import pytest
import torch

from onekcal.energies import FREE_ATOMS, atomization
from onekcal.errors import DataError, InputError
from onekcal.molecules import Molecules, charge_of, formula
from onekcal.units import HARTREE, energy_factor, force_factor
from support.molecules import wobbly


@pytest.mark.parametrize("number", [0, -3, 87, 200])
def test_a_nuclear_charge_that_is_no_element_is_refused(number: int) -> None:
    with pytest.raises(InputError, match=f"no element '{number}'"):
        Molecules.one([1, number], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def test_molecules_introduce_themselves_in_a_line(water: Molecules) -> None:
    assert repr(water) == "Molecules(H2O, water)"
    assert repr(Molecules.concatenate([water] * 3)) == "Molecules(3 molecules, 9 atoms)"


def test_selecting_and_joining_gives_the_batch_back() -> None:
    batch = wobbly(7).molecules
    joined = Molecules.concatenate([batch[m] for m in range(len(batch))])
    assert torch.equal(joined.positions, batch.positions)
    assert torch.equal(joined.offsets, batch.offsets)
    assert list(joined.names) == list(batch.names)


def test_rows_are_taken_in_the_order_asked_for() -> None:
    batch = wobbly(6).molecules
    assert batch[[4, 0, -1]].formulas == [batch.formulas[4], batch.formulas[0], batch.formulas[5]]
    assert (
        batch[torch.tensor([True, False, True, False, False, False])].formulas
        == batch.formulas[0:3:2]
    )


def test_padding_and_unpadding_are_inverse() -> None:
    batch = wobbly(5).molecules
    numbers, positions = batch.pad(9)
    back = Molecules.padded(numbers, positions)
    assert torch.equal(back.numbers, batch.numbers)
    assert torch.equal(back.positions, batch.positions)


def test_a_molecule_too_large_for_the_padding_is_named() -> None:
    with pytest.raises(InputError, match=r"'wobbly 3'.*has 6 atoms; at most 5"):
        wobbly(4).molecules.pad(5)


def test_composition_counts_atoms(water: Molecules) -> None:
    assert water.composition([1, 6, 8]).tolist() == [[2.0, 0.0, 1.0]]
    assert water.formulas == ["H2O"]
    assert formula([6, 6, 8, 1, 1, 1, 1, 1, 1]) == "C2H6O"


def test_two_atoms_on_one_point_and_nan_are_found(water: Molecules) -> None:
    broken = water.positions.clone()
    broken[1] = broken[0] + 0.01
    assert "atoms 1 and 2 are" in water.moved(broken).check()[0]
    broken[2] = float("nan")
    assert any("not a finite number" in line for line in water.moved(broken).check())
    assert water.check() == []


def test_shapes_that_disagree_are_refused(water: Molecules) -> None:
    with pytest.raises(InputError, match="must agree"):
        Molecules(water.numbers, water.positions[:2], water.offsets)
    with pytest.raises(InputError, match="must rise"):
        Molecules(water.numbers, water.positions, torch.tensor([0, 3, 3]))


def test_an_unknown_element_is_named() -> None:
    with pytest.raises(InputError, match="no element 'Xx'"):
        charge_of("Xx")


def test_units_against_codata() -> None:
    assert energy_factor("Ha") == pytest.approx(627.509474, abs=1e-5)
    assert energy_factor("eV") == pytest.approx(23.0605478, abs=1e-6)
    assert energy_factor("kJ/mol") == pytest.approx(1 / 4.184)
    assert force_factor("hartree/bohr") == pytest.approx(1185.8210, abs=1e-3)
    with pytest.raises(InputError, match="did you mean 'hartree'"):
        energy_factor("hartre")


def test_methane_binds_as_qm9_says() -> None:
    """gdb 1: U0 = −40.478930 Hartree, atomization −395.999595 kcal/mol (QM9's own table)."""
    methane = Molecules.one(["C", "H", "H", "H", "H"], torch.eye(5, 3) * 1.09)
    bound = atomization(
        torch.tensor([-40.478930 * HARTREE]), methane, FREE_ATOMS["b3lyp/6-31g(2df,p)"]
    )
    assert float(bound[0]) == pytest.approx(-395.9996, abs=1e-3)


def test_totals_in_the_wrong_unit_are_refused(water: Molecules) -> None:
    atoms = FREE_ATOMS["b3lyp/6-31g(2df,p)"]
    with pytest.raises(DataError, match="check the unit"):
        atomization(torch.tensor([-76.404702]), water, atoms)  # Hartree taken for kcal/mol
    assert -240 < float(atomization(torch.tensor([-76.404702 * HARTREE]), water, atoms)[0]) < -200


def test_a_dataset_keeps_atoms_and_molecules_together() -> None:
    data = wobbly(6)
    part = data[[5, 2]]
    rows = data.molecules.atoms_of(torch.tensor([5, 2]))
    assert part.forces is not None
    assert data.forces is not None
    assert torch.equal(part.forces, data.forces[rows])
    assert part.energies.tolist() == [float(data.energies[5]), float(data.energies[2])]


def test_a_missing_label_is_fatal() -> None:
    data = wobbly(3)
    data.energies[1] = float("nan")
    with pytest.raises(DataError, match="1 of 3 labels in 'pairs' are missing"):
        data.aimed("pairs")
