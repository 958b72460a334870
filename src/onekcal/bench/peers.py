"""Heats of formation of other programs beside ours, on the molecules that all of them answer.

Ours come from results/thermochemistry.json, by the learned rung alone. Programs that were installed
were measured in the same command; those of the others stand in peers.yaml.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

from onekcal.bench.programs.program import Program
from onekcal.bench.programs.registry import PROGRAMS
from onekcal.models.shipped import DEFAULT, load_model
from onekcal.molecules import SYMBOLS
from onekcal.runs.experiment import load_yaml

CAPTION = (
    "ΔfH(298 K) against experiment, on the {count} molecules of {all} that every program below "
    "answers; kcal/mol, processor seconds. AIQM2 and ANI-1ccx were asked once."
)


def block(results: Path) -> tuple[str, list[dict[str, str]]]:
    """Make the table of other programs beside ours, on the molecules that all of them answer.

    Parameters
    ----------
    results
        The folder of results, with thermochemistry.json.

    Returns
    -------
    tuple
        The caption, and the lines of the table by mean absolute error (kcal/mol).
    """
    found = json.loads((results / "thermochemistry.json").read_text(encoding="utf-8"))
    molecules = [one for one in found["molecules"] if one["set"] == "common"]
    common = [one for one in molecules if one["compared"]]
    ours = []
    for name, key in (
        ("onekcal, its model alone", "learned"),
        ("onekcal, as it answers", "answered"),
    ):
        errors = [abs(one[key] - one["experiment"]) for one in common]
        told = [one for one in molecules if one["answered"] is not None]
        ours.append(
            {
                "name": name,
                "elements": " ".join(SYMBOLS[z] for z in load_model(DEFAULT).elements),
                "mae": sum(errors) / len(errors),
                "above_1": sum(error > 1 for error in errors) / len(errors),
                "answers": sum(one["inside"] for one in told) if key == "learned" else len(told),
                "seconds": float(f"{median(one['seconds'] for one in common):.1g}"),
            }
        )
    text = files("onekcal.bench").joinpath("peers.yaml").read_text(encoding="utf-8")
    measured = [_asked(program, molecules) for program in PROGRAMS]
    listed = [*load_yaml(text), *filter(None, measured)]
    rows = [
        {
            "row": one["name"],
            "elements": one["elements"],
            "MAE": f"{one['mae']:.2f}",
            "> 1": f"{100 * one['above_1']:.0f} %" if "above_1" in one else "–",
            f"answers of {len(molecules)}": str(one["answers"]),
            "seconds a molecule": f"{one['seconds']:g}" if "seconds" in one else "–",
        }
        for one in sorted([*listed, *ours], key=lambda one: one["mae"])
    ]
    return CAPTION.format(count=len(common), all=len(molecules)), rows


def _asked(program: Program, molecules: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What a program that was measured beside ours answers; None where it was not."""
    told = [
        (one, one["others"][program.name]) for one in molecules if program.name in one["others"]
    ]
    errors = [
        abs(said["formation"] - one["experiment"])
        for one, said in told
        if one["compared"] and said["formation"] is not None
    ]
    if not errors:
        return None
    return {
        "name": program.name,
        "elements": program.elements,
        "mae": sum(errors) / len(errors),
        "above_1": sum(error > 1 for error in errors) / len(errors),
        "answers": sum(said["formation"] is not None for _, said in told),
        "seconds": float(f"{median(said['seconds'] for _, said in told):.1g}"),
    }
