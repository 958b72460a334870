"""The card of a data set, and the molecules, columns and splits that go with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.molecules import Selection, rows_of


@dataclass(frozen=True)
class Card:
    """What a data set is, who made it, and what may be done with it.

    Parameters
    ----------
    name, title, licence, citation
        Texts for the reader.
    level, kind
        Level of theory and kind of its energies.
    units
        Units of its columns.
    molecules
        How many there are.
    elements, splits, notes
        Texts for the reader.
    """

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

    Parameters
    ----------
    dataset
        M molecules and their columns.
    splits
        (M,) labels by the split's name, uint8: 0 train, 1 valid, 2 test, 255 unused.
    card
        What the data set is.
    digest
        SHA-256 of the file. "" where there is no file.
    """

    dataset: Dataset
    splits: dict[str, Tensor] = field(default_factory=dict)
    card: Card = field(default_factory=lambda: Card("unnamed"))
    digest: str = ""

    def __repr__(self) -> str:
        return (
            f"Stored({self.card.name}: {self.dataset!r}, splits {', '.join(self.splits) or 'none'})"
        )

    def kept(self, which: Selection) -> Stored:
        """Return some of the molecules with their labels in every split.

        Parameters
        ----------
        which
            A number, a slice, a mask or row numbers.
        """
        rows = rows_of(which, len(self.dataset))
        return replace(
            self, dataset=self.dataset[rows], splits={k: v[rows] for k, v in self.splits.items()}
        )
