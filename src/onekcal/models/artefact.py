"""A fitted model as one file: safetensors weights with a JSON header. Nothing is pickled.

The header holds the format version, the stages with their settings, what the energies mean, the
elements seen, and the model card. The tensors are the stages' `state()` and the calibration scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from onekcal.errors import DataError
from onekcal.models.model_card import ModelCard
from onekcal.models.registry import allowed_modules_only, build
from onekcal.models.stack import Stack
from onekcal.system import tensor_file
from onekcal.system.files import damage_refused
from onekcal.trust.conformal import Conformal
from onekcal.trust.widths import Widths

FORMAT, PLAIN = 2, 1
"""Number of the file format; increased when an older onekcal could not read a new file.

Format 2 has intervals that follow the traits of a molecule. A file without them says `PLAIN`.
"""
STAGES, CALIBRATION = "stages.", "calibration."

Stage = tuple[str, dict[str, object]]


@dataclass
class Artefact:
    """A fitted stack and what is needed to trust it.

    Parameters
    ----------
    stages
        Name and settings of each stage.
    model
        The fitted stack.
    level
        Level of theory of the energies, such as "g4mp2"; empty where it is not known.
    kind
        Kind of the energies: "atomization", "formation" or "total"; "property" or "charges" where
        the model gives those.
    at
        State of the energies, such as "electronic".
    elements
        Nuclear charges of the training molecules.
    largest
        Atoms of the largest training molecule.
    calibration
        By kind of geometry: errors on molecules that the model was not fitted to.
    geometry
        Kind of geometry that the model was fitted to and expects, such as "gfn2" for minima of
        GFN2-xTB; empty where it takes any geometry.
    novelty_limit
        A molecule of higher novelty lies outside what the model has seen.
    card
        What else is known about the model.
    unit
        Unit of the answers.
    own_geometry
        Whether the training energies were computed at the geometries that the model saw.
    unpaired
        Most unpaired electrons of a training molecule; 0 for a model of closed shells.
    charges
        Charges of the training molecules, ascending.
    ships
        Whether it came with the package, and is none of the user's own.
    """

    stages: Sequence[Stage]
    model: Stack
    level: str = ""
    kind: str = "atomization"
    at: str = "electronic"
    elements: list[int] = field(default_factory=list)
    largest: int = 0
    calibration: dict[str, Conformal] = field(default_factory=dict)
    geometry: str = ""
    novelty_limit: float = math.inf
    card: ModelCard = field(default_factory=ModelCard)
    unit: str = "kcal/mol"
    own_geometry: bool = True
    unpaired: int = 0
    charges: list[int] = field(default_factory=lambda: [0])
    ships: bool = False

    def __repr__(self) -> str:
        stages = " + ".join(name for name, _ in self.stages)
        return f"Artefact({self.kind}, {self.level or 'level unknown'}, {self.unit}: {stages})"

    def save(self, path: Path) -> None:
        """Write the model, whole or not at all.

        Parameters
        ----------
        path
            The file; its folder is made where there is none.
        """
        tensors = {STAGES + name: t.contiguous() for name, t in self.model.state().items()}
        tensors |= {
            CALIBRATION + kind: conformal.scores.contiguous()
            for kind, conformal in self.calibration.items()
        }
        header = {
            "format": FORMAT if any(one.widths for one in self.calibration.values()) else PLAIN,
            "stages": list(self.stages),
            "level": self.level,
            "kind": self.kind,
            "at": self.at,
            "elements": self.elements,
            "largest": self.largest,
            "unpaired": self.unpaired,
            "charges": self.charges,
            "geometry": self.geometry,
            "novelty_limit": self.novelty_limit if math.isfinite(self.novelty_limit) else None,
            "card": self.card.to_dict(),
            "unit": self.unit,
            "own_geometry": self.own_geometry,
            "by_rivalry": [kind for kind, one in self.calibration.items() if one.by_rivalry],
            "widths": {
                kind: {**one.widths.header(), "typical": one.typical}
                for kind, one in self.calibration.items()
                if one.widths is not None
            },
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        tensor_file.write(path, tensors, header)

    @classmethod
    def load(cls, path: Path) -> Artefact:
        """Read a model file.

        Parameters
        ----------
        path
            The file.

        Raises
        ------
        DataError
            There is no such file, or it is no model that this version can read.
        """
        if not path.is_file():
            raise DataError(f"no model at {path}")
        tensors, header = tensor_file.read(
            path, FORMAT, "an onekcal model", "train it again or get a fresh copy"
        )
        with (
            damage_refused(path, "a whole onekcal model", "train it again or get a fresh copy"),
            allowed_modules_only(path),
        ):
            return cls._of(tensors, header)

    @classmethod
    def _of(cls, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any]) -> Artefact:
        """What `save` wrote."""
        stages = [(name, settings) for name, settings in header["stages"]]
        model = Stack([build(name, settings) for name, settings in stages])
        model.load_state(_under(STAGES, tensors))
        by_rivalry, widths = header.get("by_rivalry", []), header.get("widths", {})
        older = set(header.get("by_spread", []))  # before, the farthest conformer told the width
        older |= {kind for kind, one in widths.items() if "log (1 + spread)" in one["names"]}
        limit = header.get("novelty_limit")
        keys = ("level", "kind", "at", "elements", "largest")
        return cls(
            stages,
            model,
            calibration={
                kind: Conformal(
                    scores,
                    kind in by_rivalry,
                    Widths.from_header(widths[kind]) if kind in widths else None,
                    widths.get(kind, {}).get("typical", 1.0),
                )
                for kind, scores in _under(CALIBRATION, tensors).items()
                if kind not in older
            },
            unpaired=header.get("unpaired", 0),
            charges=header.get("charges", [0]),
            geometry=header.get("geometry", ""),
            unit=header.get("unit", "kcal/mol"),
            card=ModelCard.of(header["card"]),
            novelty_limit=math.inf if limit is None else limit,
            own_geometry=header.get("own_geometry", _judged(header)),
            **{key: header[key] for key in keys},
        )


def _judged(header: Mapping[str, Any]) -> bool:
    """Whether an older file, which does not tell, was fitted to energies of its own geometries.

    Minima of GFN2-xTB were given the energies of another method at another geometry.
    """
    return header.get("geometry") != "gfn2" or str(header["level"]).startswith("gfn2")


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors whose names begin with `prefix`, by the rest of their names."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
