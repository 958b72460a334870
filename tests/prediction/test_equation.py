"""The text of a reaction and its balance: species, names, coefficients, the spin."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from onekcal.errors import InputError
from onekcal.molecules import Molecules
from onekcal.prediction.balance import (
    balanced,
    conserved,
    missing,
    null_space,
    smallest,
    spin_remark,
    stoichiometry,
)
from onekcal.prediction.equation import parse_equation, reaction_lines, read_species
from onekcal.prediction.options import Options
from onekcal.prediction.react import react
from onekcal.prediction.reaction import Conditions

FAST = Options(budget=0.0)
"""What ships is looked up."""


def nuclei(*smiles: str) -> list[Molecules]:
    return [read_species(text)[0].molecule for text in smiles]


# --- the text ---------------------------------------------------------------------------------


@pytest.mark.parametrize("arrow", [">>", "->", "→", "⇌", "<=>", "="])
def test_a_reaction_is_split_into_coefficients_and_species(arrow: str) -> None:
    found = parse_equation(f"2 [H][H] + 1/2 O=O {arrow} 0.5 [NH4+] + a b.xyz")
    assert found.left == ((Fraction(2), "[H][H]"), (Fraction(1, 2), "O=O"))
    assert found.right == ((Fraction(1, 2), "[NH4+]"), (None, "a b.xyz"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CCO", "expected one arrow"),
        ("C >> C >> C", "expected one arrow .* got 2"),
        ("CCO + >> COC", "a species is missing on the left"),
        ("CCO >>", "a species is missing on the right"),
        ("0 CCO >> COC", "must be a positive number, got 0"),
        ("1/0 CCO >> COC", "must be a positive number"),
    ],
)
def test_a_text_that_is_no_reaction_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_equation(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CO+C", r"write spaces around the \+"),
        ("2CO", "write a space behind a coefficient: '2 CO'"),
        ("nowhere.xyz", "there is no file nowhere.xyz"),
        ("C.C", "2 disconnected molecules"),
    ],
)
def test_a_species_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_species(text)


def test_two_spellings_of_a_molecule_are_one_species() -> None:
    assert read_species("OCC")[0].key == read_species("CCO")[0].key
    assert read_species("CCO")[0].key != read_species("COC")[0].key


NAMES = {"ethylene": {"C=C"}, "mine": {"C", "CC"}, "measured": {""}}
"""Names of stored answers as `Store.names` gives them."""


def test_names_of_stored_answers_are_species() -> None:
    found, question = read_species("Ethylene", names=lambda: NAMES)
    assert (found.text, found.key, question.smiles) == ("Ethylene", "C=C", "C=C")
    assert found.key == read_species("C=C")[0].key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ethylen", "no stored answer has this name; did you mean 'ethylene'"),
        ("mine", r"several stored answers \(C, CC\); write a SMILES"),
        ("measured", "computed from a geometry; give the file"),
    ],
)
def test_a_name_that_is_unknown_or_ambiguous_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_species(text, names=lambda: NAMES)


def test_what_ships_has_names_and_takes_part_by_them() -> None:
    none = Conditions(free_energies=False)
    by_name, by_smiles = react(
        ["water + carbon monoxide >> carbon dioxide + hydrogen", "O + [C-]#[O+] >> O=C=O + [H][H]"],
        conditions=none,
        options=FAST,
    )
    assert by_name.problem == by_smiles.problem == ""
    assert by_name.enthalpy == by_smiles.enthalpy
    assert by_name.balanced == "water + carbon monoxide >> carbon dioxide + hydrogen"


def test_elements_in_their_standard_state_have_no_heat_of_formation() -> None:
    (found,) = react("2 [H][H] + [O][O] >> 2 O", options=FAST)
    hydrogen, oxygen, water = (each.answer.ledger for each in found.participants)
    assert hydrogen is not None
    assert oxygen is not None
    assert water is not None
    assert abs(hydrogen.formation_298) < 1e-9
    assert abs(oxygen.formation_298) < 1e-9
    assert found.enthalpy == pytest.approx(2 * water.formation_298, abs=1e-6)
    assert found.enthalpy == pytest.approx(2 * -57.80, abs=2.0)  # experiment


def test_a_name_and_a_smiles_of_one_species_cancel() -> None:
    (found,) = react("ethylene + CC >> ethane", options=FAST)
    assert "CC stands on both sides" in found.problem


def test_reactions_are_read_from_lines_and_tables(tmp_path: Path) -> None:
    lines = tmp_path / "some.txt"
    lines.write_text("# a remark\nCCO >> COC\n\nC + C >> CC\n")
    assert list(reaction_lines(lines)) == ["CCO >> COC", "C + C >> CC"]
    table = tmp_path / "some.csv"
    table.write_text("name,Reaction\na,CCO >> COC\nb,\n")
    assert list(reaction_lines(table)) == ["CCO >> COC"]
    table.write_text("name,other\na,b\n")
    with pytest.raises(InputError, match="a column named reaction, got name, other"):
        list(reaction_lines(table))
    lines.write_text("\n")
    with pytest.raises(InputError, match="holds no reaction"):
        list(reaction_lines(lines))


# --- the balance ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (["[H][H]", "O=O"], ["O"], (2, 1, 2)),
        (["C", "O=O"], ["O=C=O", "O"], (1, 2, 1, 2)),
        (["CCCC", "O=O"], ["O=C=O", "O"], (2, 13, 8, 10)),
        (["[NH4+]", "[OH-]"], ["N", "O"], (1, 1, 1, 1)),
        (["[O-][N+](=O)OCC(O[N+](=O)[O-])CO[N+](=O)[O-]"], ["O=C=O", "O", "N#N", "O=O"],
         (4, 12, 10, 6, 1)),
    ],
)  # fmt: skip
def test_the_stoichiometry_is_found(
    left: list[str], right: list[str], expected: tuple[int, ...]
) -> None:
    texts = [*left, *right]
    assert stoichiometry(nuclei(*texts), len(left), texts) == expected


def test_what_is_missing_is_said_element_by_element() -> None:
    ones = [Fraction(1)] * 3
    assert missing(nuclei("[H][H]", "O=O", "O"), 2, ones) == ["1 O too few on the right"]
    assert missing(nuclei("C=C", "C", "CC"), 2, ones) == [
        "2 H too few on the right",
        "1 C too few on the right",
    ]
    assert missing(nuclei("[NH4+]", "N", "[H]"), 1, ones) == [
        "charge +1 on the left and 0 on the right"
    ]
    assert missing(nuclei("C=C", "[H][H]", "CC"), 2, ones) == []


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (["C"], ["CC"], "no coefficients balance .* 2 H too few on the left; 1 C too few"),
        (["CCO", "C"], ["COC"], "only without C$"),
        (["C", "O=O", "O"], ["O=C=O"], "only with O on the other side"),
        (["CC"], ["C=C", "N"], "no coefficients balance"),
        (
            ["C", "O=O"],
            ["O=C=O", "[C-]#[O+]", "O"],
            "2 independent reactions .* 3 C \\+ 5 O=O >> O=C=O \\+ 2 .* \\+ 6 O or "
            "3 C \\+ 5 O=O|2 independent",
        ),
    ],
)
def test_what_cannot_be_balanced_in_one_way_is_refused(
    left: list[str], right: list[str], message: str
) -> None:
    texts = [*left, *right]
    with pytest.raises(InputError, match=message):
        stoichiometry(nuclei(*texts), len(left), texts)


def test_the_two_smallest_solutions_are_named_and_balance() -> None:
    texts = ["C", "O=O", "O=C=O", "[C-]#[O+]", "O"]
    molecules = nuclei(*texts)
    with pytest.raises(InputError) as refused:
        stoichiometry(molecules, 2, texts)
    shown = str(refused.value).split("the smallest are ")[1].split(" or ")
    assert len(shown) == 2
    sums = []
    for text in shown:
        terms = parse_equation(text)
        numbers = [number or Fraction(1) for number, _ in (*terms.left, *terms.right)]
        assert missing(molecules, 2, numbers) == []
        sums.append(sum(numbers))
    # by brute force: the least sums of two solutions that are no multiples of each other
    _, counts = conserved(molecules)
    counts = counts * np.array([1, 1, -1, -1, -1])
    grid = np.stack(np.meshgrid(*[np.arange(1, 13)] * 5, indexing="ij"), -1).reshape(-1, 5)
    whole = grid[~(grid @ counts.T).any(1)]
    whole = whole[np.argsort(whole.sum(1), kind="stable")]
    other = next(v for v in whole if np.linalg.matrix_rank(np.stack([whole[0], v])) == 2)
    assert sums == [whole[0].sum(), other.sum()]


@given(some.lists(some.lists(some.integers(-4, 4), min_size=4, max_size=4), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_the_null_space_is_exact_and_complete(rows: list[list[int]]) -> None:
    matrix = np.array(rows)
    basis = null_space(matrix)
    assert len(basis) == 4 - np.linalg.matrix_rank(matrix)
    for vector in basis:
        assert not any(sum(int(a) * v for a, v in zip(row, vector)) for row in matrix.tolist())


def test_the_smallest_solution_is_none_where_there_is_none() -> None:
    assert smallest(np.array([[1, 2, 3]])) is None
    assert smallest(np.array([[1, -2]])) == [2, 1]
    assert smallest(np.array([[1, -2]]), [2, 1]) is None


def test_written_coefficients_must_balance() -> None:
    molecules, texts = nuclei("[H][H]", "O=O", "O"), ["[H][H]", "O=O", "O"]
    written = [Fraction(4), Fraction(2), Fraction(4)]
    assert balanced(molecules, 2, texts, written) == tuple(written)
    with pytest.raises(InputError, match=r"1 O too few on the right; balanced: 2 \[H\]\[H\]"):
        balanced(molecules, 2, texts, [Fraction(2), Fraction(3, 2), Fraction(2)])


def test_the_spin_is_remarked_only_where_it_cannot_be_conserved() -> None:
    def remark(left: list[str], right: list[str]) -> str:
        texts = [*left, *right]
        numbers = balanced(nuclei(*texts), len(left), texts, None)
        return spin_remark(nuclei(*texts), numbers, len(left), texts)

    assert "unpaired electrons on the left 2, on the right 0" in remark(["[H][H]", "O=O"], ["O"])
    assert "O=O has 2" in remark(["[H][H]", "O=O"], ["O"])
    assert remark(["[CH3]", "[CH3]"], ["CC"]) == ""
    assert remark(["C", "[OH]"], ["[CH3]", "O"]) == ""
    assert remark(["[O]", "O=O"], ["[O-][O+]=O"]) == ""  # two triplets couple to a singlet
