"""Fields as Gaussian's .cube files, which every molecular viewer opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onekcal.molecules import Molecules
from onekcal.system.files import whole_file
from onekcal.units import BOHR


def write_cube(path: Path, placed: Molecules, values: np.ndarray, box: float, title: str) -> None:
    """Write one field and its molecule. Lengths in the file are Bohr.

    Parameters
    ----------
    path
        The file.
    placed
        One molecule in the coordinates of the cube.
    values
        (n, n, n) the field.
    box
        Å, the length of an edge.
    title
        The first line of the file.
    """
    n = len(values)
    step = box / n / BOHR
    corner = -box / 2 / BOHR + step / 2  # a value belongs to the centre of its voxel
    lines = [title.replace("\n", " "), "onekcal; z fastest"]
    lines.append(f"{len(placed.numbers):5d}" + 3 * f"{corner:12.6f}")
    for axis in range(3):
        lines.append(f"{n:5d}" + "".join(f"{step if k == axis else 0.0:12.6f}" for k in range(3)))
    for charge, place in zip(placed.numbers.tolist(), (placed.positions / BOHR).tolist()):
        lines.append(f"{charge:5d}{charge:12.6f}" + "".join(f"{x:12.6f}" for x in place))
    for row in values.reshape(n * n, n):
        lines += ["".join(f"{value:13.5E}" for value in row[k : k + 6]) for k in range(0, n, 6)]
    with whole_file(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
