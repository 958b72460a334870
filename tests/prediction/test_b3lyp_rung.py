"""The rung on B3LYP: what it computes and keeps, what it answers, and what it refuses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.energies import free_atoms
from onekcal.labels import computed as store_module
from onekcal.labels.b3lyp import LEVEL, Minima, Minimum
from onekcal.labels.computed import key_of_smiles
from onekcal.labels.deviations import deviation
from onekcal.labels.g4mp2 import Kept
from onekcal.models.artefact import Artefact
from onekcal.models.model_card import ModelCard
from onekcal.models.registry import build
from onekcal.models.stack import Stack
from onekcal.models.to_experiment import shipped as shipped_correction
from onekcal.molecules import Molecules
from onekcal.prediction import b3lyp_rung
from onekcal.prediction.answers import Answer
from onekcal.prediction.joint import from_experiment
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import predict
from onekcal.quantum.method import LabelError
from onekcal.trust.conformal import Conformal
from onekcal.units import HARTREE
from support.command import onekcal
from support.computed import computed
from support.molecules import wobbly

WATER = Molecules.one(
    ["O", "H", "H"], [[0, 0, 0.1173], [0, 0.7572, -0.4692], [0, -0.7572, -0.4692]]
)
DELTA = 7.0
"""kcal/mol an atom that the model of these tests adds to B3LYP's energy."""


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    """A model of B3LYP's water, ammonia, methane and methanol: Δ is `DELTA` an atom."""
    full = wobbly(24, seed=1)
    lower = Column(full.energies - DELTA * full.molecules.sizes, level=LEVEL)
    data = Dataset(full.molecules, {"pairs": full.aim, "b3lyp": lower}, "pairs")
    stages = [("baseline", {"method": "b3lyp"}), ("dressed_atoms", {})]
    model = Stack([build(name, settings) for name, settings in stages]).fit(data[:16], data[16:])
    scores = Conformal(torch.linspace(0.01, 0.5, 99, dtype=torch.float64))
    return Artefact(
        stages,
        model,
        "g4mp2",
        "atomization",
        "0 K",
        (1, 6, 7, 8),
        6,
        {"b3lyp": scores},
        "b3lyp",
        card=ModelCard(data="wobbly", heavy_atoms=2),
    )


class Programme:
    """Stands for B3LYP: answers at once, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool, list[str]]] = []
        self.dies: BaseException | None = None

    def __call__(
        self, molecule: Molecules, keep_geometry: bool, kept: Kept, watch: Callable[[str], None]
    ) -> Minimum:
        self.asked.append((molecule.formulas[0], keep_geometry, sorted(kept)))
        watch("geometry")
        kept.setdefault("geometry", {"positions": molecule.positions.tolist()})
        if self.dies:
            raise self.dies
        atoms = float(free_atoms(LEVEL).energies(molecule)[0])
        return Minimum(molecule, (atoms - 230.0) / HARTREE, 1.0)


@pytest.fixture(autouse=True)
def programme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artefact: Artefact) -> Programme:
    """An empty store, nothing that ships but the model of these tests, and a B3LYP for nothing."""
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(store_module, "shipped", dict)
    monkeypatch.setattr(b3lyp_rung, "shipped", lambda: artefact)
    monkeypatch.setattr("onekcal.prediction.prediction.shipped", lambda: artefact)
    programme = Programme()
    monkeypatch.setattr(b3lyp_rung, "b3lyp_minimum", programme)
    return programme


def ask(artefact: Artefact, *inputs: str | Molecules, **settings: object) -> list[Answer]:
    settings.setdefault("rung", "b3lyp")
    settings.setdefault("route", "atomization")
    return list(predict(inputs, artefact, Options(**settings)))  # type: ignore[arg-type]


# --- what it answers --------------------------------------------------------------------------


def test_the_answer_is_b3lyp_and_what_the_model_adds(artefact: Artefact) -> None:
    (water,) = ask(artefact, "O")
    assert (water.problem, water.rung, water.level, water.geometry) == (
        "", "b3lyp", "g4mp2", "b3lyp",
    )  # fmt: skip
    assert water.energy == pytest.approx(-230.0 + 3 * DELTA, abs=1e-3)
    assert water.half == pytest.approx(artefact.calibration["b3lyp"].radius(0.9))
    assert water.ledger is not None
    assert water.ledger.terms[0].source == "g4mp2 – learned on B3LYP; ± is its 90 % interval"
    assert water.waves is None


def test_a_model_on_b3lyp_is_asked_on_this_rung_whatever_the_option(
    artefact: Artefact, programme: Programme
) -> None:
    (water,) = ask(artefact, "O", rung="auto")
    assert (water.rung, len(programme.asked)) == ("b3lyp", 1)


def test_what_is_in_the_store_is_not_computed_again(
    artefact: Artefact, programme: Programme
) -> None:
    first, second, third = (ask(artefact, spelling)[0] for spelling in ("CO", "OC", "[CH3]O"))
    assert len(programme.asked) == 1
    assert first.energy == second.energy == third.energy
    assert [one.problem for one in ask(artefact, "CO", "CO")] == ["", ""]  # in a list too


def test_b3lyp_after_g4mp2_starts_from_its_geometry(
    artefact: Artefact, programme: Programme
) -> None:
    key = key_of_smiles("O", 0, 0, "g4mp2")
    done = replace(computed(WATER, -219.0), waves=np.array([1640.0, 3800.0, 3900.0]))
    Minima().above.once(key, lambda steps: done)
    (water,) = ask(artefact, "O")
    assert programme.asked == [("H2O", False, ["geometry", "start"])]
    assert water.molecule is not None
    assert water.molecule.positions.numpy() == pytest.approx(WATER.positions.numpy(), abs=1e-5)
    assert water.waves == pytest.approx(0.9854 * done.waves)
    assert water.ledger is not None
    heat = next(t for t in water.ledger.terms if t.label == "H(298 K) − H(0)")
    assert "B3LYP" in heat.source
    assert heat.value == pytest.approx(done.heat, abs=1e-3)


def test_a_kept_geometry_has_a_place_of_its_own(artefact: Artefact, programme: Programme) -> None:
    (relaxed,) = ask(artefact, WATER)
    (kept,) = ask(artefact, WATER, keep_geometry=True)
    assert [given for _, given, _ in programme.asked] == [False, True]
    assert "relaxed" in relaxed.made
    assert "kept as given" in kept.made
    ask(artefact, "O", keep_geometry=True)
    assert programme.asked[-1][1] is False  # a SMILES has none to keep


def test_a_lone_atom_is_zero_by_definition(artefact: Artefact, programme: Programme) -> None:
    (atom,) = ask(artefact, "[O]")
    assert (atom.energy, atom.half, programme.asked) == (0.0, 0.0, [])


def test_against_experiment_the_method_counts_beside_the_model(artefact: Artefact) -> None:
    (water,) = ask(artefact, "O", level="g4mp2")
    assert water.molecule is not None
    method, _ = deviation(water.molecule, 0.9)
    assert from_experiment(water, 0.9) == pytest.approx(np.hypot(method, water.half))
    assert method > water.half > 0
    (corrected,) = ask(artefact, "O")
    left, _ = shipped_correction().half(water.molecule, 0.9)
    assert from_experiment(corrected, 0.9) == pytest.approx(np.hypot(left, water.half))


# --- what it refuses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "why", "above"),
    [
        ("[CH3]", "a radical", "--rung g4mp2 computes it"),
        ("[NH4+]", "an ion", "--rung g4mp2 computes it"),
        ("CS", "has never seen S", "--rung g4mp2 computes it"),
        ("CCO", "9 atoms", "--rung g4mp2 computes it"),
        ("II", "has never seen I", "no basis set for I"),
        (
            Molecules.one(["O", "H"], [[0, 0, 0], [0, 0, 0.97]], spin=2),
            "2 unpaired is impossible",
            "spin",
        ),
    ],
)
def test_a_molecule_outside_the_scope_is_refused_with_the_next_rung(
    artefact: Artefact, programme: Programme, asked: str | Molecules, why: str, above: str
) -> None:
    (refused,) = ask(artefact, asked)
    assert why in refused.problem
    assert above in refused.problem
    assert programme.asked == []


def test_environments_that_are_new_are_refused_before_anything_is_computed(
    artefact: Artefact, programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    novelty = 0.3
    monkeypatch.setattr(artefact.model, "novelty", lambda m: torch.tensor([novelty]))
    monkeypatch.setattr(artefact, "novelty_limit", 0.1)
    (refused,) = ask(artefact, "O")
    assert "environments the model has never seen" in refused.problem
    assert "--rung g4mp2 computes it" in refused.problem
    assert programme.asked == []
    novelty = 0.15  # GFN2-xTB's geometry may be that strange, B3LYP's may not
    (refused,) = ask(artefact, "O")
    assert "environments the model has never seen" in refused.problem
    assert len(programme.asked) == 1
    (forced,) = ask(artefact, "O", force=True)
    assert forced.problem == ""
    assert not np.isfinite(forced.half)
    assert any("hence no interval" in one for one in forced.remarks)


def test_a_list_computes_nothing_without_compute(artefact: Artefact, programme: Programme) -> None:
    for one in ask(artefact, "O", "CO"):
        assert "B3LYP would take about" in one.problem
        assert "(--compute computes it)" in one.problem
        assert one.forecast
    assert programme.asked == []
    assert [one.rung for one in ask(artefact, "O", "CO", compute=True)] == ["b3lyp", "b3lyp"]


def test_too_little_memory_is_said_with_the_numbers(
    artefact: Artefact, programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onekcal.prediction.rungs.free_memory", lambda: 1e6)
    (refused,) = ask(artefact, "CO")
    assert "B3LYP of this molecule needs about" in refused.problem
    assert "GiB of memory, 0 are free" in refused.problem
    assert programme.asked == []


def test_a_killed_computation_goes_on(artefact: Artefact, programme: Programme) -> None:
    programme.dies = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        ask(artefact, "CO")
    programme.dies = None
    (done,) = ask(artefact, "CO")
    assert done.problem == ""
    assert [steps for *_, steps in programme.asked] == [["start"], ["geometry", "start"]]


def test_an_scf_that_does_not_converge_is_said_and_kept_nowhere(
    artefact: Artefact, programme: Programme
) -> None:
    programme.dies = LabelError("b3lyp of H2O: the SCF did not converge; check the geometry")
    (failed,) = ask(artefact, "O")
    assert failed.problem.startswith("O: b3lyp of H2O: the SCF did not converge")
    assert list(Minima()) == []


def test_a_missing_pyscf_is_said_before_a_geometry_is_made(
    artefact: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "pyscf"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "pyscf", None)
    monkeypatch.setattr(b3lyp_rung, "conformers", None)
    (refused,) = ask(artefact, "O")
    assert "pip install 'onekcal[dft]'" in refused.problem
    key = key_of_smiles("O", 0, 0, "g4mp2")
    Minima().once(key, lambda steps: Minimum(WATER, -76.4))
    assert ask(artefact, "O")[0].problem == ""  # in the store


# --- the command ------------------------------------------------------------------------------


def test_the_command_tells_what_a_list_would_take_with_b3lyp(
    artefact: Artefact, tmp_path: Path
) -> None:
    artefact.save(tmp_path / "model.safetensors")
    done = onekcal(
        "predict", "--model", "model.safetensors", "--rung", "b3lyp", "O", "CO", "--csv",
        cwd=tmp_path, ONEKCAL_HOME=str(tmp_path / "home"),
    )  # fmt: skip
    assert "B3LYP would answer 2 of them in about" in done.stderr
    assert "--compute does it" in done.stderr
    (tmp_path / "list.smi").write_text("O\nCO\n")
    done = onekcal(
        "predict", "--model", "model.safetensors", "list.smi", "--compute", "--csv",
        cwd=tmp_path, ONEKCAL_HOME=str(tmp_path / "home"),
    )  # fmt: skip
    assert done.stdout.count(",b3lyp,") >= 2
