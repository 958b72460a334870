"""The mean over the conformers of a molecule at 298.15 K, as a line of the ledger.

    ⟨E⟩ − E₀ = Σ_i p_i (E_i − E₀),   p_i ∝ exp(−(E_i − E₀)/RT)

E₀ is the lowest conformer. Zero-point energies and thermal parts are taken to be the same in all;
mirror images and entropies of mixing are left out, for they change no enthalpy.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onekcal.prediction.answers import Answer, Spread
from onekcal.thermo.frequencies import GAS, TEMPERATURE
from onekcal.thermo.ledger import Ledger, Term


def populations(spread: Spread) -> np.ndarray:
    """Return the share of each conformer at 298.15 K.

    Parameters
    ----------
    spread
        The conformers.

    Returns
    -------
    ndarray
        (conformers,), with sum 1.
    """
    weights = np.exp(-spread.relative / (GAS * TEMPERATURE))
    return np.asarray(weights / weights.sum())


def with_conformers(answer: Answer) -> Answer:
    """Add the mean over the conformers to ΔfH(298 K).

    An answer without conformers stays as it is. A computed one says why it has none.

    Parameters
    ----------
    answer
        An answer, or a problem.
    """
    spread, lines = answer.conformers, answer.ledger
    if spread is None or lines is None or answer.problem:
        computed = answer.rung == "g4mp2" and lines is not None
        said = (
            "no mean over conformers: G4(MP2) is computed at one (--rung learned has the mean)",
        )
        return replace(answer, remarks=(*answer.remarks, *said)) if computed else answer
    value = float(populations(spread) @ spread.relative)
    count = len(spread.relative)
    term = Term(
        f"mean over {count} conformer{'s' * (count > 1)} at 298.15 K",
        value,
        None,
        f"Boltzmann's distribution of energies by {spread.by}",
        "formation 298 K",
    )
    return replace(answer, ledger=Ledger(lines.formula, (*lines.terms, term)))
