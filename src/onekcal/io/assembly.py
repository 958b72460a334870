"""How records become a `Dataset`: complete labels, units converted, molecules checked.

Units are converted here.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.energies import KINDS, TEMPERATURES
from onekcal.errors import InputError, one_of, unknown
from onekcal.io.options import ReadOptions
from onekcal.io.records import Meaning, Parsed, Problem, Record
from onekcal.io.soundness import check_lengths, unsound
from onekcal.molecules import Molecules
from onekcal.units import ENERGY, energy_factor, force_factor


def dataset_of(
    parsed: Parsed, options: ReadOptions, where: str
) -> tuple[Dataset | None, list[Problem]]:
    """Make a data set of the sound molecules that have complete labels.

    Parameters
    ----------
    parsed
        Records and problems of a reader.
    options
        What the caller says about the file.
    where
        The file, as messages name it.

    Returns
    -------
    tuple
        The data (None where no molecule is left), and the problems of all other molecules.

    Raises
    ------
    InputError
        The distances of the whole file do not fit its unit.
    """
    records, problems = parsed
    for label, key in (("energy", options.energy_key), ("forces", options.forces_key)):
        some = [record for record in records if getattr(record, label) is not None]
        if some and len(some) < len(records):
            problems = problems + [
                Problem(r.place, f"has no {key!r} while others do; complete or remove it")
                for r in records
                if getattr(r, label) is None
            ]
            records = some
    common = Counter(record.meaning for record in records).most_common(1)
    problems = problems + [
        Problem(
            r.place,
            f"its energy is {r.meaning}, and most others are {common[0][0]}; split the file",
        )
        for r in records
        if r.meaning != common[0][0]
    ]
    records = [record for record in records if record.meaning == common[0][0]]
    if not records:
        return None, problems
    molecules = _molecules(records)
    bad = unsound(molecules)
    if bad:
        if len(bad) == len(records) and all("apart" in what for what in bad.values()):
            check_lengths(molecules, options, where, explained=True)  # all are too near
        problems = problems + [Problem(records[m].place, what) for m, what in bad.items()]
        records = [record for m, record in enumerate(records) if m not in bad]
        if not records:
            return None, problems
        molecules = _molecules(records)
    check_lengths(molecules, options, where)
    return Dataset(molecules, _columns(records, options, where)), problems


def _molecules(records: list[Record]) -> Molecules:
    offsets = np.zeros(len(records) + 1, dtype=np.int64)
    np.cumsum([len(record.numbers) for record in records], out=offsets[1:])
    return Molecules(
        torch.from_numpy(np.concatenate([record.numbers for record in records]).astype(np.int64)),
        torch.from_numpy(np.concatenate([record.positions for record in records])),
        torch.from_numpy(offsets),
        torch.tensor([record.charge for record in records]),
        torch.tensor([record.spin for record in records]),
        np.array([record.name for record in records]),
    )


# --- labels -----------------------------------------------------------------------------------


def lost_label(keys: set[str], wanted: str | None, word: str, keyword: str, where: str) -> None:
    """Refuse a file whose labels stand under another key than the wanted one.

    Parameters
    ----------
    keys
        The keys that the file has.
    wanted
        The wanted key, which the file lacks. None: no labels are wanted, nothing is refused.
    word
        A part of a key that makes it look like a label: "energ", "force".
    keyword
        The keyword of `read` that names the key.
    where
        The file, as messages name it.
    """
    if wanted is None:
        return
    others = sorted(key for key in keys if word in key.lower())
    if others:
        raise InputError(
            f"{where} has no {wanted!r}, but it has {', '.join(others)}; say which one you mean "
            f"({keyword}={others[0]!r}; `onekcal data import --{keyword.replace('_', '-')} "
            f"{others[0]}`), or {keyword}=None for none"
        )
    if wanted != ReadOptions.__dataclass_fields__[keyword].default:
        raise InputError(f"{where} has no {wanted!r} ({keyword}) and no label with a similar name")


def _columns(records: list[Record], options: ReadOptions, where: str) -> dict[str, Column]:
    energies = forces = None
    if records[0].energy is not None:
        energies = np.array([record.energy for record in records], dtype=np.float64)
    if records[0].forces is not None:
        forces = np.concatenate([record.forces for record in records if record.forces is not None])
    return columns_of(energies, forces, options, records[0].meaning, where)


def columns_of(
    energies: np.ndarray | None,
    forces: np.ndarray | None,
    options: ReadOptions,
    meaning: Meaning,
    where: str,
) -> dict[str, Column]:
    """Make the columns of a file's labels, in kcal/mol and kcal/mol/Å.

    Parameters
    ----------
    energies
        (M,) in the file's unit. None where there are none.
    forces
        (A, 3) in the file's unit. None where there are none.
    options
        What the caller says about the labels.
    meaning
        What the file says. The two must not contradict each other.
    where
        The file, as messages name it.
    """
    _check_agreement(options, meaning, where)
    kind = one_of(options.kind or meaning.kind or "total", KINDS, f"kind of energy in {where}:")
    at = one_of(
        options.at or meaning.at or "electronic",
        TEMPERATURES,
        f"temperature of the energies in {where}:",
    )
    unit = meaning.unit or options.energy or "kcal/mol"
    level = options.level or meaning.level
    columns: dict[str, Column] = {}
    if energies is not None:
        known = "as told" if options.energy else "assumed, nothing is said"
        note = f"in {unit}: {'stated by the file' if meaning.unit else known}"
        values = _float64(energies) * energy_factor(unit)
        columns["energy"] = Column(values, level=level, kind=kind, at=at, note=note)
    if forces is not None:
        force_unit = options.forces or f"{unit}/{options.length_unit}"
        known = "as told" if options.forces else "energy / length of the file"
        note = f"in {force_unit}: {known}"
        values = _float64(forces) * force_factor(force_unit)
        columns["energy_forces"] = Column(values, "forces", level, unit="kcal/mol/Å", note=note)
    return columns


def _float64(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))


def _check_agreement(options: ReadOptions, meaning: Meaning, where: str) -> None:
    """Refuse an unknown unit, and a caller who contradicts the file."""
    try:
        factor = energy_factor(meaning.unit or "kcal/mol")
    except InputError:
        unknown(f"unit of energy in {where}:", meaning.unit, ENERGY)
    says = f"{where} says its energies are"
    if options.energy and meaning.unit and energy_factor(options.energy) != factor:
        raise InputError(f"{says} in {meaning.unit}, not in {options.energy}; leave `energy` out")
    if options.kind and meaning.kind and options.kind != meaning.kind:
        raise InputError(f"{says} of kind {meaning.kind!r}, not {options.kind!r}; leave `kind` out")
    if options.at and meaning.at and options.at != meaning.at:
        raise InputError(f"{says} at {meaning.at!r}, not {options.at!r}; leave `at` out")
