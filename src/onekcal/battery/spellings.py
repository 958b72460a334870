"""However a SMILES is spelt, the answer is the same."""

from __future__ import annotations

import numpy as np

from onekcal.battery.check import Check, Measured, NotAsked, Patient
from onekcal.prediction.geometry import drawn
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import predict

ASKED = ("CC(O)CN", "CC(C)CO", "CCC(C)C")
"""The first of these whose elements are known is asked."""
SPELLINGS = 10
LIMIT = 0.01
"""kcal/mol."""


def spellings(smiles: str) -> list[str]:
    """Spell a SMILES in other ways.

    Parameters
    ----------
    smiles
        One molecule.

    Returns
    -------
    list of str
        `SPELLINGS` different ones, or fewer where there are not as many.
    """
    from rdkit import Chem

    molecule = Chem.MolFromSmiles(smiles)
    every = Chem.MolToRandomSmilesVect(molecule, 20 * SPELLINGS, randomSeed=1)
    return list(dict.fromkeys(every))[:SPELLINGS]


def _spelt(patient: Patient) -> Measured:
    known = set(patient.artefact.elements)
    smiles = next((one for one in ASKED if set(drawn(one).elements) <= known), None)
    if smiles is None:
        raise NotAsked("knows no molecule of carbon and hydrogen")
    asked = spellings(smiles)
    options = Options(rung="learned", route="atomization", force=True)
    answers = predict(asked, patient.artefact, options)
    problem = next((answer.problem for answer in answers if answer.problem), "")
    if problem:
        raise NotAsked(problem)
    return Measured(
        float(np.ptp([answer.energy for answer in answers])), f"{len(asked)} of {smiles}"
    )


SPELT = Check("spread of the answers to ten spellings of a SMILES", "kcal/mol", LIMIT, _spelt)
