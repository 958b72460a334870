"""What is known about a fitted model besides its scope: data, recipe, errors. Stored as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict

Json = dict[str, Any]
"""An object of a JSON or YAML file, which may hold anything that such a file can."""


class GroupErrors(TypedDict):
    """Errors of some molecules; None stands for a number that is not finite."""

    count: int
    mae: float | None
    median: float | None
    above_1: float | None
    coverage: float | None


class ErrorsBy(TypedDict, total=False):
    """Errors of the test molecules by size, by functional group, or, of atoms, by element."""

    heavy_atoms: dict[str, GroupErrors]
    groups: dict[str, GroupErrors]
    elements: dict[str, GroupErrors]
    perceived: int
    not_perceived: int


@dataclass
class ModelCard:
    """What is known about a model; None or empty stands for what is not known."""

    unit: str | None = None
    data: str | None = None
    """Name of the data set that the model was fitted to."""
    digest: str | None = None
    """SHA-256 of the data set."""
    experiment: Json = field(default_factory=dict)
    """The resolved experiment, with the keys of its YAML file."""
    train: int | None = None
    valid: int | None = None
    refit: bool | None = None
    heavy_atoms: int | None = None
    """Heavy atoms in the largest training molecule."""
    data_card: dict[str, str] = field(default_factory=dict)
    """Title, licence and citation of the data set."""
    made: Json = field(default_factory=dict)
    """Versions, hardware, commit and time."""
    errors: dict[str, dict[str, float]] = field(default_factory=dict)
    """Metrics by kind of geometry."""
    errors_by: ErrorsBy = field(default_factory=lambda: ErrorsBy())
    battery: Json = field(default_factory=dict)
    """Outcomes of the sanity battery, and the version of onekcal that did it."""
    more: Json = field(default_factory=dict)
    """Keys that this version does not know."""

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> ModelCard:
        """Make the card from what a model file holds.

        Parameters
        ----------
        content
            The card as JSON. Keys that this version does not know are kept in `more`.
        """
        known = {each.name for each in fields(cls)} - {"more"}
        more = {key: value for key, value in content.items() if key not in known}
        return cls(**{key: content[key] for key in known if key in content}, more=more)

    def to_dict(self) -> Json:
        """Return what is known, for JSON."""
        own = {key: value for key, value in vars(self).items() if value not in (None, {})}
        own.pop("more", None)
        return own | self.more

    def __bool__(self) -> bool:
        return bool(self.to_dict())

    def __repr__(self) -> str:
        return f"ModelCard({', '.join(self.to_dict()) or 'empty'})"
