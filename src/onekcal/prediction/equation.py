"""The text of a reaction: `2 [H][H] + O=O >> 2 O`.

`>>`, `→`, `->`, `⇌`, `<=>` or ` = ` separates the two sides, and ` + ` (with spaces) the species of
a side. A species is a SMILES, the name of a file with one molecule, or the name of a stored answer.
A number before it, with a space between, is its coefficient: `2`, `0.5` or `1/2`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

from onekcal.errors import InputError, did_you_mean, in_short
from onekcal.geometry.species import species
from onekcal.io.smiles import is_smiles
from onekcal.molecules import Molecules
from onekcal.prediction.questions import ENDING, Question, named, questions

ARROWS = (">>", "<=>", "⇌", "⇄", "→", "->", " = ")
"""The first of these that stands in a text separates its sides; `->` and `=` also are bonds of a
SMILES."""
PLUS = re.compile(r"\s+\+\s+")
COEFFICIENT = re.compile(r"(\d+/\d+|\d*\.\d+|\d+)\s+(?=\S)")


@dataclass(frozen=True)
class Substance:
    """A species of a reaction, apart from its coefficient.

    Parameters
    ----------
    text
        As it was written.
    key
        Equal for two texts of one molecule: the canonical SMILES, or the file.
    molecule
        Its nuclei, charge and unpaired electrons. Without a geometry where only a SMILES is known.
    smiles
        The SMILES, where it is one.
    known
        Whether the text names an answer.
    """

    text: str
    key: str
    molecule: Molecules
    smiles: str = ""
    known: bool = False


@dataclass(frozen=True)
class Equation:
    """A reaction as it was written.

    Parameters
    ----------
    text
        The whole text.
    left, right
        The species of each side with their coefficients; None where none was written.
    """

    text: str
    left: tuple[tuple[Fraction | None, str], ...]
    right: tuple[tuple[Fraction | None, str], ...]


def parse_equation(text: str) -> Equation:
    """Split the text of a reaction into coefficients and species.

    Parameters
    ----------
    text
        Such as `2 [H][H] + O=O >> 2 O`.

    Raises
    ------
    InputError
        There is no arrow, more than one, an empty side, or a coefficient that is not positive.
    """
    arrow = next((one for one in ARROWS if one in text), ARROWS[0])
    sides = text.split(arrow)
    if len(sides) != 2:
        raise InputError(
            f"{in_short(text)!r}: expected one arrow (>>) between the two sides of a reaction, "
            f"such as 'C=C + [H][H] >> CC', got {len(sides) - 1}"
        )
    left, right = (_side(side, text, name) for side, name in zip(sides, ("left", "right")))
    return Equation(text.strip(), left, right)


def _side(text: str, whole: str, name: str) -> tuple[tuple[Fraction | None, str], ...]:
    """Coefficient and species of each term of a side."""
    out: list[tuple[Fraction | None, str]] = []
    for term in PLUS.split(text.strip()):
        term = term.strip()
        if not term or term.startswith("+ ") or term.endswith(" +") or term == "+":
            raise InputError(f"{in_short(whole)!r}: a species is missing on the {name}")
        match = COEFFICIENT.match(term)
        number = _number(match[1], whole) if match else None
        species = term[match.end() :] if match else term
        out.append((number, species))
    return tuple(out)


def _number(text: str, whole: str) -> Fraction:
    """A coefficient, positive and finite."""
    try:
        number = Fraction(text)
    except (ValueError, ZeroDivisionError):
        number = Fraction(0)
    if number <= 0:
        raise InputError(
            f"{in_short(whole)!r}: a coefficient must be a positive number, "
            f"got {in_short(text, 60)}"
        )
    return number


def reaction_lines(path: Path) -> Iterator[str]:
    """Read the reactions of a file.

    Parameters
    ----------
    path
        A text with a reaction a line, or a table (.csv) with a column `reaction`. Empty lines and
        those that begin with # are left out.

    Yields
    ------
    str
        The text of each reaction.

    Raises
    ------
    InputError
        A table has no such column, or the file holds no reaction.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = [line.strip() for line in file]
    lines = [line for line in lines if line and not line.startswith("#")]
    if path.suffix.lower() == ".csv" and lines:
        rows = csv.DictReader(lines)
        heads = {head.strip().lower(): head for head in rows.fieldnames or ()}
        if "reaction" not in heads:
            raise InputError(
                f"{path}: expected a column named reaction, "
                f"got {in_short(', '.join(heads)) or 'none'}"
            )
        lines = [text for row in rows if (text := (row[heads["reaction"]] or "").strip())]
    if not lines:
        raise InputError(f"{path} holds no reaction; expected one a line")
    yield from lines


def read_species(
    text: str,
    known: Mapping[str, Molecules] = MappingProxyType({}),
    length: str | None = None,
    names: Callable[[], Mapping[str, set[str]]] = dict,
) -> tuple[Substance, Question]:
    """Read one species of a reaction.

    Parameters
    ----------
    text
        A SMILES, the name of a file with one molecule, or a name that stands for an answer.
    known
        The molecules of names that stand for answers. They come first.
    length
        The unit of coordinates in files; None: the unit that the file names, or Å.
    names
        Returns the names of stored answers in lower case, and the SMILES they stand for.

    Returns
    -------
    tuple
        The species, and the question that asks for it.

    Raises
    ------
    InputError
        It cannot be read, or a file holds several molecules.
    """
    if text in known:
        return Substance(text, f"answer {text}", known[text], known=True), Question(text, text)
    if not Path(text).is_file() and not is_smiles(text):
        smiles = _named(text, names())
        return replace(_of_smiles(smiles), text=text), Question(text, text, smiles)
    asked = list(questions([text], length))
    if len(asked) != 1:
        raise InputError(f"{text} holds {len(asked)} molecules; a species of a reaction is one")
    question = asked[0]
    if question.problem:
        raise InputError(question.problem)
    if question.molecule is not None:
        return Substance(text, f"file {text}", question.molecule), question
    return _of_smiles(question.smiles), question


def _named(text: str, names: Mapping[str, set[str]]) -> str:
    """The SMILES that a name stands for; other texts are refused."""
    if smiles := named(text, names):
        return smiles
    _hint(text)
    if ENDING.search(text):
        raise InputError(f"there is no file {text}")
    raise InputError(
        f"{text!r} is neither a file that exists nor a SMILES that can be read, and no stored "
        f"answer has this name{did_you_mean(text.lower(), names)}"
    )


def _hint(text: str) -> None:
    """Say what to write where a text looks like a slip in the notation of a reaction."""
    bare = re.sub(r"\[[^\]]*\]", "", text)
    if "+" in bare:
        raise InputError(
            f"{text!r} is neither a file nor a SMILES; write spaces around the + between species"
        )
    number = re.match(r"(\d+)\*?(\D.*)", text)
    if number and is_smiles(number[2]):
        raise InputError(
            f"{text!r} is neither a file nor a SMILES; write a space behind a coefficient: "
            f"'{number[1]} {number[2]}'"
        )


def _of_smiles(smiles: str) -> Substance:
    """The substance of a SMILES, in its ground state and without a geometry."""
    state = species(smiles)
    numbers = [atom.GetAtomicNum() for atom in state.mol.GetAtoms()]
    empty = [[0.0, 0.0, 0.0]] * len(numbers)
    nuclei = Molecules.one(numbers, empty, state.charge, state.spin, smiles)
    return Substance(smiles, state.smiles, nuclei, smiles)


def merged(
    equation: Equation, substances: tuple[Substance, ...], questions: tuple[Question, ...]
) -> tuple[tuple[Substance, ...], tuple[Question, ...], int, list[Fraction] | None]:
    """Join the terms of one species, and refuse one that stands on both sides.

    Parameters
    ----------
    equation
        The reaction as it was written.
    substances, questions
        One for each term, those of the left side first.

    Returns
    -------
    tuple
        Substances, questions, how many stand on the left, and their coefficients; None where none
        was written and no species stands there twice.

    Raises
    ------
    InputError
        A species stands on both sides.
    """
    terms = (*equation.left, *equation.right)
    count = len(equation.left)
    sides = [{one.key for one in substances[:count]}, {one.key for one in substances[count:]}]
    both = [one for one in substances[:count] if one.key in sides[1]]
    if both:
        raise InputError(
            f"{', '.join(dict.fromkeys(one.text for one in both))} stands on both sides and "
            "cancels; write it once, on the side where more of it is"
        )
    given: dict[str, Fraction] = {}
    for one, (number, _) in zip(substances, terms):
        given[one.key] = given.get(one.key, Fraction(0)) + (number or 1)
    first = {one.key: k for k, one in reversed(list(enumerate(substances)))}
    rows = sorted(first.values())
    written = len(rows) < len(terms) or any(number is not None for number, _ in terms)
    return (
        tuple(substances[k] for k in rows),
        tuple(questions[k] for k in rows),
        len(sides[0]),
        [given[substances[k].key] for k in rows] if written else None,
    )
