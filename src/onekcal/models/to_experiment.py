"""What brings G4(MP2) heats of formation to experiment: a line of the ledger of its own.

It belongs to the level of theory and not to a model, so every rung of the ladder takes the same,
and a caller who wants the level itself leaves it out. `scripts/to_experiment.py` fits it to
ΔfH(experiment) − ΔfH(G4(MP2)) and writes `shipped/experiment.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Self

import torch

from onekcal.features.bond_counts import WHATS, Kind, bond_counts
from onekcal.labels.deviations import Deviations, class_of, deviation, grown, scaled
from onekcal.models.bond_correction import COUNTED, BondCorrection
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.thermo.ledger import Term

LABEL = "correction of G4(MP2) to experiment"
"""What its line in the ledger is called."""
CLEAR = 0.5
"""A count that is no mere contact."""


@dataclass(frozen=True)
class ToExperiment:
    """A bond correction that was fitted to experiments, and what it leaves.

    Parameters
    ----------
    correction
        The fitted correction, ΔfH(experiment) − ΔfH(G4(MP2)).
    left
        Class of species (`labels/deviations.py`) → what it leaves of molecules that were not
        fitted.
    source
        What it was fitted to, in words.
    """

    correction: BondCorrection
    left: Mapping[str, Deviations]
    source: str

    def line(self, molecule: Molecules, coverage: float = 0.9) -> Term:
        """Return the correction of one molecule as a line of the ledger.

        It belongs to the energy, so both ΔfH(0 K) and ΔfH(298 K) hold it.

        Parameters
        ----------
        molecule
            One molecule at its geometry.
        coverage
            The share that the line's ± is to cover.
        """
        with torch.no_grad():
            value = float(self.correction.energies(molecule)[0])
        half, meaning = self.half(molecule, coverage)
        return Term(LABEL, value, half, f"{self.source}; {meaning}", "formation 0 K")

    def half(self, molecule: Molecules, coverage: float = 0.9) -> tuple[float, str]:
        """Return how far corrected G4(MP2) lies from experiment, and what that means.

        Parameters
        ----------
        molecule
            One molecule. Where it has a bond that no molecule of the fit has, G4(MP2)'s own
            deviation stays.
        coverage
            The share of species that are to lie nearer.

        Returns
        -------
        tuple
            The half width (kcal/mol), and its meaning.
        """
        kind = class_of(molecule)
        if kind not in self.left or not self.knows(molecule):
            return deviation(molecule, coverage)
        known = self.left[kind]
        return scaled(known.ninety, coverage) * grown(molecule, known.heavy), (
            f"± covers {100 * coverage:.0f} % of {known.species} {kind} that were left out of the "
            f"fit (mean {known.mean:.2f}), and grows with size"
        )

    def knows(self, molecule: Molecules) -> bool:
        """Return whether the fit has seen every element and every kind of bond of a molecule."""
        counts, kinds = bond_counts(molecule, COUNTED[self.correction.counts])
        clear = {kind for kind, count in zip(kinds, counts[0].tolist()) if count > CLEAR}
        return clear <= set(self.correction.kinds)

    def to_dict(self) -> dict[str, object]:
        """Return everything, for JSON."""
        return {
            "source": self.source,
            "settings": self.correction.settings,
            "coefficients": {
                _named(kind): round(c, 5)
                for kind, c in zip(self.correction.kinds, self.correction.coefficients.tolist())
            },
            "left": {kind: one._asdict() for kind, one in self.left.items()},
        }

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` returned.

        Parameters
        ----------
        content
            From JSON.
        """
        kinds, values = [_kind(name) for name in content["coefficients"]], content["coefficients"]
        correction = BondCorrection(**content["settings"]).load_state(
            {
                "kinds": torch.tensor(kinds, dtype=torch.int64).reshape(-1, 4),
                "coefficients": torch.tensor([*values.values()], dtype=torch.float64),
            }
        )
        left = {kind: Deviations(**one) for kind, one in content["left"].items()}
        return cls(correction, left, content["source"])


def _named(kind: Kind) -> str:
    """What is counted, such as "bond C H"."""
    return " ".join([WHATS[kind[0]], *(SYMBOLS[z] for z in kind[1:] if z)])


def _kind(name: str) -> list[int]:
    """What `_named` named."""
    what, *atoms = name.split()
    charges = [SYMBOLS.index(atom) for atom in atoms]
    return [WHATS.index(what), *charges, *[0] * (3 - len(charges))]  # type: ignore[arg-type]


@cache
def shipped() -> ToExperiment:
    """Return the correction that ships with the package."""
    text = files("onekcal.shipped").joinpath("experiment.json").read_text(encoding="utf-8")
    return ToExperiment.of(json.loads(text))
