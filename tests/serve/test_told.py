"""What a worker tells of an answer, with the model that ships."""

from __future__ import annotations

import json

import pytest

from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.prediction.prediction import predict
from onekcal.serve.messages import plain
from onekcal.serve.tasks import parts
from onekcal.show.pages.embed import as_json


@pytest.fixture(scope="module")
def model() -> Artefact:
    return load_model()


def _asked(model: Artefact, **task: object) -> list[dict[str, object]]:
    content = as_json(list(parts({"most_atoms": 40} | task, model, lambda name, step: None)))
    return json.loads(content)


def test_an_answer_is_the_one_of_the_command_line(model: Artefact) -> None:
    (told,) = _asked(model, kind="predict", smiles="CCCO")  # nothing of this size ships
    (answer,) = predict("CCCO", model)
    assert told["formation_298"] == pytest.approx(answer.ledger.formation_298, abs=1e-9)
    assert told["half"] == pytest.approx(answer.half)
    assert told["symbols"] == ["C", "C", "C", "O"] + ["H"] * 8
    results = [line for line in told["lines"] if line["result"]]
    assert results[-1]["value"] == pytest.approx(told["formation_298"])
    assert len(told["conformers"]["positions"]) == told["conformers"]["count"]
    assert sum(told["conformers"]["weights"]) == pytest.approx(1.0)
    assert told["conformers"]["weights"] == sorted(told["conformers"]["weights"], reverse=True)
    assert [one["rung"] for one in told["next"]] == ["b3lyp", "g4mp2"]


def test_what_ships_computed_is_answered_first_and_nothing_is_above_it(model: Artefact) -> None:
    (told,) = _asked(model, kind="predict", smiles="CCO")
    assert (told["rung"], told["next"]) == ("g4mp2", [])
    (learned,) = _asked(model, kind="predict", smiles="CCO", options={"rung": "learned"})
    assert (learned["rung"], learned["next"][-1]) == ("learned", {"rung": "g4mp2", "stored": True})
    assert told["corrected"]
    assert 0 < told["formation_half"] < learned["formation_half"]


def test_the_next_rungs_are_told_with_their_seconds(model: Artefact) -> None:
    (told,) = _asked(model, kind="predict", smiles="CCCCO")  # nothing of this size ships
    assert [one["rung"] for one in told["next"]] == ["b3lyp", "g4mp2"]
    assert all(one["seconds"] > 1 for one in told["next"])


def test_what_the_model_does_not_know_is_told_with_a_forecast_and_no_flags(model: Artefact) -> None:
    (told,) = _asked(model, kind="predict", smiles="CC(=O)Oc1ccccc1C(=O)[O-]")
    assert "would take about" in told["problem"]
    assert "--" not in told["problem"]
    assert told["next"][-1]["seconds"] > 1000
    assert plain("a (--compute computes it)") == "a"
    assert plain("a, b; --smiles-column says which one it is") == "a, b"
    assert plain("in nm (length='nm', --length nm)") == "in nm (length='nm')"
    assert plain("a--b; c") == "a--b; c"
    assert plain("") is None


def test_a_molecule_too_large_or_unreadable_is_one_line(model: Artefact) -> None:
    (told,) = _asked(model, kind="predict", smiles="C" * 20)
    assert told["problem"].startswith("62 atoms")
    (row,) = _asked(model, kind="row", smiles="C" * 20, source="list.smi, line 1")
    assert row["cells"]["problem"].startswith("list.smi, line 1: 62 atoms")
    (told,) = _asked(model, kind="predict", geometry="2\n\nH 0 0 0\nH 0 0 0\n", format="xyz")
    assert told["problem"]


def test_bonds_are_told_one_by_one_and_nothing_is_computed_unasked(model: Artefact) -> None:
    nothing = {"budget": 0.0}
    found = _asked(model, kind="bonds", smiles="CO", options=nothing)
    assert [one["bond"] for one in found] == ["C–O", "C–H", "O–H"]
    assert all(one["radicals"] for one in found)
    (told,) = _asked(model, kind="bonds", smiles="[CH3]", options=nothing)
    assert "unpaired" in told["problem"]


def test_a_reaction_is_told_with_its_species(model: Artefact) -> None:
    more = {"temperature": 298.15, "pressure": 1.0, "free_energies": False}
    (told,) = _asked(model, kind="react", reaction="CCO >> COC", **more)
    assert [one["coefficient"] for one in told["species"]] == [-1.0, 1.0]
    assert told["species"][0]["answer"]["lines"]
    assert told["half"] < 4
    assert told["against"] == "experiment"


def test_a_surface_is_one_task(model: Artefact) -> None:
    (told,) = _asked(model, kind="surface", surface="lol", smiles="O")
    assert told["kind"] == "lol"
    assert told["points"]


def test_every_energy_of_an_answer_is_in_the_unit_that_was_asked_for(model: Artefact) -> None:
    (kcal,) = _asked(model, kind="predict", smiles="CCCO")
    (kilojoule,) = _asked(model, kind="predict", smiles="CCCO", options={"unit": "kJ/mol"})
    assert kilojoule["unit"] == "kJ/mol"
    for key in ("formation_298", "formation_0", "half", "formation_half"):
        assert kilojoule[key] == pytest.approx(4.184 * kcal[key]), key
    assert kilojoule["atom_energies"] == pytest.approx(
        [4.184 * energy for energy in kcal["atom_energies"]]
    )
    for one, other in zip(kcal["lines"], kilojoule["lines"]):
        assert other["value"] == pytest.approx(4.184 * one["value"])
        assert other["error"] == pytest.approx(one["error"] and 4.184 * one["error"])
    assert kilojoule["conformers"]["relative"] == pytest.approx(
        [4.184 * energy for energy in kcal["conformers"]["relative"]]
    )
    assert kilojoule["conformers"]["weights"] == pytest.approx(kcal["conformers"]["weights"])
