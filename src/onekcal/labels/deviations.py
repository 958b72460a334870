"""How far computed G4(MP2) heats of formation lie from experiment, by class and size of species.

Measured with this G4(MP2) on the species of G3/05 (`docs/howto/computed-energies.md`), which have
n₀ = 4 heavy atoms on average, and on ions of the Active Thermochemical Tables, which have 2. Larger
ones lie farther:

    h(n) = h(n₀) exp(γ (√n − √n₀))      n heavy atoms
"""

from __future__ import annotations

import math
from typing import NamedTuple

from onekcal.molecules import Molecules


class Deviations(NamedTuple):
    """Deviations of a class of species from experiment."""

    species: int
    mean: float
    """Mean absolute deviation, kcal/mol."""
    ninety: float
    """The half width that covers 90 % of those with as many heavy atoms, kcal/mol."""
    heavy: int = 4
    """n₀."""


DEVIATIONS = {
    "closed shells of H C N O F": Deviations(107, 0.68, 1.40),
    "closed shells with P S Cl Br": Deviations(65, 1.32, 3.25),
    "closed shells with Li Be B Na Al Si": Deviations(23, 1.52, 3.78),
    "radicals": Deviations(33, 0.91, 2.06),
    "ions": Deviations(15, 1.23, 2.66, heavy=2),
}


GROWTH = 0.33
"""γ, fitted by `scripts/to_experiment.py` to 672 species of 0 to 26 heavy atoms."""

VARIANT_NINETY = 1.11
"""kcal/mol; 90 % of 42 species of up to two heavy atoms differ by less between g4mp2//gfn2 and
g4mp2 (`results/g4mp2-variant.json`). They differ by 0.43 on average, most of them upwards.
"""


def class_of(molecule: Molecules) -> str:
    """Return the class of species a molecule belongs to.

    Parameters
    ----------
    molecule
        One molecule.
    """
    elements = set(molecule.elements)
    if int(molecule.charges[0]):
        return "ions"
    if int(molecule.spins[0]):
        return "radicals"
    if elements & {3, 4, 5, 11, 13, 14}:
        return "closed shells with Li Be B Na Al Si"
    return f"closed shells {'with P S Cl Br' if elements & {15, 16, 17, 35} else 'of H C N O F'}"


def deviation(molecule: Molecules, coverage: float = 0.9) -> tuple[float, str]:
    """Return the half width of the interval (kcal/mol), and what it means.

    Parameters
    ----------
    molecule
        One molecule.
    coverage
        The share that is to be covered. Only 0.9 was measured: other shares scale as those of a
        normal distribution do.
    """
    kind = class_of(molecule)
    known = DEVIATIONS[kind]
    return scaled(known.ninety, coverage) * grown(molecule, known.heavy), (
        f"± covers {100 * coverage:.0f} % of the deviations from experiment of {known.species} "
        f"{kind} (mean {known.mean:.2f}), and grows with size"
    )


def grown(molecule: Molecules, heavy: int = 4) -> float:
    """Return how much farther than one of n₀ heavy atoms a molecule of this size lies.

    Parameters
    ----------
    molecule
        One molecule.
    heavy
        n₀.
    """
    own = int((molecule.numbers > 1).sum())
    return math.exp(GROWTH * (math.sqrt(own) - math.sqrt(heavy)))


def scaled(ninety: float, coverage: float) -> float:
    """Return the half width for another coverage, as those of a normal distribution scale.

    Parameters
    ----------
    ninety
        That for 90 %, kcal/mol.
    coverage
        The share that is to be covered.
    """
    from scipy.stats import norm

    return ninety * float(norm.ppf(0.5 + coverage / 2) / norm.ppf(0.95))
