"""Records of finished molecules as a data set in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Card, Stored
from onekcal.labels.compute import LabelRequest
from onekcal.quantum.method import Method


def labelled(
    stored: Stored,
    request: LabelRequest,
    records: list[dict[str, Any]],
    good: list[int],
    out: Path,
    keep: Sequence[str] = (),
) -> None:
    """Write labelled molecules as a data set.

    Parameters
    ----------
    stored
        The molecules that were labelled.
    request
        What was computed.
    records
        One for each molecule of `stored`, in its order.
    good
        The rows that have labels.
    out
        The file (.h5).
    keep
        Columns of the old geometries that stay.
    """
    kept = stored.dataset[good]
    found = [records[m] for m in good]
    if request.relax:
        positions = torch.cat(
            [torch.tensor(record["positions"], dtype=torch.float64) for record in found]
        )
        # the columns that are not kept belong to the old geometries alone
        columns = {name: replace(kept.columns[name], own_geometry=False) for name in keep}
        kept = Dataset(kept.molecules.moved(positions), columns)
    for name, column in _columns(request, found).items():
        kept = kept.with_column(name, column)
    card = Card(
        out.stem,
        title=f"{len(kept)} molecules labelled with {request.method.level}"
        + (", relaxed with it" if request.relax else ""),
        level=request.method.level,
        kind="atomization",
        molecules=len(kept),
    )
    store.save(
        out, Stored(kept, {name: labels[good] for name, labels in stored.splits.items()}, card)
    )


def _columns(request: LabelRequest, found: list[dict[str, Any]]) -> dict[str, Column]:
    name, level = request.method.column, request.method.level

    def values(key: str) -> torch.Tensor:
        return torch.tensor([record[key] for record in found], dtype=torch.float64)

    columns = {name: Column(values("energy"), level=level, note=_note(request.method))}
    if request.forces:
        pushes = torch.cat(
            [torch.tensor(record["forces"], dtype=torch.float64).reshape(-1, 3) for record in found]
        )
        columns[f"{name}_forces"] = Column(pushes, "forces", level, unit="kcal/mol/Å")
    if request.charges:
        shares = torch.cat(
            [torch.tensor(record["charges"], dtype=torch.float64) for record in found]
        )
        columns[f"{name}_charges"] = Column(shares, "charges", level, unit="e", note="Mulliken")
    if request.frequencies:
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
