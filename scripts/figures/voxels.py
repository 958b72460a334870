"""Figures 4 to 8 of the 3D-DenseNet paper, from results/voxels.json.

The paper's own point stands where its text has the number.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from figures.rows import MAE, Row, Suite, bars, curve, of_paper
from onekcal.show.plots import ACCENT, canvas, decades, dressed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Curves = dict[str, dict[int, Row]]

SUITE = "voxels"
GRIDS, KINDS = (12, 14, 16), ("LOL", "ELF", "NEP")
COUNTS, COMMON = (500, 1_000, 2_000, 4_000), 1_000
"""Training molecules of figure 5, and those of figure 4, whose row stands in both."""
PAPERS_SIZE = 25_000
"""The paper's training molecules, section 3.2; its error is that of LOL and NEP alike, with dense
blocks (16, 16).
"""
FIRST_BLOCK, SECOND_BLOCK, DOUBLED = (
    ((1, 5), (3, 3), (5, 1)),
    ((1, 2), (2, 2), (4, 2)),
    ((1, 1), (2, 2), (4, 4)),
)
"""Dense blocks (d₁, d₂): with d₁ + d₂ = 6, with d₂ = 2, and doubled."""
DENSITIES = {
    "one-shot, 6-31G": "of one-shot, 6-31G",
    "GFN2-xTB": "of GFN2-xTB",
    "HF/6-31G": "of Hartree–Fock/6-31G",
    "B3LYP/6-31G": "of B3LYP/6-31G",
    "B3LYP/6-31G,\n60 molecules": "of B3LYP/6-31G, 60 training molecules",
    "B3LYP/6-31G(2df,p),\n60 molecules": "of B3LYP/6-31G(2df,p), 60 training molecules",
}
INPUTS = {
    **{kind: f"figure 4, {kind}, N = 14" for kind in KINDS},
    "LOL + NEP": "figure 8, LOL + NEP",
    "ELF + LOL": "figure 8, ELF + LOL",
    "ELF + LOL\n+ NEP": "figure 8, ELF + LOL + NEP",
    "atoms in\nvoxels": "sparse, atoms in voxels, a channel an element",
    "Gaussians": "sparse, Gaussians on atoms, a channel an element",
    "waves": "sparse, waves on atoms, a channel an element",
    "no network": "dressed atoms alone, no network",
    "FCHL19\nkernel": "the kernel of qm9-g4mp2, on the same molecules",
}


def voxel_grids(results: Path) -> Figure:
    """Draw figure 4: the error and the time of an epoch against the grid length N.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    suite, figure = Suite(results, SUITE), canvas(8.8, 3.8)
    found = {kind: suite.some({n: f"figure 4, {kind}, N = {n}" for n in GRIDS}) for kind in KINDS}
    left, right = figure.subplots(1, 2)
    _errors(left, found, "(a) finer grids", "voxels along an edge, N")
    _seconds(right, found, "(b) and what they cost", "voxels along an edge, N")
    for axes in (left, right):
        axes.set_xticks(GRIDS)
    return suite.finish(figure)


def voxel_sizes(results: Path) -> Figure:
    """Draw figure 5: the error against the number of training molecules.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    suite, figure = Suite(results, SUITE), canvas(6.2, 3.9)
    names = {n: "figure 5, {}, " + f"{n:,} training molecules" for n in COUNTS} | {
        COMMON: "figure 4, {}, N = 14"
    }
    found = {
        kind: suite.some({n: name.format(kind) for n, name in names.items()})
        for kind in ("LOL", "NEP")
    }
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log")
    paper = of_paper("g4mp2", {PAPERS_SIZE: "N = 25,000, Δ(B3LYP)"})
    curve(axes, paper, "paper, (16, 16)", 3, paper=True)
    _errors(axes, found, "More molecules", "training molecules")
    axes.set_xticks([*COUNTS, *paper], [f"{n:,}" for n in (*COUNTS, *paper)])
    axes.set_xticks([], minor=True)
    decades(
        axes.yaxis,
        [*paper.values(), *(row.mae for rows in found.values() for row in rows.values())],
    )
    return suite.finish(figure)


def voxel_depths(results: Path) -> Figure:
    """Draw figure 6: errors and times of dense blocks (d₁, d₂).

    d₁ + d₂ is fixed in (a), d₂ is fixed in (b, c), and both are doubled in (d, e).

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    suite, figure = Suite(results, SUITE), canvas(9.6, 6.2)
    a, b, d = (
        suite.some(
            {k: f"figure 6, LOL, dense blocks ({one},{two})" for k, (one, two) in enumerate(blocks)}
        )
        for blocks in (FIRST_BLOCK, SECOND_BLOCK, DOUBLED)
    )
    panels = figure.subplot_mosaic([["a", "b", "d"], [".", "c", "e"]])
    _errors(panels["a"], {"": a}, "(a) d₁ + d₂ = 6", "")
    _errors(panels["b"], {"": b}, "(b) d₂ = 2", "")
    _errors(panels["d"], {"": d}, "(d) doubled", "")
    _seconds(panels["c"], {"": b}, "(c) time of (b)", "(d₁, d₂)")
    _seconds(panels["e"], {"": d}, "(e) time of (d)", "(d₁, d₂)")
    for name, blocks in (
        ("a", FIRST_BLOCK),
        ("b", SECOND_BLOCK),
        ("c", SECOND_BLOCK),
        ("d", DOUBLED),
        ("e", DOUBLED),
    ):
        panels[name].set_xticks(range(len(blocks)), [f"({one}, {two})" for one, two in blocks])
    return suite.finish(figure)


def voxel_densities(results: Path) -> Figure:
    """Draw figure 7: LOL of several densities of the same molecules.

    The largest basis has fewer molecules.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    names = {name: f"figure 7, LOL {end}" for name, end in DENSITIES.items()}
    return _bars(results, names, "Where the density comes from", 9.6)


def voxel_inputs(results: Path) -> Figure:
    """Draw figure 8: one field, several as channels, sparse inputs, and models without fields.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    return _bars(results, INPUTS, "What a network is shown", 10.6)


def _bars(results: Path, names: dict[str, str], title: str, width: float) -> Figure:
    suite, figure = Suite(results, SUITE), canvas(width, 3.9)
    found, axes = suite.some(names), figure.subplots()
    bars(
        axes,
        list(found),
        [row.mae for row in found.values()],
        "",
        0,
        0.6,
        ACCENT,
        [row.spread for row in found.values()],
    )
    dressed(axes, title, "", MAE).grid(False, axis="x")
    return suite.finish(figure)


def _errors(axes: Axes, found: Curves, title: str, across: str) -> None:
    for k, (name, rows) in enumerate(found.items()):
        curve(
            axes,
            {x: row.mae for x, row in rows.items()},
            name,
            k,
            spreads=[row.spread for row in rows.values()],
        )
    _named(dressed(axes, title, across, MAE))


def _seconds(axes: Axes, found: Curves, title: str, across: str) -> None:
    for k, (name, rows) in enumerate(found.items()):
        curve(axes, {x: row.seconds for x, row in rows.items()}, name, k)
    axes.set_ylim(bottom=0)
    _named(dressed(axes, title, across, "seconds an epoch"))


def _named(axes: Axes) -> None:
    if any(axes.get_legend_handles_labels()[1]):
        axes.legend(frameon=False, fontsize=9)
