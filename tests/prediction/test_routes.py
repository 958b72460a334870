"""The second route: pieces of a molecule, their experiments, and a heat of formation."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal.errors import InputError
from onekcal.geometry.species import species
from onekcal.labels.deviations import deviation
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.molecules import Molecules
from onekcal.prediction.answers import Answer
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import predict
from onekcal.prediction.routes import LEFT, isodesmic, left_of, with_route
from onekcal.prediction.separation import separations
from onekcal.thermo.ledger import ledger
from onekcal.thermo.small_species import small_species
from support.command import onekcal


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return load_model("g4mp2")


def answered(text: str, energy: float = -700.0, **more: object) -> Answer:
    """An answer made by hand, at places that no bond could have."""
    nuclei = species(text).nuclei()
    molecule = nuclei.moved(
        torch.arange(3.0 * len(nuclei.numbers), dtype=torch.float64).view(-1, 3)
    )
    lines = ledger(molecule, energy, "g4mp2", thermal="regression")
    made = Answer(
        text, smiles=text, level="g4mp2", energy=energy, half=1.0, molecule=molecule,
        ledger=lines, rung="g4mp2", geometry="b3lyp",
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


# --- the pieces -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("smiles", "bonds", "neighbours"),
    [
        ("CCO", "CCO + C >> CC + CO", None),
        ("CCCC", "CCCC + 2 C >> 3 CC", "CCCC + CC >> 2 CCC"),
        (
            "c1ccccc1",
            "c1ccccc1 + 6 C >> 3 C=C + 3 CC",
            "c1ccccc1 + 3 C=C + 3 CC >> 6 C=CC",
        ),
        ("CC[N+](=O)[O-]", "CC[N+](=O)[O-] + C >> C[N+](=O)[O-] + CC", None),
        ("[CH2]CC", "[CH2]CC + C >> [CH2]C + CC", None),
        ("C1CC1", "C1CC1 + 3 C >> 3 CC", "C1CC1 + 3 CC >> 3 CCC"),
        ("O=C=O", "O=C=O + C >> 2 C=O", None),
    ],
)
def test_a_molecule_is_written_with_its_pieces(
    smiles: str, bonds: str, neighbours: str | None
) -> None:
    found = {one.rung: str(one) for one in separations(smiles)}
    assert found == {1: bonds} | ({2: neighbours} if neighbours else {})


@pytest.mark.parametrize("smiles", ["c1ccncc1", "C/C=C/C", "N[C@@H](C)C(=O)O", "OS(=O)(=O)C"])
def test_every_separation_has_as_many_atoms_on_both_sides(smiles: str) -> None:
    """The code asserts each element; this counts all atoms with other means."""

    def size(text: str) -> int:
        return int(species(text).mol.GetNumAtoms())

    for one in separations(smiles):
        assert size(one.smiles) == sum(n * size(key) for key, n in one.partners.items())
        assert one.smiles not in one.partners


def test_two_spellings_of_an_aromatic_molecule_have_one_separation() -> None:
    assert separations("c1ccccc1") == separations("C1=CC=CC=C1")
    assert separations("Cc1ccccc1C") == separations("CC1=CC=CC=C1C")


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("C", "no bond between heavy atoms"),
        ("CC", "as small as the pieces"),
        ("[C-]#[O+]", "no bond between heavy atoms"),
        ("C[NH3+]", "is an ion"),
    ],
)
def test_what_has_no_separation_is_refused(smiles: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        separations(smiles)


# --- the table of experiments -----------------------------------------------------------------


def test_every_experiment_has_a_source_and_a_canonical_smiles() -> None:
    assert len(small_species()) > 100
    for smiles, one in small_species().items():
        assert species(smiles).smiles == smiles
        assert one.source
        assert 0.0 <= one.uncertainty <= 1.0


# --- the heat of formation --------------------------------------------------------------------


def test_the_second_route_is_hess_law(artefact: Artefact) -> None:
    """Of CCO + C >> CC + CO: the energy of the reaction, with experiments of its partners."""
    answer = answered("CCO")
    found = isodesmic(answer, artefact)
    assert {one.how for one in found.partners} == {"stored"}
    assert answer.ledger is not None
    first = answer.ledger.formation_298
    change = sum(one.count * one.computed for one in found.partners) - first  # ΔrH, calculated
    experiment = sum(one.count * one.experiment for one in found.partners)
    assert found.formation == pytest.approx(experiment - change, abs=1e-9)
    assert found.half == pytest.approx(LEFT[1], abs=0.05)
    assert not found.apart


def test_an_error_of_all_partners_of_one_kind_cancels_and_one_of_the_molecule_does_not(
    artefact: Artefact,
) -> None:
    low, high = (isodesmic(answered("CCO", e), artefact).formation for e in (-700.0, -699.0))
    assert high - low == pytest.approx(1.0, abs=1e-9)


def test_the_interval_grows_with_coverage_and_for_radicals() -> None:
    ethanol, ethyl = (answered(smiles).molecule for smiles in ("CCO", "[CH2]C"))
    assert isinstance(ethanol, Molecules)
    assert isinstance(ethyl, Molecules)
    assert left_of(ethanol, 1, 0.9) == LEFT[1]
    assert left_of(ethanol, 1, 0.95) > left_of(ethanol, 1, 0.9) < left_of(ethyl, 1, 0.9)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (answered("CCNO"), "CCNO .* no experimental heat of formation of NO"),
        (answered("CCO", level="b3lyp"), "the answer is at b3lyp"),
        (answered("CCO", geometry="gfn2"), "g4mp2//gfn2 is another level"),
        (answered("CCO", smiles=""), "does not show the bonds"),
    ],
)
def test_what_has_no_second_route_says_why(
    artefact: Artefact, answer: Answer, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        isodesmic(answer, artefact)
    both = with_route(answer, "both", artefact, lambda smiles: answer)
    assert both.isodesmic is None
    assert "no second route" in both.remarks[-1]
    assert with_route(answer, "auto", artefact, lambda smiles: answer) is answer


def test_auto_says_only_what_differs(artefact: Artefact) -> None:
    """Many C–F bonds add up the errors of their partners."""
    near = answered("CCO")
    assert with_route(near, "auto", artefact, lambda smiles: near) is near
    chain = answered("FC(F)(F)C(F)(F)C(F)(F)C(F)(F)C(F)(F)F")
    found = isodesmic(chain, artefact)
    shift = sum(one.count * one.error for one in found.partners)
    assert chain.molecule is not None
    limits = math.hypot(deviation(chain.molecule)[0], LEFT[found.separation.rung])
    assert found.apart == (abs(shift) > limits * 1.1)  # here the uncertainties are small
    told = with_route(chain, "auto", artefact, lambda smiles: chain)
    assert (told.isodesmic is not None) == found.apart


def test_the_isodesmic_ledger_sums_to_the_second_route() -> None:
    (found,) = predict("CCO", options=Options(rung="learned", route="isodesmic"))
    (plain,) = predict("CCO", options=Options(rung="learned", route="atomization", level="g4mp2"))
    assert found.isodesmic is not None
    assert found.ledger is not None
    assert plain.ledger is not None
    assert found.ledger.formation_298 == pytest.approx(found.isodesmic.formation, abs=1e-9)
    assert found.ledger.formation_0 == plain.ledger.formation_0
    assert abs(found.isodesmic.formation + 56.08) < found.isodesmic.half  # ATcT


def test_the_interval_of_a_separated_heat_is_the_separations(tmp_path: Path) -> None:
    (found,) = predict("CCO", options=Options(rung="learned", route="isodesmic"))
    assert found.isodesmic is not None
    half = found.isodesmic.half
    assert found.formation_298.half == pytest.approx(half)
    assert found.formation_0.half < half - 0.5  # the control: the model's own
    words = ("predict", "CCO", "--rung", "learned", "--route", "isodesmic")
    (line,) = (
        one
        for one in onekcal(*words, cwd=tmp_path).stdout.splitlines()
        if one.startswith("ΔfH(298")
    )
    assert f"  {half:.2f}  " in line
    refused = onekcal(*words, "--max-interval", f"{half - 0.1:.2f}", cwd=tmp_path)
    assert "not trusted: the interval of ΔfH is" in refused.stderr
    assert not onekcal(*words, "--max-interval", f"{half + 0.1:.2f}", cwd=tmp_path).returncode


def test_the_command_shows_both_and_refuses_what_has_one(tmp_path: Path) -> None:
    words = ("predict", "CCO", "--rung", "learned", "--route")
    shown = onekcal(*words, "both", cwd=tmp_path)
    assert "by bond separation, CCO + C >> CC + CO" in shown.stdout
    row = next(csv.DictReader(io.StringIO(onekcal(*words, "both", "--csv", cwd=tmp_path).stdout)))
    (found,) = json.loads(onekcal(*words, "both", "--json", cwd=tmp_path).stdout)
    assert float(row["isodesmic_298K_kcal_per_mol"]) == pytest.approx(
        found["isodesmic"]["formation_298"], abs=1e-3
    )
    refused = onekcal("predict", "C", "--rung", "learned", "--route", "isodesmic", cwd=tmp_path)
    assert refused.returncode == 2
    assert "no bond between heavy atoms" in refused.stderr
    assert "`route` must be one of" in onekcal(*words, "other", cwd=tmp_path).stderr


# --- the results ------------------------------------------------------------------------------

RESULTS = Path(__file__).parents[2] / "results"


def test_what_is_left_is_what_was_measured() -> None:
    """`LEFT` is the larger of the 90 % quantiles of G4 (all classes) and of published G4(MP2)."""
    molecules = json.loads((RESULTS / "routes.json").read_text(encoding="utf-8"))["molecules"]
    for rung, left in LEFT.items():
        errors = {
            method: [abs(m["isodesmic"]) for m in molecules if (m["method"], m["rung"]) == key]
            for method, key in {m: (m, rung) for m in ("G4", "G4(MP2), published")}.items()
        }
        assert left == pytest.approx(max(np.quantile(e, 0.9) for e in errors.values()), abs=0.006)


def test_textbook_bonds_miss_experiment_by_less_than_the_goal() -> None:
    rows = json.loads((RESULTS / "bonds.json").read_text(encoding="utf-8"))["rows"]
    *bonds, mean = [row["ours"] for row in rows]
    assert len(bonds) == 20
    errors = [one["dissociation"] - one["experiment"] for one in bonds]
    assert np.abs(errors).mean() == pytest.approx(mean["mae"], abs=0.01)
    assert mean["mae"] < 1.5
