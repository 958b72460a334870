"""A fitted model as one file: safetensors weights with a JSON header. Nothing is pickled.

The header holds the format version, the stages with their settings, what the energies mean, the elements seen, and
the calibration; the tensors are the stages' `state()` and the calibration scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from onekcal.errors import DataError
from onekcal.models.registry import build
from onekcal.models.stack import Stack
from onekcal.system import tensor_file
from onekcal.trust.conformal import Conformal

FORMAT = 1
"""Raised when an older onekcal could not read what is written."""
STAGES, CALIBRATION = "stages.", "calibration."

Stage = tuple[str, dict[str, Any]]


@dataclass
class Artefact:
    """A fitted stack and what is needed to trust it."""

    stages: Sequence[Stage]
    model: Stack
    level: str = ""
    kind: str = "atomization"
    """Of the energies it gives; "property" or "charges" where it gives those."""
    at: str = "electronic"
    elements: list[int] = field(default_factory=list)
    largest: int = 0
    """Atoms in the largest training molecule."""
    calibration: dict[str, torch.Tensor] = field(default_factory=dict)
    """Sorted scores (kcal/mol) of molecules the model was not fitted to, by kind of geometry: `trust.conformal`."""
    geometry: str = ""
    """The kind of geometry the model was fitted to and expects ("gfn2": minima of GFN2-xTB); empty: whatever is given."""
    novelty_limit: float = math.inf
    """`Stack.novelty` beyond which a molecule lies outside what the model has seen."""
    card: dict[str, Any] = field(default_factory=dict)
    unit: str = "kcal/mol"
    by_spread: list[str] = field(default_factory=list)
    """Kinds of geometry whose scores are per 1 + spread of the conformers in kcal/mol."""

    def save(self, path: Path) -> None:
        """Write to `path`; never half."""
        tensors = {STAGES + name: t.contiguous() for name, t in self.model.state().items()}
        tensors |= {CALIBRATION + name: t.contiguous() for name, t in self.calibration.items()}
        header = {
            "format": FORMAT,
            "stages": list(self.stages),
            "level": self.level,
            "kind": self.kind,
            "at": self.at,
            "elements": self.elements,
            "largest": self.largest,
            "geometry": self.geometry,
            "novelty_limit": self.novelty_limit if math.isfinite(self.novelty_limit) else None,
            "card": self.card,
            "unit": self.unit,
            "by_spread": self.by_spread,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        tensor_file.write(path, tensors, header)

    @classmethod
    def load(cls, path: Path) -> Artefact:
        """Read `path`, or say why it cannot be read."""
        if not path.is_file():
            raise DataError(f"no model at {path}")
        tensors, header = tensor_file.read(
            path, FORMAT, "an onekcal model", "train it again or get a fresh copy"
        )
        stages = [(name, settings) for name, settings in header["stages"]]
        model = Stack([build(name, settings) for name, settings in stages])
        model.load_state({n[len(STAGES) :]: t for n, t in tensors.items() if n.startswith(STAGES)})
        calibration = {
            n[len(CALIBRATION) :]: t for n, t in tensors.items() if n.startswith(CALIBRATION)
        }
        limit = header.get("novelty_limit")
        keys = ("level", "kind", "at", "elements", "largest", "card")
        return cls(
            stages,
            model,
            calibration=calibration,
            geometry=header.get("geometry", ""),
            unit=header.get("unit", "kcal/mol"),
            by_spread=header.get("by_spread", []),
            novelty_limit=math.inf if limit is None else limit,
            **{key: header[key] for key in keys},
        )


def calibrated(artefact: Artefact) -> dict[str, Conformal]:
    """By kind of geometry, what a model was calibrated on."""
    return {
        kind: Conformal(scores, kind in artefact.by_spread)
        for kind, scores in artefact.calibration.items()
    }
