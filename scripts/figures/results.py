"""The papers' charts: our errors beside those of the papers.

Our errors come from results/*.json. A paper's errors come from the suites; the few that no suite
holds are constants below, each with its table.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from figures.rows import MAE, QUIET, Row, Suite, bars, curve, of_paper
from onekcal.bench.curves import power_law
from onekcal.show.plots import ACCENT, CURVES, FAINT, INK, SECOND, canvas, decades, dressed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HIPNN_60 = {60: 0.261}
"""HIP-NN paper, table II: features → MAE, kcal/mol. No suite holds this width."""
HIPNN_SMALLER = {50_000: 0.354, 100_000: 0.261}
"""The same paper, table I: training and validation molecules → MAE, kcal/mol, with 80 features. No
suite holds these sizes.
"""
PAPERS_SIZE = 110_426
"""Training and validation molecules of table II."""
OURS = 11_000
"""Training and validation molecules of our rows."""
HIPNN_GROWING = {
    n + 1_000: f"QM9, 5 features, the paper's protocol, N = {n:,}" for n in (1_000, 3_000, 10_000)
}
"""Training and validation molecules → our rows by the paper's protocol."""
HIPNN_TRAJECTORIES = ("benzene", "malonaldehyde", "salicylic", "toluene")
"""Molecules of the HIP-NN paper's table III: energies of 1,000 frames."""
COUNTS = (100, 1_000, 10_000)
"""Training molecules of the AtomCloudNet paper's table 1."""
ATOMCLOUD = (3, 4, 5)
"""Radii of the same table, Å."""
KERNELS = {"CM": "CM, Laplacian, dressed atoms", "SLATM": "SLATM, Gaussian, plain"}
"""Kernels of the same table → the rows that hold their errors."""
QM7_ROWS = (
    "eigenvalues / linear",
    "eigenvalues / nearest neighbours",
    "eigenvalues / kernel ridge",
    "eigenvalues / support vectors",
    "sorted matrix / ridge",
    "sorted matrix / nearest neighbours",
    "sorted matrix / kernel ridge",
    "sorted matrix / support vectors",
)
QM7_NETWORKS = (
    "MLP, eigenvalues",
    "MLP, sorted matrix",
    "MLP, random matrix",
    "custom GNN 1",
    "custom GNN 2",
    "custom GNN 3",
    "DimeNet++, small",
    "DimeNet++, published size",
)


def hipnn_widths(results: Path) -> Figure:
    """Draw HIP-NN's tables I and II: the error against features and against molecules.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    suite, figure = Suite(results, "hipnn-tables"), canvas(9.6, 4.1)
    widths, sizes = _papers_widths(), HIPNN_SMALLER | {PAPERS_SIZE: _papers_widths()[80]}
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.set(xscale="log", yscale="log")
    ours = suite.some({n: f"QM9, {n} features, fast recipe" for n in (5, 10, 20, 40)})
    curve(
        left,
        {n: row.mae for n, row in ours.items()},
        "onekcal, 10,000 molecules",
        0,
        spreads=[row.spread for row in ours.values()],
    )
    curve(left, widths, "paper, 110,426 molecules", 1, paper=True)
    for k, (n, row) in enumerate(ours.items()):
        curve(right, {OURS: row.mae}, f"onekcal, {n} features", k)
    grown = {n: row.mae for n, row in suite.some(HIPNN_GROWING).items()}
    curve(right, grown, "onekcal, 5 features, the paper's protocol", 5)
    last = PAPERS_SIZE
    if law := power_law(
        {n - 1_000: mae for n, mae in grown.items()}
    ):  # of the training molecules alone
        (a, b), ends = law, [max(grown), last]
        right.plot(
            ends,
            [a * (n - 1_000) ** -b for n in ends],
            color=CURVES[5],
            lw=1,
            ls=":",
            label="extrapolated",
        )
    curve(right, {last: widths[5]}, "paper, 5 features", 5, paper=True)
    curve(right, sizes, "paper, 80 features", 4, paper=True)
    dressed(left, "HIP-NN on QM9: features", "features", MAE).legend(frameon=False, fontsize=9)
    dressed(right, "… and molecules", "training and validation molecules", "").legend(
        frameon=False, fontsize=9
    )
    left.set_xticks(list(widths), [str(n) for n in widths])
    left.set_xticks([], minor=True)
    right.set_xlim(1_500, 150_000)
    decades(right.xaxis, (2_000, 100_000))
    for axes in (left, right):
        decades(axes.yaxis, [*widths.values(), *(row.mae for row in ours.values())])
    return suite.finish(figure)


def _papers_widths() -> dict[int, float]:
    """The HIP-NN paper's table II: features → MAE (kcal/mol), in the order of the features."""
    rows = {n: f"QM9, {n} features, N = 109,426, fast recipe" for n in (5, 10, 20, 40, 80)}
    return dict(sorted((HIPNN_60 | of_paper("hipnn-qm9", rows)).items()))


def hipnn_trajectories(results: Path) -> Figure:
    """Draw HIP-NN's table III: energies of MD17 from 1,000 frames, in two protocols.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    suite, figure = Suite(results, "hipnn-tables"), canvas(7.6, 3.9)
    axes, names = figure.subplots(), HIPNN_TRAJECTORIES
    rows = {name: f"MD17 {name}, energies of 1,000 frames, the paper's protocol" for name in names}
    paper = of_paper("hipnn-tables", rows)
    bars(axes, names, list(paper.values()), "paper", -1, 0.27, FAINT)
    for place, (recipe, color) in enumerate(
        (("the paper's protocol", ACCENT), ("fast recipe", SECOND))
    ):
        found = [suite.row(f"MD17 {name}, energies of 1,000 frames, {recipe}") for name in names]
        bars(
            axes,
            names,
            [row.mae if row else None for row in found],
            f"onekcal, {recipe}",
            place,
            0.27,
            color,
        )
    dressed(axes, "HIP-NN on MD17: energies of 1,000 frames", "", MAE).legend(frameon=False)
    axes.grid(False, axis="x")
    return suite.finish(figure)


def atomcloud_learning_curves(results: Path) -> Figure:
    """Draw AtomCloudNet's figure 4 and table 1: the error against molecules and radius.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    suite, figure = Suite(results, "atomcloud"), canvas(9.6, 4.3)
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.set_yscale("log")
    left.set_xscale("log")
    table = {
        radius: {count: f"r = {radius} Å, N = {count:,}" for count in COUNTS}
        for radius in ATOMCLOUD
    }
    papers = {radius: of_paper("atomcloud", rows) for radius, rows in table.items()}
    drawn = [value for values in papers.values() for value in values.values()]
    for k, (radius, rows) in enumerate(table.items()):
        ours = suite.some(rows)
        curve(left, {count: row.mae for count, row in ours.items()}, f"onekcal, {radius} Å", k)
        curve(left, papers[radius], f"paper, {radius} Å", k, paper=True)
        drawn += [row.mae for row in ours.values()]
    longer = suite.some({10_000: "r = 3 Å, N = 10,000, three times as long"})
    curve(
        left, {count: row.mae for count, row in longer.items()}, "onekcal, 3 Å, trained longer", 3
    )
    for k, count in enumerate(COUNTS):
        ours = suite.some({radius: f"r = {radius} Å, N = {count:,}" for radius in range(1, 6)})
        curve(
            right, {radius: row.mae for radius, row in ours.items()}, f"onekcal, N = {count:,}", k
        )
        curve(
            right,
            {radius: errors[count] for radius, errors in papers.items()},
            f"paper, N = {count:,}",
            k,
            paper=True,
        )
        drawn += [row.mae for row in ours.values()]
    dressed(left, "AtomCloudNet on QM9", "training molecules", MAE).legend(
        frameon=False, fontsize=8, ncols=2, loc="lower left"
    )
    dressed(right, "The same against the radius", "radius (Å)", "").legend(
        frameon=False, fontsize=8, ncols=2
    )
    decades(left.xaxis, COUNTS)
    for axes in (left, right):
        decades(axes.yaxis, drawn)
    right.set_xticks(range(1, 6))
    right.set_ylim(top=2.5 * right.get_ylim()[1])  # room for the names
    left.set_ylim(bottom=left.get_ylim()[0] / 6)
    return suite.finish(figure)


def kernel_learning_curves(results: Path) -> Figure:
    """Draw AtomCloudNet's kernels (table 1) and ours on QM9, with the slopes b of MAE = a/N^b.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    suite, figure = Suite(results, "qm9-kernels"), canvas(8.4, 4.8)
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log")
    lines = (
        "CM, Laplacian, dressed atoms",
        "SLATM, Gaussian, plain",
        "FCHL19, dressed atoms",
        "FCHL19, GFN2-xTB + dressed atoms",
    )
    drawn: list[float] = []
    for k, (name, row) in enumerate(KERNELS.items()):
        points = of_paper("qm9-kernels", {n: f"N = {n:,}, {row}" for n in COUNTS})
        drawn += points.values()
        curve(axes, points, f"paper: {name}{_slope(points)}", k, paper=True)
    for k, line in enumerate(lines):
        rows = suite.some({count: f"N = {count:,}, {line}" for count in COUNTS})
        points = {count: row.mae for count, row in rows.items()}
        drawn += points.values()
        curve(axes, points, line + _slope(points), k, spreads=[row.spread for row in rows.values()])
    axes.axhline(1, color=QUIET, lw=1, ls=":")
    dressed(axes, "Kernels on QM9, 10,000 test molecules", "training molecules", MAE)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    decades(axes.xaxis, COUNTS)
    decades(axes.yaxis, drawn)
    return suite.finish(figure)


def _slope(points: dict[int, float]) -> str:
    law = power_law(points)
    return f", b = {law[1]:.2f}" if law else ""


def qm7_methods(results: Path) -> Figure:
    """Draw the QM7 study's tables: the error of every method, the study's beside ours.

    Networks appear when they are measured. Their bars are ours by one recipe; those by the
    study's own protocol stand apart.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    suite = Suite(results, "qm7-classical")
    found = suite.some({name: name for name in QM7_ROWS})
    theirs: dict[str, Row] = {}
    if (results / "qm7-networks.json").is_file():
        networks = Suite(results, "qm7-networks")
        found |= networks.some({f"{name} (fold 0)": f"{name}, fold 0" for name in QM7_NETWORKS})
        theirs = networks.some(
            {
                f"{name} (fold 0)": f"{name}, fold 0, the study's protocol"
                for name in QM7_NETWORKS[:-2]
            }
        )
    figure = canvas(7.6, 1.3 + 0.42 * max(len(found), 1))
    axes, names = figure.subplots(), list(found)
    places = np.arange(len(names))
    _ranked(axes, places - 0.27, [row.paper for row in found.values()], "the study", FAINT)
    _ranked(axes, places, [row.mae for row in found.values()], "onekcal", ACCENT)
    at = [names.index(name) for name in theirs if name in found]
    _ranked(
        axes,
        places[at] + 0.27,
        [theirs[names[k]].mae for k in at],
        "onekcal, the study's protocol",
        SECOND,
    )
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(right=1.12 * axes.get_xlim()[1])  # room for the values
    dressed(axes, "QM7", MAE).legend(
        frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), fontsize=9
    )
    axes.grid(False, axis="y")
    return suite.finish(figure)


def _ranked(
    axes: Axes, places: np.ndarray, values: list[float | None], label: str, color: str
) -> None:
    """Bars to the right, with their values."""
    axes.barh(places, [value or 0.0 for value in values], 0.26, color=color, label=label)
    for y, value in zip(places, values):
        axes.annotate(
            "–" if value is None else f"{value:.2f}",
            (value or 0.0, y),
            xytext=(4, 0),
            va="center",
            fontsize=7,
            textcoords="offset points",
            color=INK,
        )
