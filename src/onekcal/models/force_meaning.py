"""Whether the gradient of a model's energies is a force: asked here by all that need forces.

A model learns energies E of geometries R. Its gradient −dE/dR is the force on the nuclei where

- E is electronic. Zero-point and thermal energies belong to a whole minimum, and a model that was
  fitted to minima has not learned how they change beside it.
- E was computed at R. Where the molecules were relaxed with another method after the energies had
  been computed, the model's lowest point is not the minimum of either method.

The model that ships violates both. A model on top of such a baseline has its gradient in its own,
and a few energies at minima do not mend it.
"""

from __future__ import annotations

from typing import get_args

from onekcal.energies import Kind
from onekcal.errors import InputError
from onekcal.models.artefact import Artefact
from onekcal.models.baseline import Baseline
from onekcal.models.blend import every_stage

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
    if why := _why(artefact.kind, artefact.at, artefact.own_geometry):
        return why
    for stage in every_stage(artefact.model):
        if isinstance(stage, Baseline) and stage.about:
            about = stage.about
            own = about.get("own_geometry", True)
            if why := _why(about["kind"], about["at"], own):
                return f"it stands on another model ({stage.method}) of which this holds: {why}"
    return ""


def _why(kind: str, at: str, own_geometry: bool) -> str:
    reasons = []
    if at != "electronic" or kind == "formation":
        also = "zero-point energy" if at == "0 K" else "zero-point and thermal energy"
        reasons.append(f"its energies hold {also}")
    if not own_geometry:
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
