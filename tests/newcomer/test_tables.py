"""What a newcomer stumbled over with tables and standard input: ids, columns and tags were lost,
"C 0 0 0" was methane, an sdf was taken for SMILES.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from onekcal.io.recognition import recognised
from onekcal.prediction.questions import Question, further_headings, questions

WATER = "3\nwater\nO 0 0 0.117\nH 0 0.757 -0.469\nH 0 -0.757 -0.469\n"


def block(smiles: str, title: str = "", **tags: str) -> str:
    """A molecule of an sdf with tags."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    mol.SetProp("_Name", title)
    told = "".join(f">  <{key}>\n{value}\n\n" for key, value in tags.items())
    return f"{Chem.MolToMolBlock(mol)}{told}$$$$\n"


def of_input(text: str, monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """The questions of a text on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return list(questions(["-"]))


@pytest.mark.parametrize(
    ("name", "text", "named", "further"),
    [
        (
            "id.csv",
            "ID,SMILES,mass,Supplier\n17,CCO,46.07,us\n18,O,,them\n",
            ["17", "18"],
            [
                {"ID": "17", "mass": "46.07", "Supplier": "us"},
                {"ID": "18", "mass": "", "Supplier": "them"},
            ],
        ),
        (
            "t.tsv",
            "mass\tcanonical_smiles\tTitle\n46.07\tCCO\tethanol, pure\n",
            ["ethanol, pure"],
            [{"mass": "46.07", "canonical_smiles": "CCO", "Title": "ethanol, pure"}],
        ),
        (
            "first.csv",
            "mass,isomeric_smiles,smiles,compound\n46.07,CCO,CCO,spirit\n18,O,O,\n",
            ["spirit", ""],
            [
                {"mass": "46.07", "isomeric_smiles": "CCO", "compound": "spirit"},
                {"mass": "18", "isomeric_smiles": "O", "compound": ""},
            ],
        ),
        (
            "twice.csv",
            "smiles,name,tag,tag,\nCCO,a,1,2,3\n",
            ["a"],
            [{"tag": "1", "tag_2": "2", "column_5": "3"}],
        ),
    ],
)
def test_ids_names_and_columns_of_a_table_are_kept(
    tmp_path: Path, name: str, text: str, named: list[str], further: list[dict[str, str]]
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = list(questions([str(tmp_path / name)]))
    assert [one.name for one in found] == named
    assert [dict(one.columns) for one in found] == further
    assert not any(one.problem for one in found)
    assert further_headings([str(tmp_path / name)]) == list(further[0])


def test_the_column_of_smiles_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,structure\nethanol,CCO\n")
    (refused,) = questions([str(tmp_path / "a.csv")])
    assert "--smiles-column" in refused.problem
    (found,) = questions([str(tmp_path / "a.csv")], smiles_column="structure")
    assert (found.smiles, found.columns) == ("CCO", {"structure": "CCO"})
    (typo,) = questions([str(tmp_path / "a.csv")], smiles_column="strukture")
    assert "did you mean 'structure'" in typo.problem


def test_tags_of_an_sdf_are_kept_and_name_what_has_no_title(tmp_path: Path) -> None:
    text = block("O", "water", batch="7") + "\n\n\nnothing\n>  <id>\nx9\n\n$$$$\n"
    (tmp_path / "a.sdf").write_text(text + block("C", id="m1"))
    found = list(questions([str(tmp_path / "a.sdf")]))
    assert [one.name for one in found] == ["water", "x9", "m1"]
    assert [bool(one.problem) for one in found] == [False, True, False]  # in their places
    assert [dict(one.columns) for one in found] == [
        {"batch": "7", "id": ""},
        {"batch": "", "id": "x9"},
        {"batch": "", "id": "m1"},
    ]


def test_an_atom_and_three_numbers_are_no_methane(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("C 0 0 0", "O 0 0 0.117\nH 0 0.757 -0.469\nH 0 -0.757 -0.469\n"):
        (found,) = of_input(text, monkeypatch)
        assert "coordinates without the two lines that begin an xyz file" in found.problem
    (found,) = questions(["C 0 0 0"])
    assert "coordinates" in found.problem
    found_ = of_input("C 1 2 3\nCC 4 5 6\n", monkeypatch)  # properties of SMILES
    assert [(one.smiles, one.name) for one in found_] == [("C", "1 2 3"), ("CC", "4 5 6")]


def test_standard_input_is_told_by_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    sdf = block("O", "C", batch="7")  # a title that is a SMILES
    (water,) = of_input(sdf, monkeypatch)
    assert water.molecule is not None
    assert (water.molecule.formulas[0], water.name, water.columns) == ("H2O", "C", {"batch": "7"})
    (unnamed,) = of_input(block("O"), monkeypatch)  # it begins with an empty line
    assert unnamed.molecule is not None
    (row,) = of_input("id;smiles;mass\n4;CCO;46\n", monkeypatch)
    assert (row.smiles, row.name, row.columns) == ("CCO", "4", {"id": "4", "mass": "46"})
    assert [one.molecule is None for one in of_input(WATER, monkeypatch)] == [False]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", ""),
        ("\n \n", ""),
        ("CCO\n", "smi"),
        ("CCO ethanol, pure\n", "smi"),
        ("CCO\tethanol\n", "smi"),
        ("SMILES name\nCCO ethanol\n", "smi"),
        ("# water, and more\nO\n", "smi"),
        ("SMILES\tname\nCCO\tethanol\n", "csv"),
        ('"name","smiles"\n', "csv"),
        ("compound,formula\n", "csv"),
        (WATER, "xyz"),
        ("C 0 0 0\nC 0 0 1.", "coordinates"),
        ("\ufeff3\nwater\n", "xyz"),
    ],
)
def test_a_format_is_told_by_how_a_text_begins(text: str, kind: str) -> None:
    assert recognised(text) == kind
