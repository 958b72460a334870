"""The model's own interval: its half width follows novelty, size and groups of the molecule.

Validation molecules decided how (`trust/widths.py`), so it is the one signal that has seen errors.
"""

from __future__ import annotations

from onekcal.signals.signal import Absent, Asked, Doubt, Signal
from onekcal.trust.traits import traits

COVERAGE = 0.9
"""The share that the interval is to cover; the order of molecules is the same for every share."""


def _interval(asked: Asked) -> Doubt:
    if asked.intervals is None or asked.intervals.widths is None:
        raise Absent("has no intervals that follow the molecule; calibrate with more molecules")
    molecules = asked.data.molecules
    known = traits(molecules, asked.model.novelty(molecules))
    return Doubt(asked.intervals.half(len(molecules), COVERAGE, None, known).double())


INTERVAL = Signal("half width of the model's own 90 % interval", "kcal/mol", _interval)
