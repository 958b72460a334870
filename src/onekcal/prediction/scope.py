"""What a model may be asked, and how wide its intervals are."""

from __future__ import annotations

import math
from typing import TypedDict

import torch

from onekcal.geometry.bonds import fragments
from onekcal.models.artefact import Artefact
from onekcal.models.domain import strange_nuclei
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.prediction.answers import Answer
from onekcal.prediction.geometry import KINDS
from onekcal.prediction.options import DEFAULTS, Options
from onekcal.trust.traits import traits


class Scope(TypedDict):
    """What a model may be asked."""

    level: str
    kind: str
    at: str
    unit: str
    elements: list[str]
    largest: int
    """Atoms in the largest molecule."""
    heavy: int | None
    """Heavy atoms in the largest molecule; None where it is not known."""
    charges: list[int]
    spin: int
    """Most unpaired electrons."""
    geometry: str
    """The kind of geometry that the model was fitted to."""
    novelty_limit: float | None
    coverage: float
    intervals: dict[str, float | None]
    """Kind of geometry → half width (kcal/mol); None where it was not calibrated."""
    by_rivalry: list[str]
    """Kinds whose interval is (1 + rivalry of the conformers in kcal/mol) times as wide."""
    by_traits: list[str]
    """Kinds whose interval follows the molecule; `intervals` holds that of the median molecule."""
    card: dict[str, object]


def half_width(
    artefact: Artefact,
    geometry: str,
    nominal: float = 0.9,
    rivalry: float | None = None,
    molecule: Molecules | None = None,
    novelty: float | None = None,
) -> float:
    """Look up the half width of an interval.

    Parameters
    ----------
    artefact
        The model.
    geometry
        The kind of geometry: smiles, gfn2, b3lyp or data.
    nominal
        The share of molecules that the interval is to cover.
    rivalry
        The rivalry of the conformers (kcal/mol), for geometries made from SMILES.
    molecule
        The molecule; None: one like the median molecule of the calibration set.
    novelty
        How strange it is to the model.

    Returns
    -------
    float
        kcal/mol; infinite where the model was not calibrated for this geometry.
    """
    conformal = artefact.calibration.get(geometry)
    if conformal is None:
        return math.inf
    known = None
    if conformal.widths is not None and molecule is not None:
        known = traits(
            molecule, *(None if x is None else torch.tensor([x]) for x in (novelty, rivalry))
        )
    return conformal.radius(nominal, rivalry or 0.0, known)


def scope(artefact: Artefact, nominal: float = 0.9) -> Scope:
    """Say what a model may be asked, and how wide its intervals are.

    Parameters
    ----------
    artefact
        The model.
    nominal
        The share of molecules that the intervals are to cover.

    Returns
    -------
    Scope
        Elements, size, charge, spin, and half widths (kcal/mol).
    """
    halves = {kind: half_width(artefact, kind, nominal) for kind in artefact.calibration}
    limit = artefact.novelty_limit
    return {
        "level": artefact.level,
        "kind": artefact.kind,
        "at": artefact.at,
        "unit": artefact.unit,
        "elements": [SYMBOLS[z] for z in artefact.elements],
        "largest": artefact.largest,
        "heavy": artefact.card.heavy_atoms,
        "charges": artefact.charges,
        "spin": artefact.unpaired,
        "geometry": artefact.geometry or "data",
        "novelty_limit": limit if math.isfinite(limit) else None,
        "coverage": nominal,
        "intervals": {kind: half if math.isfinite(half) else None for kind, half in halves.items()},
        "by_rivalry": [kind for kind, one in artefact.calibration.items() if one.by_rivalry],
        "by_traits": [k for k, one in artefact.calibration.items() if one.widths is not None],
        "card": artefact.card.to_dict(),
    }


def half_of(artefact: Artefact, found: Answer, options: Options) -> tuple[float, str]:
    """Choose the interval of an answer.

    Parameters
    ----------
    artefact
        The model.
    found
        The answer, with its geometry and conformers.
    options
        How the question is answered: the coverage, and the number of conformers.

    Returns
    -------
    tuple
        The half width (kcal/mol), and why there is none where it is infinite.
    """
    if found.geometry == "smiles" and options.conformers < DEFAULTS.conformers:
        return math.inf, (
            f"no interval: it was calibrated with {DEFAULTS.conformers} conformers; with fewer the "
            "lowest may be missed, and how far they lie apart"
        )
    half = half_width(
        artefact,
        found.geometry,
        options.coverage,
        found.conformers.rivalry if found.conformers else None,
        found.molecule,
        found.novelty,
    )
    if not math.isfinite(half):
        return (
            half,
            "no interval: the model was not calibrated for geometries "
            f"{KINDS.get(found.geometry, found.made)}",
        )
    return half, ""


def outside(artefact: Artefact, molecule: Molecules) -> list[str]:
    """List why a molecule lies outside what a model was fitted to.

    Parameters
    ----------
    artefact
        The model.
    molecule
        One molecule; its pieces are only counted where it has a geometry.

    Returns
    -------
    list of str
        One reason each; empty for a molecule that the model knows.
    """
    reasons = strange_nuclei(artefact, molecule)
    size = len(molecule.numbers)
    if artefact.largest and size > artefact.largest:
        reasons.append(
            f"{size} atoms; the largest molecule the model has seen has {artefact.largest}"
        )
    heavy, most = int((molecule.numbers > 1).sum()), artefact.card.heavy_atoms
    if most and heavy > most:
        reasons.append(f"{heavy} atoms heavier than hydrogen; the model has seen up to {most}")
    if said := apart(molecule):
        reasons.append(f"{said}; the model knows single molecules")
    return reasons


def apart(molecule: Molecules) -> str:
    """Say of how many pieces a molecule is; nothing where it is one, or has no geometry.

    Parameters
    ----------
    molecule
        One molecule.
    """
    if not molecule.positions.any():
        return ""
    pieces = fragments(molecule.numbers.numpy(), molecule.positions.numpy())
    return f"{pieces} pieces that no bond connects" if pieces > 1 else ""
