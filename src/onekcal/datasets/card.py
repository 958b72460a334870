"""A data set's card, where its files are, and what comes out of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.molecules import rows_of


@dataclass(frozen=True)
class Remote:
    """A file to fetch.

    `sha256` is None where nobody has verified one; it is then recorded at the first download.
    """

    file: str
    url: str = ""
    sha256: str | None = None
    optional: bool = False


@dataclass(frozen=True)
class Card:
    """What a data set is, who made it, and what may be done with it."""

    name: str
    title: str = ""
    licence: str = ""
    citation: str = ""
    level: str = ""
    kind: str = ""
    units: str = "kcal/mol, Å"
    molecules: int = 0
    elements: str = ""
    splits: str = ""
    notes: str = ""


@dataclass(frozen=True)
class Stored:
    """Molecules, columns, splits and card, as the store keeps them.

    A split is one label a molecule.
    """

    dataset: Dataset
    splits: dict[str, Tensor] = field(
        default_factory=dict
    )  # (M,) uint8: 0 train, 1 valid, 2 test, 255 unused
    card: Card = field(default_factory=lambda: Card("unnamed"))
    digest: str = ""

    def __repr__(self) -> str:
        return (
            f"Stored({self.card.name}: {self.dataset!r}, splits {', '.join(self.splits) or 'none'})"
        )

    def kept(self, which: Any) -> Stored:
        """The molecules `which` selects, with their labels in every split."""
        rows = rows_of(which, len(self.dataset))
        return replace(
            self, dataset=self.dataset[rows], splits={k: v[rows] for k, v in self.splits.items()}
        )


Reader = Callable[[Path], Stored]


@dataclass(frozen=True)
class Source:
    """The files of a data set, in a mirror and at the official source, and their readers."""

    card: Card
    mirror: tuple[Remote, ...] = ()
    read_mirror: Reader | None = None
    official: tuple[Remote, ...] = ()
    read_official: Reader | None = None
    relaxation_failed: frozenset[str] = frozenset()
    """Names of the molecules that `strict` drops."""

    def strict(self, stored: Stored) -> Stored:
        """Without the molecules whose relaxation failed."""
        keep = [name not in self.relaxation_failed for name in stored.dataset.molecules.names]
        return stored.kept(torch.tensor(keep))
