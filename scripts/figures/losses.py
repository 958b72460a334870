"""The QM7 study's figures of losses: training and held-out errors, epoch by epoch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from figures.rows import MAE
from onekcal.errors import DataError
from onekcal.show.plots import ACCENT, SECOND, canvas, decades, dressed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "qm7-losses"
COLORS = {"training": ACCENT, "held out": SECOND}


def qm7_losses(results: Path) -> Figure:
    """Draw the errors of the perceptrons by the study's protocol after each epoch.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    path = results / f"{NAME}.json"
    if not path.is_file():
        raise DataError(f"no results of {NAME} at {path}; run scripts/qm7_losses.py")
    curves = json.loads(path.read_text(encoding="utf-8"))["curves_of"]
    figure = canvas(9.2, 3.6)
    for axes, (name, parts) in zip(figure.subplots(1, len(curves), sharey=True), curves.items()):
        for part, values in parts.items():
            axes.plot(range(1, len(values) + 1), values, color=COLORS[part], lw=1.4, label=part)
        axes.set_yscale("log")
        decades(axes.yaxis, [one for values in parts.values() for one in values])
        dressed(axes, name, "epoch", MAE if name == next(iter(curves)) else "")
        axes.legend(frameon=False, fontsize=9)
    return figure
