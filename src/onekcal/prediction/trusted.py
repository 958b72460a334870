"""Answers whose interval is too wide to be of use are refused, with the reason."""

from __future__ import annotations

import math
from dataclasses import replace

from onekcal.prediction.answers import Answer
from onekcal.prediction.estimate import SHOWN, per_kcal


def trusted(answer: Answer, most: float | None) -> Answer:
    """Refuse an answer whose interval is too wide: that of ΔfH, or of the energy if it has none.

    Parameters
    ----------
    answer
        An answer, or a problem, which stays.
    most
        The largest half width, in the unit of the answer; None allows any.

    Returns
    -------
    Answer
        The same where it is trusted; otherwise the molecule without its energies, and the reason.
    """
    heat = answer.ledger is not None
    half = (answer.heat_half_298 if heat else answer.half) * per_kcal(answer.unit)
    if most is None or answer.problem or half <= most:
        return answer
    digits = SHOWN[answer.unit] + 1
    why = (
        f"the interval {'of ΔfH ' if heat else ''}is ± {half:.{digits}f} {answer.unit}, "
        f"wider than the ± {most:g} asked for"
        if math.isfinite(half)
        else f"there is no interval, and at most ± {most:g} {answer.unit} was asked for"
    )
    return replace(
        answer,
        energy=math.nan,
        half=math.inf,
        ledger=None,
        forces=None,
        terms={},
        isodesmic=None,
        thermochemistry=None,
        problem=f"{answer.label}: not trusted: {why}",
    )
