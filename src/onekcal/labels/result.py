"""Records of finished molecules as a data set in the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Card, Stored
from onekcal.labels.compute import Ask
from onekcal.quantum.method import Method


def labelled(
    stored: Stored,
    ask: Ask,
    records: list[dict[str, Any]],
    good: list[int],
    out: Path,
    keep: Sequence[str] = (),
) -> None:
    """Write the molecules `good` of `stored` with their new columns to `out`."""
    kept = stored.dataset[good]
    found = [records[m] for m in good]
    if ask.relax:
        positions = torch.cat(
            [torch.tensor(record["positions"], dtype=torch.float64) for record in found]
        )
        own = {name: kept.columns[name] for name in keep}  # the others belong to the old geometries
        kept = Dataset(kept.molecules.moved(positions), own)
    for name, column in _columns(ask, found).items():
        kept = kept.with_column(name, column)
    card = Card(
        out.stem,
        title=f"{len(kept)} molecules labelled with {ask.method.level}"
        + (", relaxed with it" if ask.relax else ""),
        level=ask.method.level,
        kind="atomization",
        molecules=len(kept),
    )
    store.save(
        out, Stored(kept, {name: labels[good] for name, labels in stored.splits.items()}, card)
    )


def _columns(ask: Ask, found: list[dict[str, Any]]) -> dict[str, Column]:
    name, level = ask.method.column, ask.method.level

    def values(key: str) -> torch.Tensor:
        return torch.tensor([record[key] for record in found], dtype=torch.float64)

    columns = {name: Column(values("energy"), level=level, note=_note(ask.method))}
    if ask.forces:
        pushes = torch.cat(
            [torch.tensor(record["forces"], dtype=torch.float64).reshape(-1, 3) for record in found]
        )
        columns[f"{name}_forces"] = Column(pushes, "forces", level, unit="kcal/mol/Å")
    if ask.charges:
        shares = torch.cat(
            [torch.tensor(record["charges"], dtype=torch.float64) for record in found]
        )
        columns[f"{name}_charges"] = Column(shares, "charges", level, unit="e", note="Mulliken")
    if ask.frequencies:
        columns[f"{name}_zpe"] = Column(
            values("zpe"), "property", level, note="harmonic zero-point energy"
        )
        columns[f"{name}_heat"] = Column(
            values("heat"), "property", level, note="H(298.15 K) − H(0), rigid rotor"
        )
        columns[f"{name}_imaginary"] = Column(
            values("imaginary"),
            "property",
            level,
            unit="1",
            note="imaginary frequencies; 0 at a minimum",
        )
    return columns


def _note(method: Method) -> str:
    return f"{method.program.package} {method.program.version()}"
