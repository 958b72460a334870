"""Reactions: their text, their balance, Hess's law, and the joint interval."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule as ase_molecule
from hypothesis import given, settings
from hypothesis import strategies as some

from onekcal.errors import InputError
from onekcal.models.model_card import ModelCard
from onekcal.models.shipped import SHIPPED, load_model
from onekcal.molecules import Molecules
from onekcal.prediction.answers import Answer
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
from onekcal.prediction.experiment import to_experiment
from onekcal.prediction.joint import (
    RELATED,
    JointCalibration,
    calibrations,
    environments,
    from_experiment,
    joint_half,
    joint_scale,
    similarity,
)
from onekcal.prediction.options import Options
from onekcal.prediction.react import react
from onekcal.prediction.reaction import Conditions, Reaction
from onekcal.prediction.scope import half_width

LEARNED = Options(rung="learned")
"""Nothing is computed in these tests."""
FAST = Options(budget=0.0)
"""What ships is looked up."""


def nuclei(*smiles: str) -> list[Molecules]:
    return [read_species(text)[0].molecule for text in smiles]


def one(text: str, **more: object) -> Reaction:
    (found,) = react(text, options=LEARNED, **more)  # type: ignore[arg-type]
    return found


# --- the text ---------------------------------------------------------------------------------


@pytest.mark.parametrize("arrow", [">>", "->", "→"])
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


# --- energies ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def isomerisation() -> Reaction:
    return one("CCO >> COC")


def test_the_energies_are_hesss_sums(isomerisation: Reaction) -> None:
    found = isomerisation
    assert not found.problem
    rows = [(float(s.coefficient), s.answer.ledger, s.thermal) for s in found.participants]
    assert [nu for nu, _, _ in rows] == [-1, 1]
    assert found.energy == pytest.approx(sum(nu * t.formation_0 for nu, t, _ in rows if t))
    assert found.enthalpy == pytest.approx(
        sum(nu * t.formation_298 for nu, t, _ in rows if t), abs=1e-9
    )
    free = sum(nu * t.free_energy for nu, _, t in rows if t)
    assert found.free_energy == pytest.approx(found.energy + free, abs=1e-9)
    assert found.free_energy == pytest.approx(found.enthalpy - 0.29815 * found.entropy, abs=1e-9)


def test_ethanol_to_ether_agrees_with_experiment(isomerisation: Reaction) -> None:
    """ΔfH(298 K): ethanol −56.1, dimethyl ether −44.0 kcal/mol (Active Thermochemical Tables)."""
    assert isomerisation.enthalpy == pytest.approx(12.1, abs=1.0)
    assert 0.3 < isomerisation.half < 4.0
    assert isomerisation.against == "experiment"


def test_the_reverse_reaction_has_the_opposite_energies(isomerisation: Reaction) -> None:
    back = one("COC >> CCO")
    assert back.energy == pytest.approx(-isomerisation.energy, abs=1e-4)
    assert back.free_energy == pytest.approx(-isomerisation.free_energy, abs=1e-4)
    assert back.half == pytest.approx(isomerisation.half, abs=1e-4)


def test_temperature_and_pressure_move_the_free_energy_as_they_must() -> None:
    """Acetaldehyde + methane: as many molecules before as after, so pressure does nothing."""
    text = "CC(C)=O + C >> CC + CC=O"
    plain, dense = (one(text, conditions=Conditions(pressure=p)) for p in (1.0, 10.0))
    # one molecule more on a side would move it by RT ln 10 = 1.36; with several threads two
    # relaxations differ by 1e-7
    assert dense.free_energy == pytest.approx(plain.free_energy, abs=1e-4)
    hot = one(text, conditions=Conditions(500.0))
    assert hot.energy == pytest.approx(plain.energy, abs=1e-4)
    slope = (hot.free_energy - plain.free_energy) / (500.0 - 298.15)
    assert slope == pytest.approx(-plain.entropy / 1000.0, abs=2e-3)


def test_without_free_energies_there_are_energy_and_enthalpy_alone() -> None:
    found = one("CCO >> COC", conditions=Conditions(free_energies=False))
    assert math.isnan(found.free_energy)
    assert found.enthalpy == pytest.approx(12.1, abs=1.0)
    with pytest.raises(InputError, match="without free energies"):
        react("CCO >> COC", conditions=Conditions(400.0, free_energies=False))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FF + [H][H] >> F", r"no energy of FF: .* of F: "),
        ("CCO >> OCC", "CCO stands on both sides and cancels"),
        ("CCO + CO >> COC + CO", "CO stands on both sides"),
        ("2 CO >> COC", "2 H too few on the right; 1 O too few on the right"),
        ("CCP >> CPC", "never seen P"),
    ],
)
def test_a_reaction_without_an_answer_says_why_and_names_itself(text: str, message: str) -> None:
    found = one(text)
    assert re.search(message, found.problem)
    assert text in found.problem
    assert math.isnan(found.energy)


def test_a_bad_reaction_does_not_stop_the_next() -> None:
    none = Conditions(free_energies=False)
    bad, good = react(["CCO >> CO", "CCO >> COC"], conditions=none, options=LEARNED)
    assert bad.problem
    assert not good.problem
    rows = [json.loads(json.dumps(found.to_dict(), allow_nan=False)) for found in (bad, good)]
    assert rows[0]["energy_0"] is None
    assert rows[1]["species"][0]["coefficient"] == -1.0
    assert bad.to_row().keys() == good.to_row().keys()


def test_terms_of_one_species_are_joined() -> None:
    none = Conditions(free_energies=False)
    twice, number = react(
        ["CO + CO >> COC + O", "2 CO >> COC + O"], conditions=none, options=LEARNED
    )
    assert twice.balanced == number.balanced == "2 CO >> COC + O"
    assert twice.energy == number.energy


def test_a_stored_answer_takes_part_by_its_name(isomerisation: Reaction) -> None:
    """Its wavenumbers may be given too."""
    known = isomerisation.participants[0].answer
    found = one("mine >> COC", answers={"mine": known})
    assert found.energy == pytest.approx(isomerisation.energy, abs=1e-6)
    waves = np.full(21, 300.0)
    other = one("mine >> COC", answers={"mine": known}, wavenumbers={"mine": waves})
    assert other.energy == pytest.approx(found.energy, abs=1e-6)
    assert abs(other.free_energy - found.free_energy) > 0.5


def test_the_wavenumbers_of_an_answer_come_before_those_of_gfn2(isomerisation: Reaction) -> None:
    known = replace(isomerisation.participants[0].answer, waves=np.full(21, 300.0))
    found = one("mine >> COC", answers={"mine": known})
    assert abs(found.free_energy - isomerisation.free_energy) > 0.5


def test_conditions_and_models_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="temperature must be a positive"):
        react("CCO >> COC", conditions=Conditions(-1.0))
    electronic = replace(load_model("g4mp2"), at="electronic")
    with pytest.raises(InputError, match="need atomization energies at 0 K"):
        react("CCO >> COC", model=electronic)


# --- the joint interval -----------------------------------------------------------------------


def built(name: str) -> Molecules:
    atoms = ase_molecule(name)
    return Molecules.one(atoms.numbers.tolist(), atoms.positions)


def test_similarity_is_one_for_the_same_bonds_and_zero_for_no_common_environment() -> None:
    ethane, propane = environments(built("C2H6")), environments(built("C3H8"))
    assert similarity(ethane, ethane) == 1.0
    assert 0.0 < similarity(ethane, propane) < 1.0
    assert similarity(ethane, environments(built("H2O"))) == 0.0
    assert similarity(environments(built("H2")), environments(built("H2"))) == 0.0


def test_environments_depend_on_neither_order_nor_orientation() -> None:
    molecule = built("CH3CH2OH")
    order = np.random.default_rng(0).permutation(len(molecule.numbers))
    turned = molecule.positions.numpy()[order] @ np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    moved = Molecules.one(molecule.numbers.numpy()[order].tolist(), turned)
    assert environments(moved) == environments(molecule)
    assert environments(built("CH3OCH3")) != environments(molecule)


def test_errors_of_related_molecules_cancel_in_part_and_of_others_add_in_squares() -> None:
    ethane, water = environments(built("C2H6")), environments(built("H2O"))
    weights = np.array([-1.0, 1.0])
    assert joint_scale(weights, [ethane, water]) == pytest.approx(math.sqrt(2.0))
    assert joint_scale(weights, [ethane, ethane]) == pytest.approx(math.sqrt(2 - 2 * RELATED))
    assert joint_scale(-weights, [ethane, water]) == joint_scale(weights, [ethane, water])
    assert joint_scale(weights, [ethane, None]) == pytest.approx(math.sqrt(2.0))


@pytest.fixture
def answered(isomerisation: Reaction) -> Callable[[float], Answer]:
    """An answer of the shipped model at a geometry of a file, of some novelty."""

    def made(novelty: float) -> Answer:
        answer = isomerisation.participants[0].answer
        plain = replace(answer, formation_half=None)  # at the model's level
        return replace(plain, geometry="gfn2", conformers=None, novelty=novelty)

    return made


def test_one_species_has_its_own_interval_times_the_factor(
    answered: Callable[[float], Answer],
) -> None:
    artefact, answer = load_model("g4mp2"), answered(0.008)
    (own,) = [c for c in calibrations() if c.digest == artefact.card.digest]
    assert answer.molecule is not None
    alone = half_width(artefact, "gfn2", 0.9, None, answer.molecule, answer.novelty)
    found = joint_half([1.0], [answer], artefact, 0.9)
    assert not found.remark
    assert found.half == pytest.approx(own.factor(0.9) * alone)
    assert joint_half([-2.0], [answer], artefact, 0.9).half == pytest.approx(2 * found.half)


def test_a_strange_species_makes_a_reaction_less_certain(
    answered: Callable[[float], Answer],
) -> None:
    artefact = load_model("g4mp2")
    usual, strange = (joint_half([1.0], [answered(x)], artefact, 0.9) for x in (0.005, 0.03))
    assert strange.half > 1.1 * usual.half


def test_where_it_cannot_be_given_the_interval_says_so(
    answered: Callable[[float], Answer],
) -> None:
    artefact, answer = load_model("g4mp2"), answered(0.008)
    half, _, remark = joint_half([1.0], [replace(answer, half=math.inf)], artefact, 0.9)
    assert math.isinf(half)
    assert "has none" in remark
    half, _, remark = joint_half([1.0], [answer], artefact, 0.999)
    assert math.isinf(half)
    assert "not calibrated for 99.9 %" in remark
    other = replace(artefact, card=ModelCard())
    half, _, remark = joint_half([3.0, -4.0], [answer, answer], other, 0.9)
    assert half == pytest.approx(5.0 * answer.half)
    assert "adds the squares" in remark


def test_with_a_computed_species_the_interval_is_against_experiment(
    answered: Callable[[float], Answer],
) -> None:
    artefact, learned = load_model("g4mp2"), answered(0.008)
    computed = replace(learned, rung="g4mp2", half=2.0, novelty=None)
    both = joint_half([1.0, -1.0], [computed, computed], artefact, 0.9)
    assert both.experiment
    assert both.half == pytest.approx(math.sqrt(8.0))
    alone = joint_half([1.0], [learned], artefact, 0.9)
    assert not alone.experiment
    exact = replace(computed, half=0.0)  # an element in its standard state
    mixed = joint_half([1.0, -1.0], [learned, exact], artefact, 0.9)
    assert mixed.experiment
    method = from_experiment(learned, 0.9)
    assert 1.0 < method < 3.0
    assert mixed.half == pytest.approx(math.hypot(alone.half, method))


def test_a_corrected_reaction_is_against_experiment_and_its_interval_no_narrower(
    answered: Callable[[float], Answer],
) -> None:
    artefact, plain = load_model("g4mp2"), answered(0.008)
    corrected = to_experiment(plain)
    assert corrected.formation_half is not None
    level = joint_half([1.0], [plain], artefact, 0.9)
    whole = joint_half([1.0], [corrected], artefact, 0.9)
    assert (level.experiment, whole.experiment) == (False, True)
    left = math.sqrt(corrected.formation_half**2 - plain.half**2)
    assert whole.half == pytest.approx(math.hypot(level.half, left))


def test_factors_rise_with_the_coverage() -> None:
    for own in calibrations():
        assert list(own.factors) == sorted(own.factors)
        assert own.coverages[0] <= 0.5
        assert own.coverages[-1] >= 0.95
    own = JointCalibration("", (0.5, 0.9), (1.0, 2.0))
    assert own.factor(0.7) == pytest.approx(1.5)
    assert math.isinf(own.factor(0.95))


def test_the_results_hold_what_is_promised() -> None:
    """Of 1,000 reactions among molecules of Ward's hold-out, 87 to 93 % lie within 90 %."""
    root = Path(__file__).parents[2]
    rows = json.loads((root / "results" / "reactions.json").read_text(encoding="utf-8"))["rows"]
    (every,) = [row["ours"] for row in rows if row["name"].endswith(" all")]
    assert every["count"] == 1000
    assert 0.87 <= every["coverage"] <= 0.93  # three standard errors
    assert (SHIPPED / "reactions.json").is_file()
