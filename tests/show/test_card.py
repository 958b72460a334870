"""The model card: errors by size and by functional group, and what is told of a model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from onekcal import datasets as store
from onekcal.datasets.card import Card
from onekcal.geometry.functional_groups import HAS, LACKS, _patterns, functional_groups
from onekcal.models.artefact import Artefact
from onekcal.models.model_card import ModelCard
from onekcal.models.shipped import load_model
from onekcal.molecules import Molecules
from onekcal.prediction.scope import half_width, scope
from onekcal.runs.card import HEADS, about_data, limits, tables
from onekcal.runs.card_page import markdown
from onekcal.runs.errors_by import errors_by
from onekcal.runs.experiment import parse
from onekcal.runs.run import run
from onekcal.show.scope import scope as show_scope
from onekcal.system.provenance import provenance
from support.molecules import wobbly

EXAMPLES = {
    "CCC": ["alkane", "no ring"],
    "C1CC1": ["alkane", "three-membered ring"],
    "CC=C": ["no ring", "alkene"],
    "CC#C": ["no ring", "alkyne"],
    "c1ccccc1": ["aromatic, carbon only", "six-membered ring"],
    "c1cc[nH]c1": ["aromatic, with N O or S", "five-membered ring"],
    "CCO": ["no ring", "alcohol, enol or phenol"],
    "COC": ["no ring", "ether"],
    "C1CO1": ["ether", "three-membered ring"],
    "CC=O": ["no ring", "aldehyde"],
    "C=O": ["no ring", "aldehyde"],
    "CC(C)=O": ["no ring", "ketone"],
    "CC(=O)O": ["no ring", "carboxylic acid"],
    "COC=O": ["no ring", "ester"],
    "CNC(C)=O": ["no ring", "amide"],
    "NC=O": ["no ring", "amide"],
    "CN": ["no ring", "amine"],
    "N": ["no ring", "amine"],
    "CC=NC": ["no ring", "imine, amidine or oxime"],
    "CC=NO": ["no ring", "imine, amidine or oxime", "N–N or N–O bond"],
    "CC#N": ["no ring", "nitrile"],
    "C[N+](=O)[O-]": ["no ring", "nitro"],
    "NN": ["no ring", "N–N or N–O bond"],
    "[NH3+]CC(=O)[O-]": ["no ring", "zwitterion"],
    "CF": ["no ring", "fluorine"],
    "CS": ["no ring", "sulfur"],
    "C1CCC1": ["alkane", "four-membered ring"],
    "C12C3C4C1C5C2C3C45": ["alkane", "four-membered ring", "atom shared by three rings"],
}


@pytest.mark.parametrize("smiles", EXAMPLES)
def test_a_molecule_is_in_the_groups_a_chemist_sees(smiles: str) -> None:
    from rdkit import Chem

    found = functional_groups(Chem.MolFromSmiles(smiles))
    if smiles.count("C") == 8:  # cubane: six-membered rings run around its faces
        found = [name for name in found if name != "six-membered ring"]
    assert found == EXAMPLES[smiles]


def test_every_group_has_an_example_and_a_pattern_that_parses() -> None:
    assert {name for names in EXAMPLES.values() for name in names} == set(HAS) | set(LACKS)
    assert all(pattern is not None for _, pattern, _ in _patterns())


def test_rows_hold_the_errors_of_their_own_molecules() -> None:
    """wobbly repeats water, ammonia, methane, methanol; each kind is given an error of its own."""
    data = wobbly(40)
    wrong = torch.tensor([0.5, 2.0, -1.5, 3.0]).repeat(10)
    wrong[0] = 0.1  # a water
    found = errors_by(data, data.energies + wrong, half=1.6)
    assert list(found["heavy_atoms"]) == ["1", "2"]
    assert found["heavy_atoms"]["2"] == {
        "count": 10,
        "mae": 3.0,
        "median": 3.0,
        "above_1": 1.0,
        "coverage": 0.0,
    }
    assert found["heavy_atoms"]["1"]["count"] == 30
    assert found["heavy_atoms"]["1"]["coverage"] == pytest.approx(20 / 30, abs=1e-3)
    assert found["groups"]["alcohol, enol or phenol"] == found["heavy_atoms"]["2"]
    assert found["groups"]["amine"]["mae"] == 2.0
    assert found["groups"]["alkane"]["coverage"] == 1.0
    assert "nitrile" not in found["groups"]  # nobody has one
    assert found["not_perceived"] == 0
    shuffled = errors_by(
        data,
        data.energies + wrong[torch.randperm(40, generator=torch.Generator().manual_seed(1))],
        1.6,
    )
    assert shuffled["groups"] != found["groups"]  # the control: errors belong to molecules


def test_a_small_card_of_json_whatever_the_predictions() -> None:
    data = store.load("mini").dataset.aimed("b3lyp")[:200]
    found = errors_by(data, data.energies + torch.linspace(-3, 3, 200), half=math.inf)
    assert found["groups"]["amine"]["coverage"] is None  # no interval
    assert len(json.dumps(found, allow_nan=False)) < 6000
    broken = data.energies.clone()
    broken[:] = math.nan
    assert (
        json.loads(json.dumps(errors_by(data, broken, 1.0), allow_nan=False))["groups"]["amine"][
            "mae"
        ]
        is None
    )


def test_molecules_without_sense_are_counted_not_grouped() -> None:
    data = wobbly(4)
    heap = data.molecules.moved(data.molecules.positions * 0.4)
    found = errors_by(type(data)(heap, data.columns, "pairs"), data.energies, 1.0)
    assert found["not_perceived"] + found["perceived"] == 4
    assert found["not_perceived"] >= 3
    assert any("could not be told" in line for line in limits(ModelCard(errors_by=found)))


def test_limits_name_what_is_covered_too_rarely_and_not_what_may_be_chance() -> None:
    row = {"mae": 1.0, "median": 0.8, "above_1": 0.4}
    card = {
        "experiment": {"coverage": 0.9},
        "errors_by": {
            "groups": {
                "bad": {"count": 200, **row, "coverage": 0.70},
                "chance": {"count": 200, **row, "coverage": 0.87},
                "few": {"count": 5, **row, "coverage": 0.2},
                "trifle": {"count": 10**5, **row, "coverage": 0.89},
            }
        },
    }
    (line,) = [line for line in limits(ModelCard.of(card)) if "less often than promised" in line]
    assert "bad (70 % of 200)" in line
    assert not any(name in line for name in ("chance", "few", "trifle"))


# --- the page ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    """A run's model with its whole card."""
    folder = tmp_path_factory.mktemp("card")
    experiment = parse(
        {
            "data": {"set": "mini", "target": "b3lyp"},
            "stages": [{"baseline": "gfn2"}, "dressed_atoms"],
        }
    )
    finished = run(experiment, folder / "run")
    found = load_model(folder / "run")
    found.card.errors_by = errors_by(
        finished.test, finished.predicted, finished.metrics["interval"]
    )
    found.card.data_card = about_data(store.load("mini").card)
    found.card.made = provenance()
    return found


def test_the_page_says_what_the_model_is_made_of_and_what_it_is_worth(artefact: Artefact) -> None:
    page = markdown(artefact, "small")
    card: dict[str, Any] = artefact.card.to_dict()
    for words in (
        "# small",
        "atomization energy, b3lyp/6-31g df, electronic",
        "H C N O F S",
        "baseline gfn2 + dressed_atoms",
        card["digest"],
        "MIT (made for onekcal)",
        "Python",
        "onekcal ",
        f"{card['train']:,} to fit",
        "| heavy atoms | molecules | MAE",
        "| functional group |",
        "| nitrile |",
        "closed shells",
        "## Recipe\n\n```yaml",
        "set: mini",
        f"± {half_width(artefact, 'data'):.2f} kcal/mol",
    ):
        assert words in page, words
    assert len(json.dumps(card, allow_nan=False)) < 20_000
    assert f"{card['errors_by']['groups']['amine']['mae']:.2f}" in page


def test_every_row_of_a_table_has_a_figure_under_every_head(artefact: Artefact) -> None:
    found = list(tables(artefact.card))
    assert [table.title for table in found] == ["geometry", "heavy atoms", "functional group"]
    assert all(len(row) == 1 + len(HEADS) for table in found for row in table.rows)


def test_a_model_without_a_card_has_a_page_too() -> None:
    bare = Artefact([], load_nothing(), "g4mp2", at="0 K", elements=[1, 6], largest=5)
    page = markdown(bare, "bare")
    assert "H C" in page
    assert "G4(MP2) itself is ± 1.04" in page
    assert "## Errors" not in page


def load_nothing() -> Any:
    from onekcal.models.stack import Stack

    return Stack([])


def test_a_data_sets_rights_are_told_where_known() -> None:
    assert about_data(Card("x", licence="CC0")) == {"licence": "CC0"}


def test_a_lone_molecule_is_a_table_of_one() -> None:
    water = Molecules.one(["O", "H", "H"], [[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]])
    data = type(wobbly(1))(water, {"e": wobbly(1).columns["pairs"]}, "e")
    assert errors_by(data, data.energies, 1.0)["heavy_atoms"] == {
        "1": {"count": 1, "mae": 0.0, "median": 0.0, "above_1": 0.0, "coverage": 1.0}
    }


def test_the_scope_is_printed_with_the_card(
    artefact: Artefact, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_scope("small", scope(artefact))
    shown = capsys.readouterr().out
    for words in (
        "90 % interval",
        "model card",
        "baseline gfn2 + dressed_atoms",
        "functional group",
        "nitrile",
        "limits",
    ):
        assert words in shown
    assert "entries; --json" not in shown  # nothing of a run's card is hidden
    assert max(map(len, shown.splitlines())) <= 100
