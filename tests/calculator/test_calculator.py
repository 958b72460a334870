"""The ASE calculator: eV and Å, charge and spin, caching, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.optimize import BFGS
from threadpoolctl import threadpool_info, threadpool_limits

import onekcal
from onekcal import datasets as store
from onekcal.calculator import Calculator
from onekcal.data.dataset import Dataset
from onekcal.errors import InputError
from onekcal.io.ase_atoms import from_atoms
from onekcal.models.artefact import Artefact
from onekcal.models.registry import build
from onekcal.models.shipped import load_model
from onekcal.models.stack import Stack
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import predict
from onekcal.quantum.gfn2 import TightBinding
from onekcal.quantum.method import Point
from onekcal.quantum.named import single_point
from onekcal.trust.conformal import Conformal
from onekcal.units import EV
from support.molecules import wobbly


def fitted(data: Dataset, *stages: tuple[str, dict[str, object]], **about: object) -> Artefact:
    """A small model of electronic energies."""
    model = Stack([build(name, settings) for name, settings in stages]).fit(data, data[[]])
    given: dict[str, object] = {
        "elements": data.molecules.elements,
        "level": "b3lyp/6-31g",
        "calibration": {"data": Conformal(torch.linspace(0.1, 2.0, 100, dtype=torch.float64))},
        **about,
    }
    return Artefact(list(stages), model, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def network() -> Artefact:
    """Dressed atoms and a SchNet; what it learned is no matter here."""
    fit = {"recipe": "onecycle", "epochs": 2, "batch": 8}
    settings: dict[str, object] = {
        "features": 8, "interactions": 1, "gaussians": 10, "dtype": "float64", "fit": fit
    }  # fmt: skip
    return fitted(wobbly(16), ("dressed_atoms", {}), ("schnet", settings))


@pytest.fixture(scope="module")
def delta() -> Artefact:
    """Dressed atoms and a kernel on GFN2-xTB."""
    frames = store.load("mini-frames").dataset.aimed("b3lyp")[np.arange(40)]
    stages = (
        ("baseline", {"method": "gfn2", "live": True}),
        ("sparse_kernel", {"landmarks": 200, "regularization": 1e-6}),
    )
    return fitted(frames, *stages)


def bent_water() -> Atoms:
    atoms = molecule("H2O")
    atoms.positions[1] += [0.05, 0.1, -0.02]
    return atoms


# --- energies and forces ------------------------------------------------------------------------


def test_gfn2_has_its_own_energy_from_free_atoms_and_its_own_forces() -> None:
    atoms = bent_water()
    atoms.calc = Calculator("gfn2")
    there = single_point(from_atoms(atoms), "gfn2", forces=True)
    assert there.forces is not None
    assert atoms.get_potential_energy() == pytest.approx(there.energy / EV, abs=1e-9)
    assert np.allclose(atoms.get_forces(), there.forces / EV, atol=1e-4)  # the SCF's own limit
    assert np.abs(atoms.get_forces()).max() > 0.5  # not a minimum, where all forces are 0


def test_a_step_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several wait for each other longer than they work, most of all on a busy processor."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    seen: list[int] = []
    at = TightBinding.at

    def watched(self: TightBinding, *asked: Any, **more: Any) -> Point:
        seen.append(max(pool["num_threads"] for pool in threadpool_info()))
        return at(self, *asked, **more)

    monkeypatch.setattr(TightBinding, "at", watched)
    atoms = molecule("H2O")
    atoms.calc = Calculator("gfn2")
    with threadpool_limits(2):
        atoms.get_potential_energy()
    assert seen == [1]


@pytest.mark.filterwarnings("ignore:Please use `ase:FutureWarning")  # older ASE has no other name
@pytest.mark.parametrize("model", ["gfn2", "network", "delta"])
def test_forces_are_minus_the_slope_by_ases_own_differences(
    model: str, request: pytest.FixtureRequest
) -> None:
    atoms = bent_water()
    atoms.calc = Calculator("gfn2" if model == "gfn2" else request.getfixturevalue(model))
    forces = atoms.get_forces()
    numerical = atoms.calc.calculate_numerical_forces(atoms, d=1e-3)
    # differences of 1e-3 Å err by (1e-3)² E'''/6, some 1e-4 eV/Å; GFN2's energies by its SCF
    assert np.allclose(forces, numerical, atol=2e-3)
    assert np.abs(forces).max() > 0.05


def test_a_delta_model_and_gfn2_relax_under_ase(delta: Artefact) -> None:
    for model in ("gfn2", delta):
        atoms = bent_water()
        atoms.calc = Calculator(model)
        start = atoms.get_potential_energy()
        assert BFGS(atoms, logfile=None).run(fmax=0.02, steps=60)
        assert atoms.get_potential_energy() < start - 0.01
        assert np.linalg.norm(atoms.get_forces(), axis=1).max() <= 0.02
        assert 0.9 < atoms.get_distance(0, 1) < 1.05


def test_energies_are_those_of_predict_and_turn_with_the_molecule(network: Artefact) -> None:
    atoms = bent_water()
    atoms.calc = Calculator(network)
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    (answer,) = predict(from_atoms(atoms), network, Options(keep_geometry=True, forces=True))
    assert answer.forces is not None
    assert energy * EV == pytest.approx(answer.energy, abs=1e-9)
    assert np.allclose(forces * EV, answer.forces, atol=1e-9)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    atoms.positions = (atoms.positions @ turn.T + [1.0, -2.0, 3.0])[[2, 0, 1]]
    atoms.numbers = atoms.numbers[[2, 0, 1]]
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-9)
    assert np.allclose(atoms.get_forces(), (forces @ turn.T)[[2, 0, 1]], atol=1e-9)
    assert not np.allclose(atoms.get_forces(), forces[[2, 0, 1]], atol=1e-3)  # the turn is real
    atoms.positions[0] *= 1.02
    assert abs(atoms.get_potential_energy() - energy) > 1e-6  # and so is the energy


def test_shares_of_atoms_sum_to_the_energy_and_follow_the_elements(network: Artefact) -> None:
    atoms = bent_water()
    atoms.calc = Calculator(network)
    shares = atoms.get_potential_energies()
    assert shares.sum() == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    assert abs(shares[0] - shares[1]) > 1e-3  # oxygen is no hydrogen
    atoms.calc = Calculator("gfn2")
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_potential_energies()


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["gfn2", "network"])
def test_a_free_atom_is_zero_and_two_far_molecules_are_their_sum(
    model: str, request: pytest.FixtureRequest
) -> None:
    how = "gfn2" if model == "gfn2" else request.getfixturevalue(model)
    atom = Atoms("O", info={"spin": 2})
    atom.calc = Calculator(how)
    assert atom.get_potential_energy() == pytest.approx(0.0, abs=1e-6)
    assert np.array_equal(atom.get_forces(), np.zeros((1, 3)))
    one, other = bent_water(), molecule("CH4")
    both = one + Atoms(other.numbers, other.positions + np.array([0, 0, 60.0]))
    energies, forces = [], []
    for atoms in (one, other, both):
        atoms.calc = Calculator(how)
        energies.append(atoms.get_potential_energy())
        forces.append(atoms.get_forces())
    # dipole and quadrupole of two molecules at 60 Å: below 1e-6 eV
    assert energies[2] == pytest.approx(energies[0] + energies[1], abs=2e-5)
    assert np.allclose(forces[2], np.concatenate(forces[:2]), atol=2e-5)
    both.positions[3:] -= [0, 0, 57.5]
    assert abs(both.get_potential_energy() - energies[0] - energies[1]) > 1e-3  # near is not far


def test_a_linear_molecule_feels_no_force_across_its_axis() -> None:
    atoms = Atoms("CO2", [[0, 0, 0], [0, 0, 1.2], [0, 0, -1.15]])
    atoms.calc = Calculator("gfn2")
    forces = atoms.get_forces()
    assert np.abs(forces[:, :2]).max() < 1e-7
    assert np.abs(forces[:, 2]).max() > 0.5


# --- what is kept ---------------------------------------------------------------------------------


def counted(calc: Calculator, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether forces were wanted, once for every geometry that is computed."""
    calls: list[bool] = []
    calculation: Callable[..., object] = calc.method.calculation

    def counting(self: object, one: object) -> object:
        made = calculation(one)
        at = made.at  # type: ignore[attr-defined]
        made.at = lambda positions, gradient=True: (
            calls.append(gradient)
            or at(  # type: ignore
                positions, gradient
            )
        )
        return made

    monkeypatch.setattr(type(calc.method), "calculation", counting)
    return calls


def test_nothing_is_computed_twice_and_every_change_is_noticed(
    network: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    atoms = bent_water()
    atoms.calc = Calculator(network)
    calls = counted(atoms.calc, monkeypatch)
    atoms.get_forces()
    atoms.get_potential_energy()
    atoms.get_forces()
    assert calls == [True]
    atoms.positions[0, 0] += 1e-9
    atoms.get_potential_energy()
    atoms.get_potential_energy()
    assert calls == [True, False]
    atoms.get_forces()
    assert calls == [True, False, True]


def test_charge_and_spin_come_from_info_and_a_change_is_noticed() -> None:
    atoms = molecule("OH")
    atoms.calc = Calculator("gfn2")
    with pytest.raises(InputError, match="9 electrons: 0 unpaired is impossible"):
        atoms.get_potential_energy()
    atoms.info["spin"] = 1
    radical = atoms.get_potential_energy()
    atoms.info |= {"charge": -1, "spin": 0}
    anion = atoms.get_potential_energy()
    assert abs(radical - anion) > 0.5
    atoms.info |= {"charge": 0, "spin": 1}
    assert atoms.get_potential_energy() == pytest.approx(radical, abs=1e-6)
    atoms.info["charge"] = 0.5
    with pytest.raises(InputError, match="whole number, got 0.5"):
        atoms.get_potential_energy()


# --- the interval ---------------------------------------------------------------------------------


def test_the_interval_is_the_models_in_ev_and_absent_where_it_has_none(network: Artefact) -> None:
    atoms = bent_water()
    atoms.calc = Calculator(network, coverage=0.8)
    energy = atoms.get_potential_energy()
    lower, upper = atoms.calc.results["interval"]
    half = network.calibration["data"].radius(0.8) / EV
    assert (lower, upper) == (pytest.approx(energy - half), pytest.approx(energy + half))
    assert atoms.calc.results["coverage"] == 0.8
    atoms.calc = Calculator(replace(network, calibration={}))
    atoms.get_potential_energy()
    assert atoms.calc.results["interval"] is None
    atoms.calc = Calculator(replace(network, largest=2))  # water is larger than all it has seen
    atoms.get_potential_energy()
    assert atoms.calc.results["interval"] is None


def test_a_new_geometry_has_a_novelty_and_no_interval(delta: Artefact) -> None:
    for limit, known in ((1e6, True), (-1.0, False)):
        atoms = bent_water()
        atoms.calc = Calculator(replace(delta, novelty_limit=limit))
        atoms.get_potential_energy()
        assert (atoms.calc.results["interval"] is not None) is known
        assert isinstance(atoms.calc.results["novelty"], float)


# --- refusals -------------------------------------------------------------------------------------


def test_the_model_that_ships_gives_an_energy_and_refuses_forces_with_the_reason() -> None:
    atoms = molecule("CH4")
    atoms.calc = onekcal.Calculator(load_model())
    assert -18.0 < atoms.get_potential_energy() < -16.5  # methane, 0 K: −17.0 eV
    assert atoms.calc.results["interval"] is not None
    for error in (InputError, PropertyNotImplementedError):
        with pytest.raises(error, match="is no force: its energies hold zero-point energy"):
            atoms.get_forces()


def test_periodic_unknown_and_colliding_atoms_are_refused(network: Artefact) -> None:
    periodic = molecule("CH4", vacuum=5.0)
    periodic.pbc = [True, False, False]
    ion = molecule("CH4")
    ion.info |= {"charge": 1, "spin": 1}
    near = Atoms("H2", [[0, 0, 0], [0, 0, 0.1]])
    for atoms, reason in (
        (periodic, "is periodic"),
        (Atoms("HF", [[0, 0, 0], [0, 0, 0.9]]), "never seen F"),
        (ion, r"an ion \(charge \+1\)"),
        (near, "0.100 Å apart"),
        (Atoms(), "are empty"),
    ):
        atoms.calc = Calculator(network)
        with pytest.raises(InputError, match=reason):
            atoms.get_potential_energy()


def test_a_name_that_is_neither_model_nor_method_is_refused() -> None:
    with pytest.raises(InputError, match=r"no model at gnf2.*no method 'gnf2'; did you mean"):
        Calculator("gnf2")
    with pytest.raises(InputError, match="gives charges in e and no energies"):
        Calculator(Artefact([], Stack([]), kind="charges", unit="e"))
