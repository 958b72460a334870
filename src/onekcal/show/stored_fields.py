"""Read fields from files: .cube files of any program, and our own HDF5."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from onekcal.errors import DataError, InputError
from onekcal.fields.kinds import channels
from onekcal.fields.portrait import MOST, Portrait
from onekcal.fields.voxel_file import REMEDY, THERE, open_file
from onekcal.molecules import Molecules
from onekcal.system.files import damage_refused
from onekcal.system.hdf5 import word
from onekcal.units import BOHR

EQUAL = 1e-3
"""Å by which the edges of a cube may differ, because its file has few digits."""


def holds_fields(path: Path) -> bool:
    """Tell whether a file is a .cube or an HDF5 file of fields.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    bool
        True for such a file.
    """
    if path.suffix.lower() in (".cube", ".cub"):
        return True
    if path.suffix.lower() != ".h5" or not path.is_file():
        return False
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            return "contents" in file.attrs
    except OSError:
        return False


def portraits_in(path: Path, row: int = 0) -> tuple[list[Portrait], str]:
    """Read the fields of a molecule from a file.

    Parameters
    ----------
    path
        A .cube or an HDF5 file of fields.
    row
        The molecule, from 0.

    Returns
    -------
    tuple
        One portrait for each field, and what to call the molecule.

    Raises
    ------
    InputError
        When the file has no such molecule.
    """
    if path.suffix.lower() == ".h5":
        return _of_store(path, row)
    if row:
        raise InputError(f"{path.name} holds one molecule: --molecule must be 0, got {row}")
    return [read_cube(path)], path.stem


def read_cube(path: Path) -> Portrait:
    """Read a .cube file.

    A grid that is no cube is sampled again on one; the field is 0 outside the old grid.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Portrait
        The molecule (Å) and its field, in the unit of the file.

    Raises
    ------
    DataError
        When the file is absent, damaged, or holds no field.
    """
    if not path.is_file():
        raise DataError(f"no file {path}")
    with damage_refused(path, "a whole .cube file", "write it again"):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        atoms, unit, first, steps, shape = _header(lines)
        places = np.array([line.split()[:5] for line in lines[6 : 6 + atoms]], dtype=float).reshape(
            atoms, 5
        )
        values = np.array(_body(lines, atoms, int(np.prod(shape))), dtype=float).reshape(shape)
        if not atoms or not np.isfinite(values).all() or min(shape) < 2:
            raise DataError(
                f"{path.name}: a field needs atoms, at least 2 voxels an axis and finite values; it"
                f" has {atoms} atoms and {int(np.isfinite(values).sum())} of {values.size} finite "
                "values"
            )
        molecule = Molecules(
            torch.from_numpy(places[:, 0].astype(np.int64)),
            torch.from_numpy(unit * places[:, 2:]),
            torch.tensor([0, atoms]),
        )
        return _portrait(lines[0].strip() or "field", molecule, values, steps, first)


def _header(lines: list[str]) -> tuple[int, float, np.ndarray, np.ndarray, tuple[int, int, int]]:
    """Atoms, the unit of length (Å), the first voxel (3,) and the steps (3, 3) in Å, the voxels."""
    count, *origin = lines[2].split()[:4]
    rows = [line.split() for line in lines[3:6]]
    nx, ny, nz = (int(row[0]) for row in rows)
    unit = BOHR if nx > 0 else 1.0  # a negative number of voxels says that lengths are in Å
    steps = unit * np.array([[float(x) for x in row[1:4]] for row in rows])
    return (
        abs(int(count)),
        unit,
        unit * np.array(origin, dtype=float),
        steps,
        (abs(nx), abs(ny), abs(nz)),
    )


def _body(lines: list[str], atoms: int, wanted: int) -> list[str]:
    """The values of the field, as text."""
    body = " ".join(lines[6 + atoms :]).split()
    if int(lines[2].split()[0]) < 0:  # orbitals: how many there are, and their numbers
        if int(body[0]) != 1:
            raise ValueError(f"it holds {body[0]} orbitals, and one field a file can be shown")
        body = body[2:]
    if len(body) != wanted:
        raise ValueError(f"{len(body):,} values, not {wanted:,}")
    return body


def _portrait(
    title: str, molecule: Molecules, values: np.ndarray, steps: np.ndarray, first: np.ndarray
) -> Portrait:
    """The molecule and its field in a cube about the origin."""
    middle = first + (np.array(values.shape) - 1) @ steps / 2
    lengths = np.array(values.shape) * np.linalg.norm(steps, axis=1)
    straight = (
        np.abs(steps - np.diag(np.diag(steps))).max() * max(values.shape) < EQUAL
        and (np.diag(steps) > 0).all()
    )
    if straight and np.ptp(lengths) < EQUAL and len(set(values.shape)) == 1:
        edge, sampled = float(lengths[0]), values
    else:
        corners = (
            np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, -1).T * values.shape
        ) @ steps
        edge = float(np.ptp(corners, axis=0).max())
        n = min(MOST, round(edge / float(np.linalg.norm(steps, axis=1).min())))
        line = (np.arange(n) + 0.5) * edge / n - edge / 2
        points = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1) + middle - first
        sampled = map_coordinates(
            values, np.moveaxis(points @ np.linalg.inv(steps), -1, 0), order=1, mode="constant"
        )
    placed = molecule.moved(
        -torch.from_numpy(middle).expand(len(molecule.numbers), 3) + molecule.positions
    )
    name = next(
        (kind for kind in ("lol", "elf", "nep", "esp") if channels([kind])[0].title in title),
        "cube",
    )
    return Portrait(name, title, placed, sampled, edge, sampled, edge)


def _of_store(path: Path, row: int) -> tuple[list[Portrait], str]:
    """The fields of a molecule in our own HDF5 file."""
    import h5py

    file = open_file(path)
    if not 0 <= row < len(file.keys):
        raise InputError(
            f"--molecule must be from 0 to {len(file.keys) - 1} in {path.name}, got {row}"
        )
    with (
        damage_refused(path, "a whole file of fields", REMEDY),
        h5py.File(path, "r", locking=False) as stored,
    ):
        box, density = float(stored.attrs["box"]), word(stored.attrs["density"])
        sizes = stored["molecules/sizes"][:].astype(int)
        part = slice(sizes[:row].sum(), sizes[: row + 1].sum())
        numbers, positions = stored["molecules/numbers"][part], stored["molecules/positions"][part]
        name = stored["molecules/name"][row].decode()
        molecule = Molecules(
            torch.from_numpy(numbers.astype(np.int64)),
            torch.from_numpy(positions),
            torch.tensor([0, len(numbers)]),
        )
        kinds = channels(file.kinds)
    there = [c for c in range(len(file.kinds)) if file.state[row, c] == THERE]
    if not there:
        raise DataError(
            f"{path.name} has no field of row {row}: it failed or is not computed yet; run the "
            "same `onekcal field` again"
        )
    found = []
    for c in there:
        values = np.array(file.fields[row, c], dtype=np.float64)
        found.append(Portrait(kinds[c].name, kinds[c].title, molecule, values, box, values, box))
    return (
        found,
        f"{name or molecule.formulas[0]} · {density}" if density else name or molecule.formulas[0],
    )
