"""HIP-NN's hierarchy in a run: errors against the non-hierarchicality R, and order by order.

Lubbers, Smith, Barros, J. Chem. Phys. 148, 241715 (2018), figure 3. The bins of R are those of
`onekcal.trust.bins`.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from onekcal.errors import InputError
from onekcal.trust.bins import QUANTILES, quantiles

FAINT, CURVES = "#dfe6ea", ("#0b6e99", "#5b8c3a", "#b08a1e", "#c4622d")


class Hierarchy(NamedTuple):
    """The hierarchy of HIP-NN's energies on M test molecules.

    Parameters
    ----------
    error
        (M,) predicted − reference, kcal/mol.
    R
        (M,) non-hierarchicality.
    orders
        Mean absolute error of the energy up to each order, kcal/mol.
    """

    error: np.ndarray
    R: np.ndarray
    orders: list[float]


def read(folder: Path) -> Hierarchy:
    """Read the hierarchy from the folder of a run of HIP-NN.

    Parameters
    ----------
    folder
        The folder of the run.

    Returns
    -------
    Hierarchy
        Of its test molecules.

    Raises
    ------
    InputError
        When the model has no hierarchy.
    """
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    orders = [value for key, value in metrics.items() if key.startswith("mae_order_")]
    if not orders:
        raise InputError(f"{folder} holds no R; runs of HIP-NN with its hierarchy hold it")
    with (folder / "predictions.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    error, R = (np.array([float(line[name]) for line in lines]) for name in ("error", "R"))
    return Hierarchy(error, R, orders)


def hierarchy_png(path: Path, hierarchy: Hierarchy, title: str = "") -> None:
    """Draw error quantiles against R, and the error up to each order, into a PNG file.

    Parameters
    ----------
    path
        The file.
    hierarchy
        The hierarchy of a run.
    title
        The title; empty: a general one.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from onekcal.show.plots import decades

    figure = Figure(figsize=(9.2, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    behind = left.twinx()
    behind.hist(np.log10(hierarchy.R), bins=40, color=FAINT)
    behind.set_yticks([])
    left.set_zorder(behind.get_zorder() + 1)
    left.patch.set_visible(False)
    R, sizes = quantiles(hierarchy.R, np.abs(hierarchy.error))
    for p, line, color in zip(QUANTILES, sizes.T, CURVES):
        left.plot(np.log10(R), line, "o-", ms=3.5, lw=1.5, color=color, label=f"p = {p:g}")
    left.set(
        xlabel="log₁₀ R",
        ylabel="|error|  (kcal/mol)",
        yscale="log",
        title=title or "Error quantiles against R",
    )
    left.legend(frameon=False, ncols=2)
    places = np.arange(len(hierarchy.orders))
    right.bar(places, hierarchy.orders, width=0.55, color=CURVES[0])
    for place, value in zip(places, hierarchy.orders):
        right.annotate(f"{value:.3g}", (place, value), ha="center", va="bottom")
    right.set(
        xlabel="orders summed",
        ylabel="MAE  (kcal/mol)",
        yscale="log",
        title="Energy truncated at order k",
        xticks=places,
        xticklabels=[" + ".join(f"E{'⁰¹²³⁴⁵⁶⁷⁸⁹'[n]}" for n in range(k + 1)) for k in places],
    )
    decades(left.yaxis, sizes[sizes > 0].tolist())
    decades(right.yaxis, [value for value in hierarchy.orders if value > 0])
    for axes in (left, right, behind):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=140)
