"""When a trajectory ends before its time: the molecule broke, or the model no longer knows it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from onekcal.dynamics.integrate import State
from onekcal.geometry.bonds import bond_changes
from onekcal.models.artefact import Artefact
from onekcal.molecules import Molecules

PATIENCE = 10
"""Frames in a row above the novelty limit that end a trajectory.

One in a hundred of the molecules that a model was judged by lies above the limit. So a single frame
above it says nothing.
"""


@dataclass
class Limits:
    """What a trajectory is watched for.

    Parameters
    ----------
    molecule
        The molecule at the start; its bonds are those that must stay.
    artefact
        The model; None for a quantum method, which knows all geometries.
    above
        Frames in a row above the novelty limit so far.
    """

    molecule: Molecules
    artefact: Artefact | None
    above: int = 0

    @property
    def notices(self) -> bool:
        """Whether it is noticed that the molecule leaves what the model knows.

        A quantum method knows all geometries. A model without novelty cannot tell.
        """
        if self.artefact is None:
            return True
        if not math.isfinite(self.artefact.novelty_limit):
            return False
        with torch.no_grad():
            return self.artefact.model.novelty(self.molecule) is not None

    def broken(self, state: State) -> str:
        """Say which bonds changed since the start, or that numbers are no longer finite.

        Parameters
        ----------
        state
            The molecule now.

        Returns
        -------
        str
            Why the trajectory ends; empty where it goes on.
        """
        if not (math.isfinite(state.energy) and np.isfinite(state.positions).all()):
            return "energy or positions are no finite numbers"
        changes = bond_changes(
            self.molecule.numbers.numpy(), self.molecule.positions.numpy(), state.positions
        )
        return f"the molecule is another one: {', '.join(changes)}" if changes else ""

    def unknown(self, state: State) -> str:
        """Say that the molecule has left what the model knows; to be asked once a frame.

        Parameters
        ----------
        state
            The molecule now.

        Returns
        -------
        str
            Why the trajectory ends; empty where it goes on, or the model cannot tell.
        """
        if self.artefact is None or not math.isfinite(self.artefact.novelty_limit):
            return ""
        with torch.no_grad():
            novelty = self.artefact.model.novelty(
                self.molecule.moved(torch.from_numpy(state.positions))
            )
        if novelty is None:
            return ""
        self.above = self.above + 1 if float(novelty[0]) > self.artefact.novelty_limit else 0
        if self.above < PATIENCE:
            return ""
        return (
            f"the model does not know this geometry: novelty {float(novelty[0]):.3g}, above "
            f"{self.artefact.novelty_limit:.3g} in {PATIENCE} frames in a row"
        )
