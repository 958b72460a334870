"""The pages of `onekcal show` in a notebook.

Each is a frame that holds its whole page: its style does not leak, and it needs no network.

    from onekcal.show.notebook import show

    show("CCO", field="lol")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from onekcal.show.pages import report, view, voxels
from onekcal.show.subject import FRAMES, Fields, Runs, Wish, subject

if TYPE_CHECKING:
    from onekcal.data.dataset import Dataset
    from onekcal.molecules import Molecules

HEIGHTS = {"run": 900, "molecules": 780, "trace": 1060, "field": 860}
"""Pixels of the frame."""


@dataclass(frozen=True)
class Page:
    """A page that a notebook shows when it is the value of a cell.

    Parameters
    ----------
    html
        The whole page.
    title
        The title of the frame.
    height
        The height of the frame, in pixels.
    """

    html: str
    title: str
    height: int = HEIGHTS["molecules"]

    def _repr_html_(self) -> str:
        """The whole page in a frame of its own, which may run its scripts and nothing else."""
        return (
            f'<iframe title="{escape(self.title)}" sandbox="allow-scripts" '
            f'srcdoc="{escape(self.html)}" '
            f'style="width:100%;height:{self.height}px;border:0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"Page({self.title!r}, {len(self.html) / 2**20:.1f} MiB)"

    def save(self, path: str | Path) -> None:
        """Write the same page to a file.

        Parameters
        ----------
        path
            The file.
        """
        Path(path).write_text(self.html, encoding="utf-8")


def show(
    source: str | Path | Molecules | Dataset | Sequence[str | Path],
    *,
    frames: int = FRAMES,
    energy: str | None = None,
    field: str | None = None,
    density: str | None = None,
    grid: int = 14,
    level: Sequence[float] | None = None,
) -> Page:
    """Show in a notebook what `onekcal show` writes to a file; also molecules in memory.

    Parameters
    ----------
    source
        Run folders; or one SMILES, file, name of a data set, `Molecules` or `Dataset`.
    frames
        The most molecules that are shown, evenly spaced.
    energy
        The energy column that is shown, with its forces.
    field
        Kinds of fields with commas between them, such as "lol,nep".
    density
        Where the electrons of the fields come from; None: gfn2.
    grid
        Voxels along an edge of the cube.
    level
        Values at which surfaces are drawn.

    Returns
    -------
    Page
        The value of a cell; it needs no network.
    """
    found = subject(source, Wish(None, frames, energy, field, density, grid))
    if isinstance(found, Runs):
        html, title = report.page(found.folders)
        return Page(html, title, HEIGHTS["run"])
    if isinstance(found, Fields):
        html = voxels.page(found.portraits, found.title, level)
        return Page(html, found.title, HEIGHTS["field"])
    traced = found.dataset.target is not None and len(found.rows) > 1
    html = view.html(found.dataset, found.rows, found.title)
    return Page(html, found.title, HEIGHTS["trace" if traced else "molecules"])
