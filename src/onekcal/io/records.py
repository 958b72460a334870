"""What a reader reads, and how it becomes a `Dataset`: checked, converted, with complete labels.

Units are converted here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.energies import KINDS, TEMPERATURES
from onekcal.errors import InputError, one_of, unknown
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.units import ENERGY, LENGTH, energy_factor, force_factor, length_factor

BONDED = (0.7, 1.5)
"""Limits of the median distance to the nearest neighbour, in sums of two covalent radii."""


@dataclass(frozen=True)
class ReadOptions:
    """What the caller says about a file. Where it says nothing, the file decides.

    Parameters
    ----------
    energy
        Unit of the energies. None: the unit that the file names, or kcal/mol.
    length
        Unit of the coordinates. None: angstrom.
    forces
        Unit of the forces. None: that of the energy over that of the length.
    level
        Level of theory of the energies.
    kind
        "total", "atomization" or "formation". None: what the file says, or "total".
    at
        "electronic", "0 K" or "298 K". None: what the file says, or "electronic".
    energy_key, forces_key
        Names of the labels in the file. None: the labels are not read.
    trust_lengths
        Whether the file is read even if its distances are not those of molecules.
    """

    energy: str | None = None
    length: str | None = None
    forces: str | None = None
    level: str = ""
    kind: str | None = None
    at: str | None = None
    energy_key: str | None = "energy"
    forces_key: str | None = "forces"
    trust_lengths: bool = False

    def __post_init__(self) -> None:
        """Refuse a wrong unit before anything is read."""
        if self.energy is not None:
            energy_factor(self.energy)
        if self.forces is not None:
            force_factor(self.forces)
        if self.kind is not None:
            one_of(self.kind, KINDS, "kind of energy")
        if self.at is not None:
            one_of(self.at, TEMPERATURES, "temperature of an energy")
        length_factor(self.length_unit)

    @property
    def length_unit(self) -> str:
        """The unit of the file's coordinates; angstrom where the caller names none."""
        return self.length or "angstrom"

    @property
    def scale(self) -> float:
        """Å in one unit of the file's coordinates."""
        return length_factor(self.length_unit)


class ReadKeywords(TypedDict, total=False):
    """The keywords of `read`: the fields of `ReadOptions`."""

    energy: str | None
    length: str | None
    forces: str | None
    level: str
    kind: str | None
    at: str | None
    energy_key: str | None
    forces_key: str | None
    trust_lengths: bool


@dataclass(frozen=True)
class Problem:
    """Something that cannot be used.

    Parameters
    ----------
    place
        The file, and the line or molecule in it.
    what
        What is wrong.
    """

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True)
class Meaning:
    """What a file itself says about its energies. Each word is "" where it says nothing.

    Parameters
    ----------
    unit
        Unit of the energies.
    kind, at, level
        As in `Column`.
    """

    unit: str = ""
    kind: str = ""
    at: str = ""
    level: str = ""

    def __str__(self) -> str:
        return repr(
            ", ".join(filter(None, (self.unit, self.kind, self.at, self.level)))
            or "of no stated meaning"
        )


NOTHING = Meaning()


@dataclass
class Record:
    """One molecule as it was read. Its energy and forces are still in the file's unit.

    Parameters
    ----------
    place
        The file, and the line or molecule in it.
    numbers
        (n,) nuclear charges.
    positions
        (n, 3) Å.
    name, charge, spin
        Name, total charge (e) and number of unpaired electrons.
    energy
        In the file's unit. None where there is none.
    forces
        (n, 3) in the file's unit. None where there are none.
    meaning
        What the file says about the energy.
    """

    place: str
    numbers: np.ndarray
    positions: np.ndarray
    name: str = ""
    charge: int = 0
    spin: int = 0
    energy: float | None = None
    forces: np.ndarray | None = None
    meaning: Meaning = NOTHING


Parsed = tuple[list[Record], list[Problem]]


def meaning_of(info: dict[str, str]) -> Meaning:
    """Return what the words that `write` puts beside an energy say.

    Parameters
    ----------
    info
        Words by key. Only energy_unit, kind, at and level count.
    """
    if not ({"energy_unit", "kind", "at", "level"} & info.keys()):
        return NOTHING
    return Meaning(
        info.get("energy_unit", ""), info.get("kind", ""), info.get("at", ""), info.get("level", "")
    )


def whole_number(info: dict[str, str], key: str) -> int:
    """Return a whole number that may be written 1, +1 or 1.0.

    Parameters
    ----------
    info
        Words by key.
    key
        The key of the number. Where it is absent the number is 0.
    """
    try:
        value = float(info.get(key, 0))
    except ValueError:
        value = float("nan")
    if value != round(value) if np.isfinite(value) else True:
        raise InputError(f"`{key}` must be a whole number, got {info[key]!r}")
    return int(value)


def lost_label(keys: set[str], wanted: str | None, word: str, keyword: str, where: str) -> None:
    """Refuse a file whose labels stand under another key than the one asked for.

    Parameters
    ----------
    keys
        The keys that the file has.
    wanted
        The key asked for, which the file lacks. None: no labels are wanted, nothing is refused.
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
            f"{where} has no {wanted!r} but announces {', '.join(others)}; say which is meant "
            f"({keyword}={others[0]!r}; `onekcal data import --{keyword.replace('_', '-')} "
            f"{others[0]}`), or {keyword}=None for none"
        )
    if wanted != ReadOptions.__dataclass_fields__[keyword].default:
        raise InputError(f"{where} has no {wanted!r} ({keyword}); there is nothing like it")


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
            f"its energy is {r.meaning}, that of most others {common[0][0]}; split the file",
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
            check_lengths(molecules, options, where, explained=True)  # too near one and all
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


def unsound(molecules: Molecules, budget: int = 4_000_000) -> dict[int, str]:
    """Find molecules that cannot be: no such element, a position not finite, nuclei too near.

    Parameters
    ----------
    molecules
        The molecules.
    budget
        How many distances are computed at once.

    Returns
    -------
    dict
        What is wrong, by the molecule's row.
    """
    out: dict[int, str] = {}
    strange = (molecules.numbers < 1) | (molecules.numbers >= len(SYMBOLS))
    for atom in strange.nonzero().flatten().tolist():
        out.setdefault(
            int(molecules.owner[atom]),
            f"no element has nuclear charge {int(molecules.numbers[atom])}",
        )
    sizes = molecules.sizes
    for size in (
        sizes.unique().tolist()
    ):  # like sizes together, so that one large molecule does not pad all others
        for rows in (sizes == size).nonzero().flatten().split(max(1, budget // size**2)):
            part = molecules[rows]
            for line in part.check():
                k = int(line.split(maxsplit=2)[1])
                out.setdefault(
                    int(rows[k]), line.removeprefix(f"molecule {k} ({str(part.names[k])!r}): ")
                )
    return dict(sorted(out.items()))


def check_lengths(
    molecules: Molecules,
    options: ReadOptions,
    where: str,
    sample: int = 300,
    explained: bool = False,
) -> None:
    """Refuse a file whose atoms are too near or too far for its unit. Diatomics do not count.

    Parameters
    ----------
    molecules
        The molecules, in Å.
    options
        What the caller says. With `trust_lengths` nothing is refused.
    where
        The file, as messages name it.
    sample
        How many molecules are looked at.
    explained
        Refuse only where another unit would explain the distances.
    """
    from ase.data import covalent_radii

    rows = (molecules.sizes > 2).nonzero().flatten()[:sample]
    if options.trust_lengths or not len(rows):
        return
    nearest = []
    for molecule in molecules[rows]:
        radii = torch.from_numpy(covalent_radii[molecule.numbers.numpy()])
        apart = torch.cdist(molecule.positions, molecule.positions).fill_diagonal_(torch.inf)
        nearest.append((apart / (radii[:, None] + radii)).min(1).values)
    typical = float(torch.cat(nearest).median())
    if BONDED[0] < typical < BONDED[1]:
        return
    fitting = [
        unit
        for unit, factor in LENGTH.items()
        if BONDED[0] < typical / options.scale * factor < BONDED[1]
    ]
    if explained and not fitting:
        return
    hint = (
        f"the lengths are probably in {fitting[0]} (length={fitting[0]!r}, --length {fitting[0]})"
        if fitting
        else ("no unit explains it")
    )
    raise InputError(
        f"{where}: atoms are typically {typical:.2f} bond lengths from their nearest neighbour "
        f"when lengths are read as {options.length_unit}, expected about 1; {hint}; "
        "trust_lengths=True reads it as it is"
    )


# --- labels -----------------------------------------------------------------------------------


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
    try:
        energy_factor(meaning.unit or "kcal/mol")
    except InputError:
        unknown(f"unit of energy in {where}:", meaning.unit, ENERGY)
    if (
        options.energy
        and meaning.unit
        and energy_factor(options.energy) != energy_factor(meaning.unit)
    ):
        raise InputError(
            f"{where} says its energies are in {meaning.unit}, not in {options.energy}; leave "
            "`energy` out"
        )
    if options.kind and meaning.kind and options.kind != meaning.kind:
        raise InputError(
            f"{where} says its energies are of kind {meaning.kind!r}, not {options.kind!r}; leave "
            "`kind` out"
        )
    if options.at and meaning.at and options.at != meaning.at:
        raise InputError(
            f"{where} says its energies are at {meaning.at!r}, not {options.at!r}; leave `at` out"
        )
    kind = one_of(options.kind or meaning.kind or "total", KINDS, f"kind of energy in {where}:")
    at = one_of(
        options.at or meaning.at or "electronic",
        TEMPERATURES,
        f"temperature of the energies in {where}:",
    )
    unit = meaning.unit or options.energy or "kcal/mol"
    known = (
        "stated by the file"
        if meaning.unit
        else "as told"
        if options.energy
        else "assumed, nothing is said"
    )
    level = options.level or meaning.level
    columns: dict[str, Column] = {}
    if energies is not None:
        values = torch.from_numpy(np.ascontiguousarray(energies, dtype=np.float64)) * energy_factor(
            unit
        )
        columns["energy"] = Column(
            values,
            level=level,
            kind=kind,
            at=at,
            note=f"in {unit}: {known}",
        )
    if forces is not None:
        force_unit = options.forces or f"{unit}/{options.length_unit}"
        pull = torch.from_numpy(np.ascontiguousarray(forces, dtype=np.float64)) * force_factor(
            force_unit
        )
        known = "as told" if options.forces else "energy / length of the file"
        columns["energy_forces"] = Column(
            pull, "forces", level, unit="kcal/mol/Å", note=f"in {force_unit}: {known}"
        )
    return columns
