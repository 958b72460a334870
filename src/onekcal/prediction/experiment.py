"""From G4(MP2) to experiment: the correction as a line of the ledger, and the interval with it.

    half(experiment)² = half(against G4(MP2))² + half(corrected G4(MP2) against experiment)²

The first part is 0 where G4(MP2) was computed. The energy of the answer and its interval stay those
of the level; heats of formation hold the correction.
"""

from __future__ import annotations

import math
from dataclasses import replace

from onekcal.labels.deviations import VARIANT_NINETY
from onekcal.models.to_experiment import shipped
from onekcal.prediction.answers import Answer
from onekcal.thermo.ledger import ITSELF, Ledger

LEVEL = "g4mp2"


def to_experiment(answer: Answer) -> Answer:
    """Correct the heats of formation of an answer at the level G4(MP2); return others unchanged.

    What is exact by definition, a lone atom or an element in its standard state, has no correction.
    Neither has what a bond separation gave, whose partners are experimental.

    Parameters
    ----------
    answer
        An answer, or a problem.
    """
    lines, molecule = answer.ledger, answer.molecule
    if lines is None or molecule is None or answer.level != LEVEL or not answer.half:
        return answer
    if answer.isodesmic is not None and answer.isodesmic.gives(lines):
        return answer
    line = shipped().line(molecule, answer.coverage)
    assert line.uncertainty is not None
    kept = [term for term in lines.terms if term.label != ITSELF]
    if answer.rung == "g4mp2":
        own = VARIANT_NINETY if answer.geometry == "gfn2" else 0.0
    else:
        own = answer.half
    return replace(
        answer,
        ledger=Ledger(lines.formula, (*kept, line)),
        formation_half=math.hypot(own, line.uncertainty),
    )
