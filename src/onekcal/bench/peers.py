"""Heats of formation of other programs beside ours, on the molecules that all of them answer.

Ours come from results/formation.json; those of the others stand in peers.yaml.
"""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

from onekcal.runs.experiment import load_yaml

ELEMENTS = {"H", "C", "N", "O"}
"""What the program with the fewest elements knows."""
SYMBOL = re.compile(r"Cl|Br|[BCNOFPSIH]|[bcnops]")
CAPTION = (
    "ΔfH(298 K) against experiment, on the {count} molecules of {all} that every program below "
    "answers; kcal/mol. The other programs were asked once, on two processor cores."
)


def block(results: Path) -> tuple[str, list[dict[str, str]]]:
    """Make the table of other programs beside ours, on the molecules that all of them answer.

    Parameters
    ----------
    results
        The folder of results, with formation.json.

    Returns
    -------
    tuple
        The caption, and the lines of the table by mean absolute error (kcal/mol).
    """
    found = json.loads((results / "formation.json").read_text(encoding="utf-8"))
    molecules = found["molecules"]
    answered = [one for one in molecules if one["half"] is not None]
    common = [one for one in answered if _elements(one["smiles"]) <= ELEMENTS]
    errors = [abs(one["predicted"] - one["experiment"]) for one in common]
    ours = {
        "name": "onekcal",
        "elements": "H C N O F",
        "mae": sum(errors) / len(errors),
        "above_1": sum(error > 1 for error in errors) / len(errors),
        "answers": sum(one["answered"] is not None for one in molecules),
    }
    listed = load_yaml(files("onekcal.bench").joinpath("peers.yaml").read_text(encoding="utf-8"))
    rows = [
        {
            "row": one["name"],
            "elements": one["elements"],
            "MAE": f"{one['mae']:.2f}",
            "> 1": f"{100 * one['above_1']:.0f} %" if "above_1" in one else "–",
            f"answers of {len(molecules)}": str(one["answers"]),
            "seconds a molecule": f"{one['seconds']:g}" if "seconds" in one else "–",
        }
        for one in sorted([*listed, ours], key=lambda one: one["mae"])
    ]
    return CAPTION.format(count=len(common), all=len(molecules)), rows


def _elements(smiles: str) -> set[str]:
    """The elements that a SMILES writes; aromatic atoms are small letters."""
    return {symbol.capitalize() for symbol in SYMBOL.findall(smiles)} | {"H"}
