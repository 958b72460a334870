"""npz files: those of onekcal, and those that others made.

Ours are described in `own_arrays`. The others hold nuclear charges (M, n), padded with 0, or one
row (n,) for all, and positions (M, n, 3). Pickled content is not loaded.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onekcal.data.dataset import Dataset
from onekcal.errors import InputError, OnekcalError
from onekcal.io.assembly import columns_of, lost_label
from onekcal.io.options import ReadOptions
from onekcal.io.own_arrays import dataset_of_arrays
from onekcal.io.records import NOTHING, Problem
from onekcal.io.soundness import check_lengths, unsound
from onekcal.molecules import Molecules
from onekcal.system.files import damage_refused

CHARGES = ("z", "numbers", "atomic_numbers", "nuclear_charges", "species")
PLACES = ("r", "positions", "coords", "coordinates", "xyz")
ENERGIES = ("e", "energies")
FORCES = ("f", "force")
"""Names that others give these arrays, besides the caller's keys. Upper case counts as lower."""
NPZ_REMEDY = "get or write it again"


def read_npz(path: Path, options: ReadOptions) -> tuple[Dataset | None, list[Problem]]:
    """Read the molecules of an npz file.

    Parameters
    ----------
    path
        The file.
    options
        What the caller says about it. A file that `write` made needs nothing.

    Returns
    -------
    tuple
        The sound molecules (None where there are none), and one problem for each other molecule.
    """
    arrays = arrays_in(path)
    ours = {"numbers", "positions", "offsets"} <= arrays.keys()
    try:
        with damage_refused(path, "a whole npz file of molecules", NPZ_REMEDY, InputError):
            dataset = dataset_of_arrays(arrays) if ours else _theirs(arrays, options, str(path))
            bad = unsound(dataset.molecules)
    except OnekcalError as problem:
        text = str(problem)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from None
    problems = [Problem(f"{path}, molecule {m + 1}", what) for m, what in bad.items()]
    if len(bad) == len(dataset):
        return None, problems
    if bad:
        dataset = dataset[[m for m in range(len(dataset)) if m not in bad]]
    if not ours:
        check_lengths(dataset.molecules, options, str(path))
    return dataset, problems


def arrays_in(path: Path, error: type[OnekcalError] = InputError) -> dict[str, np.ndarray]:
    """Read all arrays of an npz file; pickled ones are refused.

    Parameters
    ----------
    path
        The file.
    error
        What is raised where it is no npz file, or is damaged.
    """
    with (
        damage_refused(path, "an npz file", NPZ_REMEDY, error),
        path.open("rb") as raw,
        np.load(raw, allow_pickle=False) as file,
    ):
        arrays = {key: file[key] for key in file.files}
        if strange := [key for key, one in arrays.items() if not isinstance(one, np.ndarray)]:
            raise ValueError(f"{strange[0]} is no array")
        return arrays


def _theirs(arrays: dict[str, np.ndarray], options: ReadOptions, where: str) -> Dataset:
    charges, places = _pick(arrays, CHARGES), _pick(arrays, PLACES)
    if charges is None or places is None:
        raise InputError(
            f"expected arrays numbers, positions, offsets, or Z and R; got {', '.join(arrays)}"
        )
    places = places[None] if places.ndim == 2 else places
    if (
        places.ndim != 3
        or places.shape[2] != 3
        or charges.shape not in (places.shape[:2], places.shape[1:2])
    ):
        raise InputError(
            f"expected positions (M, n, 3) and charges (M, n) or (n,), got {places.shape} and "
            f"{charges.shape}"
        )
    charges = np.broadcast_to(charges, places.shape[:2]).astype(np.int64)
    if (charges == 0).all(1).any():
        raise InputError(f"row {int((charges == 0).all(1).argmax())} of the charges holds no atom")
    molecules = Molecules.padded(charges, places * options.scale)
    energies = forces = None
    if options.energy_key:
        usual = ENERGIES if options.energy_key == "energy" else ()
        energies = _pick(arrays, (options.energy_key.lower(), *usual))
        if energies is None:
            lost_label(set(arrays), options.energy_key, "energ", "energy_key", where)
        elif energies.size != len(molecules):
            raise InputError(f"expected {len(molecules)} energies, got an array {energies.shape}")
    if options.forces_key:
        usual = FORCES if options.forces_key == "forces" else ()
        forces = _pick(arrays, (options.forces_key.lower(), *usual))
        if forces is None:
            lost_label(set(arrays), options.forces_key, "force", "forces_key", where)
        elif forces.reshape(-1, *places.shape[1:]).shape != places.shape:
            raise InputError(f"expected forces {places.shape}, got {forces.shape}")
    columns = columns_of(
        None if energies is None else energies.ravel(),
        None if forces is None else forces.reshape(places.shape)[charges > 0],
        options,
        NOTHING,
        where,
    )
    return Dataset(molecules, columns)


def _pick(arrays: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray | None:
    """The first array of these names that holds numbers."""
    lower = {key.lower(): value for key, value in arrays.items() if value.dtype.kind in "iuf"}
    return next((lower[name] for name in names if name in lower), None)
