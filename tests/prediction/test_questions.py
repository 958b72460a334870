"""What may be asked: SMILES, files and standard input become questions, and what cannot be read
one clear line.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import rdDepictor, rdDistGeom

from onekcal.prediction.questions import Question, count, questions

WATER = "3\nwater\nO 0 0 0.117\nH 0 0.757 -0.469\nH 0 -0.757 -0.469\n"
ATOM = "1\nnitrogen atom\nN 0 0 0\n"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "a.smi",
            "SMILES name\n# heading above\nCCO grain alcohol\n\nC\n",
            [("CCO", "grain alcohol"), ("C", "")],
        ),
        ("b.csv", "Name;smiles\nwater;O\n;C\n", [("O", "water"), ("C", "")]),
        ("c.csv", "\nsmiles\nO\n", [("O", "")]),
    ],
)
def test_smiles_come_from_files_with_their_names(
    tmp_path: Path, name: str, text: str, expected: list
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = list(questions([str(tmp_path / name)]))
    assert [(q.smiles, q.name) for q in found] == expected
    assert all(f"{name}, line" in q.source for q in found)


def test_a_flat_drawing_is_asked_by_its_smiles_with_its_name_and_tags(tmp_path: Path) -> None:
    drawing = Chem.MolFromSmiles("C[C@H](O)C#N")
    rdDepictor.Compute2DCoords(drawing)
    Chem.WedgeMolBonds(drawing, drawing.GetConformer())
    drawing.SetProp("_Name", "lactonitrile")
    drawing.SetProp("batch", "7")
    shape = Chem.AddHs(Chem.MolFromSmiles("CO"))
    rdDistGeom.EmbedMolecule(shape, randomSeed=1)
    bare = Chem.RemoveHs(shape)  # in space without its hydrogens: no drawing
    path = tmp_path / "a.sdf"
    with Chem.SDWriter(str(path)) as writer:
        for mol in (shape, drawing, bare):
            writer.write(mol)
    whole, drawn, poor = questions([str(path)])
    assert whole.molecule is not None
    assert (drawn.smiles, drawn.name, drawn.problem) == ("C[C@H](O)C#N", "lactonitrile", "")
    assert drawn.molecule is None
    assert drawn.columns == {"batch": "7"}
    assert "more hydrogens" in poor.problem
    assert not poor.smiles


def test_the_place_of_a_question_names_its_smiles_once() -> None:
    assert Question("some.smi, line 3", smiles="CCO").place == "some.smi, line 3 ('CCO')"
    assert Question("CCO", smiles="CCO").place == "CCO"
    assert Question("some.xyz").place == "some.xyz"


def test_lines_of_smiles_are_read_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.TextIOBase):
        def __init__(self) -> None:
            self.lines = 0

        def readline(self, size: int | None = -1) -> str:  # type: ignore[override]
            self.lines += 1
            return "C\n"

    endless = Endless()
    monkeypatch.setattr("sys.stdin", endless)
    found = questions(["-"])
    assert [next(found).smiles for _ in range(3)] == ["C"] * 3
    assert endless.lines < 6


def test_standard_input_may_be_xyz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(WATER + "2\nbroken\nH 0 0\nH 0 0 1\n" + ATOM))
    found = list(questions(["-"]))
    assert [q.source for q in found] == [
        "standard input, molecule 1",
        "standard input, molecule 2 (line 6)",
        "standard input, molecule 3",
    ]
    assert found[0].molecule is not None
    assert "standard input, molecule 2" in found[1].problem


def test_the_name_of_a_stored_answer_is_a_question() -> None:
    (ethanol,) = questions(["Ethanol"])
    assert (ethanol.smiles, ethanol.name) == ("CCO", "Ethanol")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere.xyz", "there is no file nowhere.xyz"),
        ("notes.docx", "there is no file notes.docx"),
        ("ethanoll", "nor a SMILES that can be read, and no stored answer has this name; did you"),
        ("", "an empty argument"),
        ("folder", "is a folder"),
        ("empty.smi", "empty.smi is empty"),
        ("empty.xyz", "empty.xyz is empty"),
        ("comments.smi", "comments.smi is empty"),
        ("no.csv", "expected a column named SMILES, got name, formula"),
        ("hole.csv", "hole.csv, line 2: no SMILES in this row"),
        ("what.pdb", "no format for"),
        ("-", "standard input is empty"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(
    in_empty_folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (in_empty_folder / "folder").mkdir()
    files = {
        "empty.smi": "",
        "empty.xyz": "",
        "comments.smi": "# nothing\n",
        "no.csv": "name,formula\na,CH4\n",
        "hole.csv": "smiles,name\n,nothing\n",
        "what.pdb": "ATOM\n",
    }
    for name, content in files.items():
        (in_empty_folder / name).write_text(content)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    (found,) = questions([text])
    assert message in found.problem
    assert "\n" not in found.problem


def test_a_smiles_of_two_pieces_is_no_file_name() -> None:
    (found,) = questions(["CCO.O"])
    assert (found.smiles, found.problem) == ("CCO.O", "")


def test_the_count_for_the_bar_is_that_of_the_molecules(in_empty_folder: Path) -> None:
    (in_empty_folder / "a.smi").write_text("C\nO\n\n")
    (in_empty_folder / "b.csv").write_text("smiles\nC\n")
    (in_empty_folder / "c.xyz").write_text(WATER + ATOM)
    assert count(["CCO", "a.smi", "b.csv", "c.xyz"]) == 6
    assert count(["CCO", "-"]) is None
