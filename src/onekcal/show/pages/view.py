"""Molecules to turn and trajectories to play: an HTML file that needs no network, PNG or GIF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onekcal.data.dataset import Dataset
from onekcal.errors import InputError, unknown
from onekcal.show.endings import HTML, writable
from onekcal.show.pages import embed, packed
from onekcal.system.files import whole_file

FRAMES = 100
"""The most molecules that are shown by default."""
PAUSE = 80
"""Milliseconds between the frames of a GIF."""
PIXELS = 640


def frames_of(dataset: Dataset, count: int = FRAMES) -> list[int]:
    """Choose rows, evenly spaced and in order.

    Parameters
    ----------
    dataset
        The molecules.
    count
        The most rows.

    Returns
    -------
    list of int
        The rows.
    """
    if count < 1:
        raise InputError(f"`frames` must be at least 1, got {count}")
    return np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int).tolist()


def with_energy(dataset: Dataset, energy: str | None = None) -> Dataset:
    """Aim a data set at an energy.

    Parameters
    ----------
    dataset
        The molecules with their columns.
    energy
        The energy column; None: the first that has forces, or the first of all.

    Returns
    -------
    Dataset
        The same molecules; without a target where they have no energy.
    """
    energies = [name for name, column in dataset.columns.items() if column.quantity == "energy"]
    if energy is not None and energy not in energies:
        unknown("energy column", energy, energies)
    if energy is None:
        energy = next(
            (name for name in energies if f"{name}_forces" in dataset.columns),
            energies[0] if energies else None,
        )
    return Dataset(dataset.molecules, dataset.columns, energy)


def html(dataset: Dataset, rows: Sequence[int], title: str) -> str:
    """Make the page of molecules, with their forces (kcal/mol/Å) and energies (kcal/mol).

    Parameters
    ----------
    dataset
        The molecules, aimed at an energy where they have one.
    rows
        Those that are shown.
    title
        The title of the page.

    Returns
    -------
    str
        HTML that needs no network.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    some = _some(dataset, rows)
    aimed = some.target is not None
    forces = some.forces if aimed else None
    sizes = some.molecules.sizes
    alike = (
        bool(
            (some.molecules.numbers.view(len(rows), -1) == some.molecules.numbers[: sizes[0]]).all()
        )
        if (sizes == sizes[0]).all()
        else False
    )
    data = {
        "rows": list(rows),
        "names": [name or f"molecule {row}" for name, row in zip(some.molecules.names, rows)],
        "molecules": packed.molecules(some.molecules),
        "elements": packed.elements(),
        "alike": alike,
        "energy": some.target,
        "forces": None if forces is None else packed.floats(forces.numpy()),
        "energies": packed.floats(some.energies.numpy()) if aimed else None,
    }
    traced = aimed and len(rows) > 1
    formulas = sorted(set(some.molecules.formulas))
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        embed.part("view.html")
    )
    return page.render(
        title=title,
        count=len(rows),
        has_forces=forces is not None,
        has_trace=traced,
        energy=f"{some.target}: {some.columns[some.target].kind} energy (kcal/mol)"
        if some.target
        else "",
        summary=f"{len(rows)} of {len(dataset)} molecules · {formulas[0]}"
        + (f" and {len(formulas) - 1} other formulas" if len(formulas) > 1 else ""),
        part=lambda name: Markup(embed.part(name)),
        data=Markup(embed.as_json(data)),
    )


def _some(dataset: Dataset, rows: Sequence[int]) -> Dataset:
    if not len(rows):
        raise InputError("nothing to show: no molecule was chosen")
    return dataset[list(rows)]


def save(dataset: Dataset, rows: Sequence[int], path: Path, title: str) -> None:
    """Write a view of molecules, whole or not at all.

    Parameters
    ----------
    dataset
        The molecules.
    rows
        Those that are shown.
    path
        .html, .png (the first of the rows) or .gif (all of them).
    title
        The title of the page.
    """
    kind = path.suffix.lower()
    writable(path, "a view", (*HTML, ".png", ".gif"))
    with whole_file(path) as part:
        if kind in HTML:
            part.write_text(html(dataset, rows, title), encoding="utf-8")
        else:
            _pictures(_some(dataset, rows[:1] if kind == ".png" else rows), part, kind[1:])


def _pictures(some: Dataset, path: Path, kind: str) -> None:
    """Balls and sticks from the side where the first molecule is broadest, in one frame."""
    from PIL import Image

    from onekcal.show.render.still import pictures

    drawn = pictures(some.molecules, PIXELS, _pulls(some))
    frames = [Image.fromarray((255 * pixels).round().astype(np.uint8)) for pixels in drawn]
    if kind == "png":
        frames[0].save(path, format="PNG")
    else:
        frames[0].save(
            path, format="GIF", save_all=True, append_images=frames[1:], duration=PAUSE, loop=0
        )


def _pulls(some: Dataset) -> npt.NDArray[np.float64] | None:
    """(A, 3) forces, 0 where a frame has none; None where the data have no forces."""
    forces = None if some.target is None else some.forces
    return None if forces is None else np.nan_to_num(forces.numpy())
