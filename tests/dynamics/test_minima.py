"""Minima and vibrations under any model: springs have both in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from onekcal.dynamics.minima import dataset_of, relaxed, vibrations
from onekcal.errors import InputError
from onekcal.geometry.inertia import MASSES
from onekcal.geometry.relax import FallsApart
from onekcal.models.shipped import load_model
from onekcal.molecules import Molecules
from onekcal.thermo.frequencies import frequencies
from onekcal.units import WAVENUMBER
from support.springs import SPRING, Springs, springs

PAIR = Molecules.one(["C", "O"], [[0, 0, 0], [0, 0, 1.13]], name="pair")


def test_a_model_relaxes_to_its_own_minimum_from_anywhere(water: Molecules) -> None:
    artefact = springs(water)
    found = relaxed(water.moved(water.positions * 1.07 + 0.3), artefact, 0.001)
    there = torch.cdist(found.molecule.positions, found.molecule.positions)
    assert torch.allclose(there, torch.cdist(water.positions, water.positions), atol=1e-4)
    assert found.energy == pytest.approx(0.0, abs=1e-4)
    assert found.force <= 0.001
    gfn2 = relaxed(water, "gfn2", 0.001)  # another minimum
    apart = torch.cdist(gfn2.molecule.positions, gfn2.molecule.positions) - there
    assert float(apart.abs().max()) > 1e-3
    assert gfn2.energy == pytest.approx(-323.78, abs=0.1)  # relative to free atoms


def test_a_pair_on_a_spring_vibrates_as_its_formula_says() -> None:
    artefact = springs(PAIR)
    molecule, found = vibrations(PAIR.moved(PAIR.positions * 1.1), artefact)
    mass = 1.0 / (1.0 / MASSES[6] + 1.0 / MASSES[8])
    # ω = √(k/μ); 1 kcal/mol/Å² is 4.184e26 /mol kg/s²
    omega = np.sqrt(SPRING * 4184.0 / 6.02214076e23 * 1e20 / (mass * 1.66053906660e-27))
    expected = omega / (2 * np.pi * 2.99792458e10)
    assert found.wavenumbers == pytest.approx([expected], rel=1e-3)
    assert found.zero_point == pytest.approx(0.5 * expected * WAVENUMBER, rel=1e-3)
    assert found.linear
    assert float((molecule.positions[0] - molecule.positions[1]).norm()) == pytest.approx(
        1.13, abs=1e-3
    )
    softer = springs(PAIR, model=Springs(PAIR, SPRING / 4))
    assert vibrations(PAIR, softer)[1].wavenumbers[0] == pytest.approx(expected / 2, rel=1e-3)


def test_one_function_computes_the_vibrations_of_methods_and_models(water: Molecules) -> None:
    molecule, found = vibrations(water, "gfn2")
    assert found.wavenumbers == pytest.approx(frequencies(molecule).wavenumbers, abs=0.5)
    assert len(vibrations(water, springs(water))[1].wavenumbers) == 3
    turned = torch.linalg.qr(torch.tensor([[1.0, 2, 3], [0, 1, 4], [5, 6, 0]]).double())[0]
    again = vibrations(water.moved(water.positions @ turned.T), springs(water))[1]
    assert again.wavenumbers == pytest.approx(
        vibrations(water, springs(water))[1].wavenumbers, abs=0.5
    )


def test_a_kept_geometry_stays_and_a_lone_atom_has_no_vibrations(water: Molecules) -> None:
    stretched = water.moved(water.positions * 1.05)
    molecule, found = vibrations(stretched, "gfn2", keep_geometry=True)
    assert torch.equal(molecule.positions, stretched.positions)
    assert found.force > 0.5
    assert not len(vibrations(Molecules.one(["He"], [[0, 0, 0]]), "gfn2")[1].wavenumbers)


def test_a_model_that_breaks_the_molecule_or_has_no_forces_is_refused(water: Molecules) -> None:
    wide = springs(water, model=Springs(water.moved(water.positions * 2.0)))
    with pytest.raises(FallsApart, match="broken"):
        relaxed(water, wide)
    assert relaxed(water, wide, keep_bonds=False).changes
    for compute in (relaxed, vibrations):
        with pytest.raises(InputError, match="is no force"):
            compute(water, load_model())


def test_minima_are_written_with_their_energy_and_its_meaning(water: Molecules) -> None:
    artefact = springs(water, kind="total")
    data = dataset_of([relaxed(water, artefact), relaxed(water, artefact)], artefact)
    assert len(data) == 2
    assert data.columns["energy"].kind == "total"
    assert data.columns["energy"].level == "springs"
