"""The rungs of `predict`: who answers a molecule, what is computed, and what is only forecast."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from onekcal.labels import computed as store_module
from onekcal.labels.computed import Store, key_of_geometry
from onekcal.labels.forecast import forecast
from onekcal.labels.g4mp2 import Computed, Kept, Variant
from onekcal.models.artefact import Artefact
from onekcal.models.model_card import ModelCard
from onekcal.models.registry import build
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.prediction import rungs
from onekcal.prediction.answers import Answer
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import predict
from onekcal.trust.conformal import Conformal
from support.command import onekcal
from support.computed import HYDROGEN, computed
from support.molecules import wobbly

HOUR, LIST = 3600.0, ("[NH2]", "[CH3]")


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    """A model of water, ammonia, methane and methanol; what its numbers are worth is no matter."""
    data = wobbly(24, seed=1)
    stages = [("dressed_atoms", {})]
    model = Stack([build(name, settings) for name, settings in stages]).fit(data[:16], data[16:])
    scores = Conformal((data.energies - model.energies(data.molecules)).abs().sort().values)
    return Artefact(
        stages,
        model,
        "g4mp2",
        "atomization",
        "0 K",
        (1, 6, 7, 8),
        6,
        {"gfn2": scores, "b3lyp": scores, "smiles": scores},
        "gfn2",
        card=ModelCard(data="wobbly", heavy_atoms=2),
    )


class Programme:
    """Stands for G4(MP2): answers at once, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Variant, bool]] = []
        self.starts: list[Molecules] = []
        self.dies_at = ""
        self.dies: BaseException = KeyboardInterrupt()
        self.steps: list[str] = []

    def __call__(
        self,
        molecule: Molecules,
        variant: Variant,
        exact: bool,
        keep_geometry: bool,
        kept: Kept,
        watch: Callable[[str], None],
        memory: float,
    ) -> Computed:
        self.asked.append((molecule.formulas[0], variant, keep_geometry))
        self.starts.append(molecule)
        for step in ("geometry", "coupled cluster"):
            if step not in kept:
                self.steps.append(step)
                watch(step)
                if step == self.dies_at:
                    raise self.dies
                kept[step] = {"positions": molecule.positions.tolist()}
        return computed(molecule, -104.2, variant)


@pytest.fixture(autouse=True)
def programme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programme:
    """An empty store, nothing that ships, and a G4(MP2) that costs nothing."""
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(store_module, "shipped", dict)
    programme = Programme()
    monkeypatch.setattr(rungs, "g4mp2", programme)
    return programme


def ask(artefact: Artefact, *inputs: str | Molecules, **settings: object) -> list[Answer]:
    return list(predict(inputs, artefact, Options(**settings)))  # type: ignore[arg-type]


def put(one: Computed) -> None:
    """Keep a molecule under its geometry."""
    Store().once(key_of_geometry(one.molecule, one.method), lambda steps: one)


# --- who answers ------------------------------------------------------------------------------


def test_what_the_model_knows_is_answered_by_it(artefact: Artefact, programme: Programme) -> None:
    (water,) = ask(artefact, "O")
    assert (water.rung, water.problem, programme.asked) == ("learned", "", [])


def test_a_single_molecule_outside_the_scope_is_computed_and_kept(
    artefact: Artefact, programme: Programme
) -> None:
    (first,) = ask(artefact, "[CH3]")
    assert (first.rung, first.problem) == ("g4mp2", "")
    assert programme.asked == [("CH3", "g4mp2", False)]
    assert first.energy == pytest.approx(-104.2)
    assert 1 < first.half < 5
    (again,) = ask(artefact, "[H][C]([H])[H]")
    assert len(programme.asked) == 1  # another spelling of what is in the store
    assert again.energy == pytest.approx(first.energy, abs=1e-4)


def test_the_rung_of_the_learned_model_computes_nothing(
    artefact: Artefact, programme: Programme
) -> None:
    (refused,) = ask(artefact, "[CH3]", rung="learned")
    assert "a radical" in refused.problem
    assert "--force" not in refused.problem  # no conformers are made of a radical
    assert (refused.forecast, programme.asked) == (None, [])


def test_the_rung_of_g4mp2_computes_what_the_model_knows_too(
    artefact: Artefact, programme: Programme
) -> None:
    (water,) = ask(artefact, "O", rung="g4mp2")
    assert (water.rung, len(programme.asked)) == ("g4mp2", 1)


def test_an_unknown_rung_is_refused(artefact: Artefact) -> None:
    with pytest.raises(ValueError, match="`rung` must be one of auto, learned"):
        ask(artefact, "O", rung="b2plyp")


def test_a_model_of_another_level_is_not_followed_by_g4mp2(
    artefact: Artefact, programme: Programme
) -> None:
    (refused,) = ask(replace(artefact, level="b3lyp"), "[CH3]")
    assert "a radical" in refused.problem
    assert programme.asked == []


# --- budget, lists, memory --------------------------------------------------------------------


def test_above_the_budget_nothing_is_computed_and_the_command_is_told(
    artefact: Artefact, programme: Programme
) -> None:
    (refused,) = ask(artefact, "[CH3]", budget=0.0)
    assert "a radical" in refused.problem
    assert "would take about" in refused.problem
    assert "(--rung g4mp2 computes it)" in refused.problem
    assert refused.forecast is not None
    assert refused.forecast > 0
    assert programme.asked == []
    (done,) = ask(artefact, "[CH3]", budget=0.0, rung="g4mp2")
    assert done.problem == ""


def test_between_the_two_forecasts_the_cheaper_variant_is_computed(
    artefact: Artefact, programme: Programme
) -> None:
    methyl = Molecules.one([6, 1, 1, 1], np.eye(4, 3), spin=1)
    dear, cheap = (rungs.elapsed(forecast(methyl, v).total) for v in ("g4mp2", "g4mp2//gfn2"))
    assert cheap < dear
    (done,) = ask(artefact, "[CH3]", budget=0.5 * (dear + cheap))
    assert programme.asked == [("CH3", "g4mp2//gfn2", False)]
    assert "GFN2-xTB" in done.made


def test_a_list_computes_nothing_by_itself(artefact: Artefact, programme: Programme) -> None:
    for rung in ("auto", "g4mp2"):
        for one in ask(artefact, *LIST, rung=rung, budget=HOUR):
            assert "(--compute computes it)" in one.problem
            assert one.forecast
    assert programme.asked == []


def test_with_compute_a_list_is_computed(artefact: Artefact, programme: Programme) -> None:
    answers = ask(artefact, *LIST, "O", compute=True, budget=0.0)
    assert [one.rung for one in answers] == ["g4mp2", "g4mp2", "learned"]
    assert [formula for formula, *_ in programme.asked] == ["H2N", "CH3"]


def test_what_the_store_holds_is_answered_in_a_list_too(
    artefact: Artefact, programme: Programme
) -> None:
    put(computed(HYDROGEN))
    answers = ask(artefact, HYDROGEN, HYDROGEN, rung="g4mp2")
    assert [one.problem for one in answers] == ["", ""]
    assert programme.asked == []


def test_too_little_memory_is_said_with_the_numbers(
    artefact: Artefact, programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rungs, "free_memory", lambda: 1e6)
    (refused,) = ask(artefact, "C1=CC=CC=C1", rung="g4mp2")
    assert "GiB of memory, 0 are free" in refused.problem
    assert programme.asked == []


def test_memory_that_runs_out_on_the_way_is_said_and_the_steps_stay(
    artefact: Artefact, programme: Programme
) -> None:
    programme.dies_at, programme.dies = "coupled cluster", MemoryError()
    (failed,) = ask(artefact, "[CH3]")
    assert "the memory ran out; what was finished is kept" in failed.problem
    programme.dies_at = ""
    assert ask(artefact, "[CH3]")[0].problem == ""
    assert programme.steps == ["geometry", "coupled cluster", "coupled cluster"]


# --- what goes wrong --------------------------------------------------------------------------


def test_a_killed_computation_of_a_smiles_goes_on(artefact: Artefact, programme: Programme) -> None:
    programme.dies_at = "coupled cluster"
    with pytest.raises(KeyboardInterrupt):
        ask(artefact, "[CH3]")
    programme.dies_at = ""
    (done,) = ask(artefact, "[CH3]")
    assert done.problem == ""
    assert programme.steps == ["geometry", "coupled cluster", "coupled cluster"]
    before, after = programme.starts
    assert after.positions.numpy() == pytest.approx(before.positions.numpy())
    assert float(after.positions.abs().max()) > 0.5  # it has a geometry


def test_a_missing_pyscf_is_said_before_a_geometry_is_made(
    artefact: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "pyscf"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "pyscf", None)
    monkeypatch.setattr(rungs, "conformers", None)
    for rung in ("auto", "g4mp2"):
        (refused,) = ask(artefact, "[CH3]", rung=rung)
        assert "pip install 'onekcal[dft]'" in refused.problem
    put(computed(HYDROGEN))
    assert ask(artefact, HYDROGEN, rung="g4mp2")[0].problem == ""  # in the store


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("II", "no basis set for I"),
        (Molecules.one(["O", "H"], [[0, 0, 0], [0, 0, 0.97]], spin=2), "2 unpaired is impossible"),
    ],
)
def test_what_g4mp2_cannot_compute_says_why(
    artefact: Artefact, programme: Programme, asked: str | Molecules, message: str
) -> None:
    (refused,) = ask(artefact, asked)
    assert message in refused.problem
    assert ("--force" in refused.problem) == (asked != "II")  # nothing is known of I
    assert programme.asked == []


# --- how it is told ---------------------------------------------------------------------------


def remarks_of(artefact: Artefact, one: Computed) -> str:
    put(one)
    (found,) = ask(artefact, one.molecule, rung="g4mp2")
    assert found.problem == ""
    return "; ".join(found.remarks)


def test_diagnostics_are_remarked_above_their_limits(artefact: Artefact) -> None:
    sound = computed(HYDROGEN, t1=0.019)
    assert remarks_of(artefact, sound) == ""
    methyl = Molecules.one([6, 1, 1, 1], [[0, 0, 0], [1.08, 0, 0], [-0.5, 0.9, 0], [-0.5, -0.9, 0]],
                           spin=1)  # fmt: skip
    said = remarks_of(artefact, computed(methyl, -289.0, t1=0.021, contamination=0.11))
    assert "computed with 1 unpaired electron;" in said
    assert "T1 = 0.021 (above 0.02)" in said
    assert "⟨S²⟩ is off by +0.11" in said


def test_ions_state_the_convention_of_the_electron(artefact: Artefact) -> None:
    hydroxide = Molecules.one(["O", "H"], [[0, 0, 0], [0, 0, 0.9646]], charge=-1)
    assert "an ion of charge -1" in remarks_of(artefact, computed(hydroxide, -142.0))
    (found,) = ask(artefact, hydroxide, rung="g4mp2")
    assert found.ledger is not None
    said = [t.source for t in found.ledger.terms if t.label.startswith("ion convention")]
    assert len(said) == 1
    assert "adds -1.48 to ΔfH(298 K)" in said[0]
    put(computed(HYDROGEN))
    (neutral,) = ask(artefact, HYDROGEN, rung="g4mp2")
    assert neutral.ledger is not None
    assert not any("ion convention" in term.label for term in neutral.ledger.terms)


def test_a_kept_geometry_is_kept_and_said_but_a_smiles_has_none(
    artefact: Artefact, programme: Programme
) -> None:
    (given,) = ask(artefact, HYDROGEN, rung="g4mp2", keep_geometry=True)
    assert "kept as given" in given.made
    ask(artefact, "[H][H]", rung="g4mp2", keep_geometry=True)
    assert [kept for *_, kept in programme.asked] == [True, False]


# --- the command ------------------------------------------------------------------------------


def test_the_command_prints_the_total_forecast_of_a_list(
    artefact: Artefact, programme: Programme, tmp_path: Path
) -> None:
    artefact.save(tmp_path / "model.safetensors")
    model = str(tmp_path / "model.safetensors")
    home = str(tmp_path / "home")
    done = onekcal(
        "predict", "--model", model, *LIST, "O", "--csv", cwd=tmp_path, ONEKCAL_HOME=home
    )
    assert "G4(MP2) would answer 2 of them in about" in done.stderr
    assert "--compute does it" in done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["rung"] for row in rows if not row["problem"]] == ["learned"]
    forecasts = [row["forecast_seconds"] for row in rows]
    assert [bool(text) for text in forecasts] == [True, True, False]
    done = onekcal(
        "predict", "--model", model, *LIST, "--compute", "--json", cwd=tmp_path, ONEKCAL_HOME=home
    )
    told = json.loads(done.stdout)
    told = told if isinstance(told, list) else told["answers"]
    assert [one["rung"] for one in told] == ["g4mp2", "g4mp2"]
    assert [one["forecast_seconds"] for one in told] == [None, None]
    assert "--compute does it" not in done.stderr
