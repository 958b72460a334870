"""What results/SUITE.json holds: the rows of a suite as they were measured."""

from __future__ import annotations

from typing import Any, TypedDict

from onekcal.trust.metrics import Metrics

Line = dict[str, str]
"""One line of a table: head of the column → text."""


class Measured(TypedDict, total=False):
    """A row as it was measured, or what made it fail."""

    name: str
    paper: dict[str, float]
    """Metric → the paper's number."""
    ours: dict[str, float]
    """Metric → our mean over the runs."""
    train: int
    test: int
    seconds: float
    peak_mib: int
    core_hours: float
    """Of the processor, all starts together; missing in rows measured before it was counted."""
    runs: list[Metrics]
    """One for each split, seed and network."""
    note: str
    budget: str
    """"quick" for a row of a quick run."""
    curve: str
    """The learning curve that it is a point of."""
    columns: dict[str, float | str | None]
    """Of a study of its own: head of the column → what stands there."""
    row: str
    """Digest of everything that decides the numbers."""
    data: str
    """SHA-256 of the data set."""
    commit: str | None
    hardware: str
    packages: dict[str, str | None]
    time: str
    failed: str
    """Why there are no numbers."""
    key: str
    error: str


class KeptCurve(TypedDict):
    """A learning curve as results keep it."""

    name: str
    sizes: list[int]
    mae: list[float]
    spread: list[float | None]
    a: float | None
    b: float | None
    paper: dict[int, float]
    """Training molecules → the paper's error; JSON makes the keys text."""


class Results(TypedDict, total=False):
    """A file of results."""

    suite: str
    title: str
    cite: str
    unit: str
    rows: list[Measured]
    curves: list[KeptCurve]
    molecules: list[dict[str, Any]]
    """Of thermochemistry.json: each species."""
