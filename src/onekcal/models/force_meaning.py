"""Whether the gradient of a model's energies is a force: asked here by all that need forces.

A model learns energies E of geometries R. Its gradient −dE/dR is the force on the nuclei where

- E is electronic. Zero-point and thermal energies belong to a whole minimum, and a model that was
  fitted to minima has not learned how they change beside it.
- E was computed at R. Where the molecules were relaxed with another method after the energies had
  been computed, the model's lowest point is not the minimum of either method.

The model that ships violates both.
"""

from __future__ import annotations

from typing import get_args

from onekcal.energies import Kind
from onekcal.errors import InputError
from onekcal.models.artefact import Artefact

REMEDY = "use a model of electronic energies at their own geometries, or a method such as gfn2"


def why_no_forces(artefact: Artefact) -> str:
    """Say why the gradient of a model's energies is no force.

    Parameters
    ----------
    artefact
        The model.

    Returns
    -------
    str
        The end of a sentence about the model; empty where the gradient is a force.
    """
    if artefact.kind not in get_args(Kind):
        return f"it gives {artefact.kind} in {artefact.unit} and no energies"
    reasons = []
    if artefact.at != "electronic" or artefact.kind == "formation":
        also = "zero-point energy" if artefact.at == "0 K" else "zero-point and thermal energy"
        reasons.append(f"its energies hold {also}")
    if not artefact.own_geometry:
        reasons.append("they were computed at other geometries than the model was fitted to")
    return ", and ".join(reasons)


def check_forces(artefact: Artefact) -> None:
    """Refuse a model whose gradient is no force.

    Parameters
    ----------
    artefact
        The model.

    Raises
    ------
    InputError
        Says why.
    """
    if why := why_no_forces(artefact):
        level = f" ({artefact.level})" if artefact.level else ""
        raise InputError(f"the gradient of this model{level} is no force: {why}; {REMEDY}")
