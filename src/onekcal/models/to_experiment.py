"""What brings a model's heats of formation to experiment: a line of the ledger of its own.

It stands beside the stages of a model and not among them. So the energies of the model stay those
of its level of theory, and a caller who wants these leaves the line out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch

from onekcal.models.bond_correction import BondCorrection
from onekcal.models.model import State
from onekcal.molecules import Molecules
from onekcal.thermo.ledger import Term


@dataclass(frozen=True)
class ToExperiment:
    """A bond correction that was fitted to experiments, and how well it did.

    Parameters
    ----------
    correction
        The fitted correction, ΔfH(experiment) − ΔfH(model).
    error
        ± kcal/mol of corrected heats of formation, cross-validated by identity. NaN where it was
        not measured.
    source
        What it was fitted to, in words.
    """

    correction: BondCorrection
    error: float
    source: str

    def line(self, molecule: Molecules) -> Term:
        """Return the correction of one molecule as a line of the ledger.

        It belongs to the energy, so both ΔfH(0 K) and ΔfH(298 K) hold it.

        Parameters
        ----------
        molecule
            One molecule at the geometry that the model answers at.
        """
        with torch.no_grad():
            value = float(self.correction.energies(molecule)[0])
        error = self.error if math.isfinite(self.error) else None
        return Term("correction of bonds to experiment", value, error, self.source, "formation 0 K")

    def header(self) -> dict[str, object]:
        """Return what a model file holds of it beside its tensors, for JSON."""
        error = self.error if math.isfinite(self.error) else None
        return {"settings": self.correction.settings, "error": error, "source": self.source}

    @classmethod
    def of(cls, header: Mapping[str, Any], state: State) -> Self:
        """Take back what a model file holds.

        Parameters
        ----------
        header
            What `header` returned.
        state
            The tensors of the correction.
        """
        correction = BondCorrection(**header["settings"]).load_state(state)
        error = math.nan if header["error"] is None else header["error"]
        return cls(correction, error, header["source"])
