"""Stoichiometry: what balances a reaction, and what is missing where it is not balanced.

Each species is a column of a matrix A: the counts of its elements and its charge, with a minus sign
on the right. Coefficients ν balance the reaction where A ν = 0. A null space of one dimension holds
one smallest set of integers. In a larger one the choice is open. Then an integer program finds the
two smallest sets (least sum, all ν ≥ 1) that are no multiples of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations
from math import gcd, lcm

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from onekcal.errors import InputError
from onekcal.molecules import SYMBOLS, Molecules

LARGEST = 1000
"""The largest coefficient that is looked for."""

Coefficients = tuple[Fraction, ...]


def conserved(molecules: Sequence[Molecules]) -> tuple[list[str], np.ndarray]:
    """Count what a reaction conserves.

    Parameters
    ----------
    molecules
        One molecule each.

    Returns
    -------
    tuple
        The names of the rows, and (rows, molecules) counts: each element, then the charge.
    """
    elements = sorted({z for one in molecules for z in one.elements})
    counts = [[int((one.numbers == z).sum()) for one in molecules] for z in elements]
    charges = [int(one.charges[0]) for one in molecules]
    return [SYMBOLS[z] for z in elements] + ["charge"], np.array([*counts, charges])


def missing(
    molecules: Sequence[Molecules], left: int, coefficients: Sequence[Fraction]
) -> list[str]:
    """Say what a reaction lacks.

    Parameters
    ----------
    molecules
        The species, those of the left side first.
    left
        How many species stand on the left.
    coefficients
        The coefficient of each.

    Returns
    -------
    list
        Such as "2 H too few on the right"; empty where the reaction is balanced.
    """
    names, counts = conserved(molecules)
    out = []
    for name, row in zip(names, counts.tolist()):
        gone = sum((c * n for c, n in zip(coefficients[:left], row[:left])), Fraction(0))
        come = sum((c * n for c, n in zip(coefficients[left:], row[left:])), Fraction(0))
        lack = gone - come
        if name == "charge" and lack:
            out.append(f"charge {_signed(gone)} on the left and {_signed(come)} on the right")
        elif lack:
            out.append(f"{abs(lack)} {name} too few on the {'right' if lack > 0 else 'left'}")
    return out


def _signed(value: Fraction) -> str:
    return f"+{value}" if value > 0 else f"{value}".replace("-", "−")


def balanced(
    molecules: Sequence[Molecules],
    left: int,
    texts: Sequence[str],
    given: Sequence[Fraction] | None,
) -> Coefficients:
    """Return the coefficients of a reaction.

    Parameters
    ----------
    molecules
        The species, those of the left side first.
    left
        How many species stand on the left.
    texts
        How each species is written.
    given
        The coefficients that were written; None where none was.

    Raises
    ------
    InputError
        Those that were written do not balance it, or none do, or several sets do.
    """
    tried = given or [Fraction(1)] * len(molecules)
    lack = missing(molecules, left, tried)
    if not lack:
        return tuple(tried)
    if given is None:
        return stoichiometry(molecules, left, texts)
    try:
        remedy = f"; balanced: {formatted(stoichiometry(molecules, left, texts), texts, left)}"
    except InputError:
        remedy = ""
    raise InputError(f"the reaction is not balanced: {'; '.join(lack)}{remedy}")


def stoichiometry(molecules: Sequence[Molecules], left: int, texts: Sequence[str]) -> Coefficients:
    """Find the coefficients that balance a reaction.

    Parameters
    ----------
    molecules
        The species, those of the left side first.
    left
        How many species stand on the left.
    texts
        How each species is written, for messages.

    Returns
    -------
    tuple
        The smallest positive integers.

    Raises
    ------
    InputError
        No coefficients balance it, or more than one set does.
    """
    _, counts = conserved(molecules)
    counts = counts * np.array([1] * left + [-1] * (len(molecules) - left))
    basis = null_space(counts)
    if len(basis) == 1:
        whole = _integers(basis[0])
        if all(number > 0 for number in whole):
            return tuple(map(Fraction, whole))
        _refuse_signs(whole, texts)
    once = missing(molecules, left, [Fraction(1)] * len(molecules))
    first = smallest(counts)
    if len(basis) < 1 or first is None:
        raise InputError(
            f"no coefficients balance the reaction; with one of each: {'; '.join(once)}"
        )
    second = smallest(counts, first)
    shown = [formatted(one, texts, left) for one in (first, second) if one is not None]
    raise InputError(
        f"{len(basis)} independent reactions are possible, so the coefficients must be given; the "
        f"smallest are {' or '.join(shown)}"
    )


def _refuse_signs(whole: Sequence[int], texts: Sequence[str]) -> None:
    """Refuse coefficients of which some are zero or negative, and say how it would work."""
    sign = 1 if sum(n > 0 for n in whole) >= sum(n < 0 for n in whole) else -1
    idle = [text for text, n in zip(texts, whole) if not n]
    wrong = [text for text, n in zip(texts, whole) if sign * n < 0]
    remedy = []
    if wrong:
        remedy.append(f"with {', '.join(wrong)} on the other side")
    if idle:
        remedy.append(f"without {', '.join(idle)}")
    raise InputError(
        f"no positive coefficients balance the reaction; it balances only {' and '.join(remedy)}"
    )


def formatted(coefficients: Sequence[Fraction | int], texts: Sequence[str], left: int) -> str:
    """Write a reaction.

    Parameters
    ----------
    coefficients
        One for each species; 1 is left out.
    texts
        How each species is written, those of the left side first.
    left
        How many species stand on the left.
    """
    terms = [text if c == 1 else f"{c} {text}" for c, text in zip(coefficients, texts)]
    return f"{' + '.join(terms[:left])} >> {' + '.join(terms[left:])}"


def null_space(matrix: np.ndarray) -> list[list[Fraction]]:
    """Return a basis of the vectors v with A v = 0, in exact arithmetic.

    Parameters
    ----------
    matrix
        (rows, columns) integers.
    """
    rows = [[Fraction(int(value)) for value in row] for row in matrix]
    columns = matrix.shape[1]
    pivots: list[int] = []
    for column in range(columns):
        done = len(pivots)
        pivot = next((k for k in range(done, len(rows)) if rows[k][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        rows[done] = [value / rows[done][column] for value in rows[done]]
        for k, row in enumerate(rows):
            if k != done and row[column]:
                factor = row[column]
                rows[k] = [a - factor * b for a, b in zip(row, rows[done])]
        pivots.append(column)
    basis = []
    for free in (column for column in range(columns) if column not in pivots):
        vector = [Fraction(0)] * columns
        vector[free] = Fraction(1)
        for row, pivot in zip(rows, pivots):
            vector[pivot] = -row[free]
        basis.append(vector)
    return basis


def _integers(vector: Sequence[Fraction]) -> list[int]:
    """The smallest integers in the ratio of a vector, mostly positive."""
    whole = lcm(*(value.denominator for value in vector))
    numbers = [int(value * whole) for value in vector]
    sign = -1 if sum(numbers) < 0 else 1
    return [sign * number // gcd(*numbers) for number in numbers]


def smallest(counts: np.ndarray, other: Sequence[int] | None = None) -> list[int] | None:
    """Find the positive integers of least sum that balance a reaction.

    Parameters
    ----------
    counts
        (rows, species) what is conserved, with a minus sign on the right.
    other
        A solution whose multiples are left out.

    Returns
    -------
    list or None
        None where there is no solution of at most `LARGEST` each.
    """
    species = counts.shape[1]
    balance = LinearConstraint(counts, 0, 0)
    cuts: list[list[LinearConstraint]] = [[]]
    if other is not None:  # another ratio of at least one pair
        cuts = []
        for i, j in permutations(range(species), 2):
            ratio = np.zeros(species)
            ratio[i], ratio[j] = other[j], -other[i]
            cuts.append([LinearConstraint(ratio, 1, np.inf)])
    best: list[int] | None = None
    for cut in cuts:
        found = milp(
            np.ones(species),
            constraints=[balance, *cut],
            integrality=np.ones(species),
            bounds=Bounds(1, LARGEST),
        )
        if found.x is not None:
            whole = [round(value) for value in found.x]
            if best is None or (sum(whole), whole) < (sum(best), best):
                best = whole
    return best


def spin_remark(
    molecules: Sequence[Molecules],
    coefficients: Sequence[Fraction],
    left: int,
    texts: Sequence[str],
) -> str:
    """Say where no coupling of the unpaired electrons conserves the total spin.

    Parameters
    ----------
    molecules
        The species, those of the left side first.
    coefficients
        One for each.
    left
        How many species stand on the left.
    texts
        How each species is written.

    Returns
    -------
    str
        Empty where the spin can be conserved.
    """
    spins = [int(one.spins[0]) for one in molecules]
    whole = lcm(*(c.denominator for c in coefficients))
    sides = []
    for part in (slice(None, left), slice(left, None)):
        several = [
            s for s, c in zip(spins[part], coefficients[part]) for _ in range(int(c * whole))
        ]
        most = sum(several)
        least = max(2 * max(several, default=0) - most, most % 2)
        sides.append((least, most))
    if sides[0][0] <= sides[1][1] and sides[1][0] <= sides[0][1]:
        return ""
    odd = [f"{text} has {s}" for text, s in zip(texts, spins) if s]
    return (
        f"the spin cannot be conserved: unpaired electrons on the left {sides[0][1]}, on the right "
        f"{sides[1][1]} ({', '.join(odd)}); the energies are those of the ground states"
    )
