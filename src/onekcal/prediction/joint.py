r"""The joint interval of a reaction.

The energy of a reaction is Σ νᵢ Eᵢ. Errors of molecules with the same environments are alike and
cancel in part; those of others add up like independent ones. Their covariance is modelled as

    ρᵢⱼ = 0.8 Tᵢⱼ² for i ≠ j, and 1 for i = j
    half width = q √(Σᵢⱼ νᵢ νⱼ hᵢ hⱼ ρᵢⱼ)

hᵢ is the half of the 90 % interval of molecule i. Tᵢⱼ is the similarity of two molecules: the
environments that they share over all that they have (Tanimoto's coefficient of counts), with
environments of up to two bonds around each heavy atom. The intervals follow size and novelty: a
small and familiar molecule has a narrow one, so many small partners do not make a reaction
uncertain.

That is the interval against the model's level, G4(MP2). With the correction to experiment, with a
computed species or an element in its standard state, the interval is against experiment. Then the
square of G4(MP2)'s deviation is added for every species: (νᵢ hᵢ)², with hᵢ by class of species.
Reactions among species of G3/05 bear this out (`scripts/computed_reactions.py`).

q is calibrated like a conformal interval on the scores |error| / √(…) of reactions among molecules
that the model was not fitted to. `scripts/joint_intervals.py` does it and tests it. Reactions share
molecules, so the scores are not quite exchangeable; the test on other molecules is what counts.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from onekcal.geometry.bonds import bonded
from onekcal.labels.deviations import deviation
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import SHIPPED
from onekcal.models.to_experiment import shipped as to_experiment
from onekcal.molecules import Molecules
from onekcal.prediction.answers import Answer
from onekcal.prediction.scope import half_width

RELATED = 0.8
"""The correlation of two molecules with the same environments, such as two stereoisomers."""
RADIUS = 2
"""Bonds around a heavy atom that make its environment."""
BASE = 0.9
"""The coverage of the intervals hᵢ."""


@dataclass(frozen=True)
class JointCalibration:
    """What reactions of known energy taught.

    Parameters
    ----------
    digest
        SHA-256 of the training data of the model that it belongs to.
    coverages, factors
        Ascending shares of reactions, and the factor q that covers each.
    """

    digest: str
    coverages: tuple[float, ...]
    factors: tuple[float, ...]

    def factor(self, coverage: float) -> float:
        """Interpolate the factor of a coverage; infinite outside those that were calibrated.

        Parameters
        ----------
        coverage
            The share of reactions that the interval is to cover.
        """
        if not self.coverages[0] <= coverage <= self.coverages[-1]:
            return math.inf
        return float(np.interp(coverage, self.coverages, self.factors))


@cache
def calibrations() -> tuple[JointCalibration, ...]:
    """Read the calibrations that ship."""
    content = json.loads((SHIPPED / "reactions.json").read_text(encoding="utf-8"))
    return tuple(
        JointCalibration(one["digest"], tuple(one["coverages"]), tuple(one["factors"]))
        for one in content["models"]
    )


class Joint(NamedTuple):
    """The interval of a reaction."""

    half: float
    """Half its width, kcal/mol; infinite where none can be given."""
    experiment: bool
    """Whether it is against experiment, and not against the model's level."""
    remark: str = ""
    """Why it is infinite or not calibrated; empty where it is."""


def joint_half(
    coefficients: Sequence[float], answers: Sequence[Answer], artefact: Artefact, coverage: float
) -> Joint:
    """Compute the half width of the interval of a reaction energy.

    Parameters
    ----------
    coefficients
        One for each answer; negative on the left.
    answers
        The answers of the species.
    artefact
        The model that gave them.
    coverage
        The share of reactions that the interval is to cover.

    Returns
    -------
    Joint
        Half its width (kcal/mol), what it is against, and a remark.
    """
    learned = np.array([answer.rung == "learned" for answer in answers])
    corrected = any(answer.formation_half is not None for answer in answers)
    mixed = corrected or not learned.all()
    unbounded = [answer.label for answer in answers if not math.isfinite(answer.half)]
    if unbounded:
        return Joint(math.inf, mixed, f"no interval, because {', '.join(unbounded)} has none")
    fitting = [one for one in calibrations() if one.digest == artefact.card.digest]
    if not fitting:
        widths = np.array([answer.half for answer in answers])
        half = float(np.linalg.norm(np.array(coefficients) * widths))
        return Joint(
            half,
            mixed,
            "the interval adds the squares of the species' intervals; reactions of this model were "
            "not calibrated",
        )
    factor = fitting[0].factor(coverage)
    if math.isinf(factor):
        remark = f"no interval: reactions were not calibrated for {100 * coverage:g} %"
        return Joint(math.inf, mixed, remark)
    scales = np.array([base_half(answer, artefact) for answer in answers])
    weights = np.array(coefficients) * scales
    graphs = [environments(answer.molecule) if answer.molecule else None for answer in answers]
    own = factor * joint_scale(weights * learned, graphs)
    if not mixed:
        return Joint(own, False)
    method = [from_experiment(answer, coverage) for answer in answers]
    return Joint(math.hypot(own, *(np.array(coefficients) * method)), True)


def from_experiment(answer: Answer, coverage: float) -> float:
    """Return half of G4(MP2)'s interval against experiment for one species, kcal/mol.

    Parameters
    ----------
    answer
        The answer for the molecule, corrected to experiment or not. One learned on B3LYP adds its
        own interval. A lone atom has none.
    coverage
        The share of species that the interval is to cover.
    """
    if not answer.half or answer.molecule is None:
        return answer.half
    if answer.formation_half is not None:
        if answer.rung == "learned":
            return to_experiment().half(answer.molecule, coverage)[0]
        return answer.formation_half
    if answer.rung == "g4mp2":
        return answer.half
    method = deviation(answer.molecule, coverage)[0]
    return method if answer.rung == "learned" else math.hypot(method, answer.half)


def base_half(answer: Answer, artefact: Artefact) -> float:
    """Return hᵢ of one molecule, kcal/mol.

    Parameters
    ----------
    answer
        The answer for the molecule.
    artefact
        The model. An answer that is not its own keeps its half width.
    """
    learned = answer.rung == "learned" and answer.geometry in artefact.calibration
    if answer.molecule is None or not learned:
        return answer.half
    rivalry = answer.conformers.rivalry if answer.conformers else None
    return half_width(artefact, answer.geometry, BASE, rivalry, answer.molecule, answer.novelty)


Environments = Counter[Hashable]


def joint_scale(weights: np.ndarray, graphs: Sequence[Environments | None]) -> float:
    """Return √(Σ wᵢ wⱼ ρᵢⱼ).

    Parameters
    ----------
    weights
        (species,) νᵢ hᵢ, kcal/mol.
    graphs
        The environments of each species; None for one that is like no other.
    """
    total = 0.0
    for i, a in enumerate(graphs):
        total += weights[i] ** 2
        for j, b in enumerate(graphs[:i]):
            if a is not None and b is not None:
                total += 2.0 * weights[i] * weights[j] * RELATED * similarity(a, b) ** 2
    return math.sqrt(max(total, 0.0))


def similarity(a: Environments, b: Environments) -> float:
    """Return Tanimoto's coefficient of two counts, between 0 and 1.

    Parameters
    ----------
    a, b
        The environments of two molecules.
    """
    shared = sum((a & b).values())
    whole = sum(a.values()) + sum(b.values()) - shared
    return shared / whole if whole else 0.0


def environments(molecule: Molecules) -> Environments:
    """Count the environments of the heavy atoms, of no bond, one bond and two bonds.

    Parameters
    ----------
    molecule
        One molecule with its geometry.

    Returns
    -------
    Counter
        An atom is told by its element, its heavy neighbours and its hydrogens.
    """
    numbers = molecule.numbers.numpy()
    bonds = bonded(numbers, molecule.positions.numpy())
    heavy = np.flatnonzero(numbers > 1)
    near = [np.flatnonzero(bonds[k] & (numbers > 1)).tolist() for k in range(len(numbers))]
    hydrogens = bonds[:, numbers == 1].sum(1)
    labels: dict[int, Hashable] = {
        int(k): (int(numbers[k]), len(near[k]), int(hydrogens[k])) for k in heavy
    }
    counts: Environments = Counter(labels.values())
    for _ in range(RADIUS):
        labels = {
            k: (label, tuple(sorted((labels[j] for j in near[k]), key=repr)))
            for k, label in labels.items()
        }
        counts.update(labels.values())
    return counts
