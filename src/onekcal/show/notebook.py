"""The pages of `onekcal show` in a notebook: frames with everything inside, so that no style leaks and no network is needed.

from onekcal.show.notebook import show
show("CCO", field="lol")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from onekcal.errors import InputError

if TYPE_CHECKING:
    from onekcal.data.dataset import Dataset
    from onekcal.molecules import Molecules

HEIGHTS = {"run": 900, "molecules": 780, "trace": 1060, "field": 860}
"""Pixels of the frame."""


@dataclass(frozen=True)
class Page:
    """A page that a notebook shows where it is the value of a cell."""

    html: str
    title: str
    height: int = HEIGHTS["molecules"]

    def _repr_html_(self) -> str:
        """The whole page in a frame of its own, which may run its scripts and nothing else."""
        return (
            f'<iframe title="{escape(self.title)}" sandbox="allow-scripts" srcdoc="{escape(self.html)}" '
            f'style="width:100%;height:{self.height}px;border:0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"Page({self.title!r}, {len(self.html) / 2**20:.1f} MiB)"

    def save(self, path: str | Path) -> None:
        """The same page as a file."""
        Path(path).write_text(self.html, encoding="utf-8")


def show(
    source: str | Path | Molecules | Dataset | Sequence[str | Path],
    *,
    frames: int = 100,
    energy: str | None = None,
    field: str | None = None,
    density: str | None = None,
    grid: int = 14,
    level: Sequence[float] | None = None,
) -> Page:
    """What `onekcal show` makes of run folders, a SMILES, a file or a data set's name; also of molecules in memory."""
    if isinstance(source, (list, tuple)):
        return _runs([Path(one) for one in source])
    if isinstance(source, (str, Path)):
        from onekcal.show.pages import voxels
        from onekcal.show.sources import dataset_of, is_field, is_run, portraits_of

        if is_run(str(source)):
            return _runs([Path(source)])
        if field is not None or is_field(str(source)):
            found, title = portraits_of(str(source), 0, field, density, grid)
            return Page(voxels.page(found, title, level), title, HEIGHTS["field"])
        return _view(*dataset_of(str(source), energy), frames)
    if field is not None:
        return _field(source, field, density, grid, level)
    return _view(_dataset(source, energy), "", frames)


def _dataset(source: object, energy: str | None = None) -> Dataset:
    from onekcal.data.dataset import Dataset
    from onekcal.molecules import Molecules
    from onekcal.show.pages.view import with_energy

    if isinstance(source, Molecules):
        source = Dataset(source)
    if not isinstance(source, Dataset):
        raise InputError(
            f"a run, a SMILES, a file, molecules or a data set can be shown, got {type(source).__name__}"
        )
    return with_energy(source, energy)


def _view(dataset: Dataset, title: str, frames: int) -> Page:
    from onekcal.show.pages import view

    rows = view.frames_of(dataset, frames)
    title = title or " · ".join(sorted(set(dataset.molecules.formulas))[:3])
    traced = dataset.target is not None and len(rows) > 1
    return Page(view.html(dataset, rows, title), title, HEIGHTS["trace" if traced else "molecules"])


def _field(
    source: object, kinds: str, density: str | None, grid: int, level: Sequence[float] | None
) -> Page:
    from onekcal.show.pages import voxels
    from onekcal.show.sources import portrayed

    found, title = portrayed(_dataset(source).molecules[0], kinds, density, grid)
    return Page(voxels.page(found, title, level), title, HEIGHTS["field"])


def _runs(folders: list[Path]) -> Page:
    from onekcal.show.pages.report import page

    html, title = page(folders)
    return Page(html, title, HEIGHTS["run"])
