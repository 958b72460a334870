"""The picture of a run: predicted against reference, and the distribution of the errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

INK, ACCENT, FAINT = "#1b2733", "#0b6e99", "#c9d3da"


def parity_png(
    path: Path,
    reference: np.ndarray,
    predicted: np.ndarray,
    title: str = "",
    unit: str = "kcal/mol",
    of: str = "molecules",
) -> None:
    """Draw a parity plot and the distribution of errors into a PNG file.

    Parameters
    ----------
    path
        The file.
    reference, predicted
        (M,) values in `unit`.
    title
        The title of the picture.
    unit
        The unit of the values.
    of
        What the values belong to: "molecules" or "atoms".
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    error = predicted - reference
    figure = Figure(figsize=(9.2, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.15])
    ends = [min(reference.min(), predicted.min()), max(reference.max(), predicted.max())]
    left.plot(ends, ends, color=FAINT, lw=1.5, zorder=0)
    left.scatter(reference, predicted, s=9, color=ACCENT, alpha=0.6, linewidths=0)
    left.set(xlabel=f"reference  ({unit})", ylabel=f"predicted  ({unit})")
    left.set_aspect("equal", adjustable="datalim")
    left.locator_params(nbins=5)
    reach = max(float(np.quantile(np.abs(error), 0.99)), 1e-6)
    bins = int(np.clip(2 * np.sqrt(len(error)), 9, 61))
    outside = int((np.abs(error) > reach).sum())
    right.hist(
        np.clip(error, -reach, reach), bins=bins, range=(-reach, reach), color=ACCENT, alpha=0.85
    )
    if unit == "kcal/mol" and reach > 1:
        right.axvspan(-1, 1, color=FAINT, alpha=0.5, zorder=0, label="±1 kcal/mol")
        right.legend(frameon=False, loc="upper right")
    more = f", {outside} beyond the edges" if outside else ""
    digits = ".2f" if unit == "kcal/mol" else ".3g"
    mean, median = (
        format(value, digits) for value in (np.abs(error).mean(), np.median(np.abs(error)))
    )
    right.set(
        xlabel=f"predicted − reference  ({unit})",
        ylabel=of,
        title=f"MAE {mean}, median {median}{more}",
    )
    right.yaxis.get_major_locator().set_params(integer=True)
    if title:
        left.set_title(title)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK)
    figure.savefig(path, dpi=140)
