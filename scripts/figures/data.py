"""The SchNet milestone's figures of data: energies and forces and how they are spread, a molecule,
data beside answers.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onekcal.errors import DataError, InputError
from onekcal.show.plots import ACCENT, INK, SECOND, canvas, dressed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from onekcal.data.dataset import Dataset

BINS = 80


def energy_distribution(dataset: Dataset, name: str = "") -> Figure:
    """Draw the milestone's figures 1 and 2: energies about their mean, with a Gaussian.

    Parameters
    ----------
    dataset
        Molecules aimed at an energy.
    name
        What the data are called in the title.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    energies = dataset.energies.numpy()
    mean, deviation = float(energies.mean()), float(energies.std())
    figure = canvas(6.2, 3.8)
    axes = figure.subplots()
    heights, edges = np.histogram(energies - mean, bins=BINS)
    axes.stairs(heights, edges, fill=True, color=ACCENT)
    middle = np.linspace(edges[0], edges[-1], 300)
    area = heights.sum() * (edges[1] - edges[0])
    axes.plot(
        middle,
        area * np.exp(-0.5 * (middle / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi)),
        color=SECOND,
        lw=2,
        label=f"Gaussian, σ = {deviation:.2f} kcal/mol",
    )
    axes.legend(frameon=False, fontsize=9)
    dressed(axes, f"{name}: {len(energies):,} energies", _about(mean), "frames")
    return figure


def force_distributions(dataset: Dataset, name: str = "") -> Figure:
    """Draw the milestone's figure 3: the x, y and z components of all forces.

    Parameters
    ----------
    dataset
        Molecules aimed at an energy with forces.
    name
        What the data are called in the title.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    if dataset.forces is None:
        raise InputError(
            f"{name or 'the data set'} has no forces to draw; take one of MD17 or rMD17"
        )
    forces = dataset.forces.numpy()
    reach = float(np.quantile(np.abs(forces), 0.995))
    figure = canvas(9.2, 3.2)
    for k, axes in enumerate(figure.subplots(1, 3, sharey=True)):
        heights, edges = np.histogram(forces[:, k], bins=BINS, range=(-reach, reach))
        axes.stairs(heights, edges, fill=True, color=SECOND)
        axes.yaxis.set_major_formatter("{x:,.0f}")
        dressed(axes, f"{name}: {'xyz'[k]}", "force (kcal/mol/Å)", "components" if k == 0 else "")
    return figure


def molecule_with_forces(dataset: Dataset, row: int = 0, name: str = "") -> Figure:
    """Draw the milestone's figure 4: a frame in space with its forces as arrows.

    Parameters
    ----------
    dataset
        Molecules aimed at an energy with forces.
    row
        The frame, from 0.
    name
        What the data are called in the title.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    from onekcal.show.render.still import pictures

    if dataset.forces is None:
        raise InputError(
            f"{name or 'the data set'} has no forces to draw; take one of MD17 or rMD17"
        )
    one = dataset[[row]]
    assert one.forces is not None
    figure = canvas(6.0, 4.6)
    axes = figure.subplots()
    axes.imshow(pictures(one.molecules, 900, one.forces.numpy())[0])
    axes.set_axis_off()
    largest = float(one.forces.norm(dim=1).max())
    axes.set_title(
        f"{name}: {_signed(float(one.energies[0]))} kcal/mol, largest force {largest:.0f} "
        "kcal/mol/Å",
        loc="left",
        fontsize=11,
        color=INK,
    )
    return figure


def predicted_distribution(run: Path, name: str = "") -> Figure:
    """Draw the milestone's figure 5: reference and predicted energies of test molecules.

    Parameters
    ----------
    run
        The folder of a finished run.
    name
        What the data are called in the title.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    reference, predicted = answers(run)
    low, high = (
        np.quantile(np.concatenate([reference, predicted]), [0.001, 0.999]) - reference.mean()
    )
    edges = np.linspace(low, high, BINS + 1)
    figure = canvas(6.2, 3.8)
    axes = figure.subplots()
    for values, color, label in ((reference, ACCENT, "data"), (predicted, SECOND, "model")):
        heights, _ = np.histogram(values - reference.mean(), bins=edges)
        axes.stairs(
            heights,
            edges,
            fill=True,
            color=color,
            alpha=0.6,
            label=f"{label}, σ = {values.std():.2f} kcal/mol",
        )
    error = float(np.abs(predicted - reference).mean())
    axes.legend(frameon=False, fontsize=9)
    dressed(
        axes,
        f"{name}: {len(reference):,} test energies, MAE {error:.2f} kcal/mol",
        _about(float(reference.mean())),
        "energies",
    )
    return figure


def answers(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the reference and predicted energies of a run's test molecules.

    Parameters
    ----------
    run
        The folder of a finished run.

    Returns
    -------
    tuple of ndarray
        (M,) each, kcal/mol.

    Raises
    ------
    DataError
        When the folder is no finished run.
    """
    path = run / "predictions.csv"
    if not path.is_file():
        raise DataError(f"no {path.name} in {run}; give the folder of a finished run")
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    reference, predicted = (
        np.array([float(line[key]) for line in lines]) for key in ("reference", "predicted")
    )
    return reference, predicted


def _about(mean: float) -> str:
    return f"energy − mean (kcal/mol); the mean is {_signed(mean)}"


def _signed(energy: float) -> str:
    return f"{energy:,.1f}".replace("-", "−")
