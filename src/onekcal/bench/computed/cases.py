"""Species with published numbers that computed G4(MP2) is compared with.

The numbers lie in archives: g305.npz, ppe_dev.npz, qm9.npz, qm9_g4mp2_labels.npz,
qm9_props_subset.npz and rmg_reference.npz.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from onekcal.energies import free_atoms
from onekcal.errors import DataError
from onekcal.labels.g4mp2 import SCALE
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.quantum.g4mp2_basis import ELEMENTS
from onekcal.units import HARTREE, WAVENUMBER

Set = Literal["g305", "zero-points", "qm9", "ions", "ppe"]
SETS: tuple[Set, ...] = get_args(Set)
QM9_MOLECULES, QM9_HEAVY = 100, 5
"""QM9: so many molecules of up to so many heavy atoms."""
LARGEST: dict[Set, int] = {"g305": 6, "zero-points": 5, "qm9": 6, "ions": 4, "ppe": 4}
"""Heavy atoms of the largest species."""
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """One species and what was published about it.

    Attributes
    ----------
    set
        g305: G3/05. zero-points, qm9: molecules of QM9. ions: radicals and ions of the reference
        set of the Reaction Mechanism Generator. ppe: PPE1694, whose energies have another zero.
    row
        Number in its set.
    molecule
        Nuclei, charge and unpaired electrons at the published geometry (Å).
    published
        kcal/mol. g305, ppe and qm9: G4(MP2) energy at 0 K, total. zero-points: zero-point energy,
        unscaled. ions: ΔfH(298 K) of G4.
    zero_point
        kcal/mol, scaled. None: it is computed.
    heat
        H(298 K) − H(0), kcal/mol. None: it is computed or not needed.
    experiment
        ΔfH(298 K), kcal/mol, where there is one.
    atomization
        Experimental energy relative to free atoms at 0 K, negative, where there is one instead.
    """

    set: Set
    row: int
    molecule: Molecules
    published: float
    zero_point: float | None = None
    heat: float | None = None
    experiment: float | None = None
    atomization: float | None = None

    @property
    def heavy(self) -> int:
        """Atoms other than hydrogen."""
        return int((self.molecule.numbers > 1).sum())


def cases(data: Path, sets: Iterable[Set] = SETS, heavy: int | None = None) -> list[Case]:
    """List the species, small ones first.

    Parameters
    ----------
    data
        The folder of the archives.
    sets
        Which sets.
    heavy
        Only species of up to so many heavy atoms.
    """
    read: dict[Set, Callable[[Path], list[Case]]] = {
        "g305": lambda data: _pople(data, "g305", "g305.npz"),
        "zero-points": _zero_points,
        "qm9": _qm9,
        "ions": _ions,
        "ppe": lambda data: _pople(data, "ppe", "ppe_dev.npz"),
    }
    out = [case for name in sets for case in read[name](data)]
    within = [c for c in out if c.heavy <= min(LARGEST[c.set], heavy or 99)]
    return sorted(within, key=lambda c: (c.heavy, SETS.index(c.set), c.row))


def archive(data: Path, name: str) -> Arrays:
    """Read one of the archives.

    Parameters
    ----------
    data
        The folder of the archives.
    name
        Such as "g305.npz".

    Raises
    ------
    DataError
        There is no such file.
    """
    path = data / name
    if not path.is_file():
        raise DataError(
            f"there is no {path}; give the folder of the archives with --data or ONEKCAL_MIRROR"
        )
    return dict(np.load(path))  # unpacked once


def _pople(data: Path, name: Set, archived: str) -> list[Case]:
    """G3/05 or PPE1694, the species whose elements the method has.

    The archives' frequencies hold the factor 0.9854 already: B3LYP's own are 1.5 % higher.
    """
    file = archive(data, archived)
    waves, out = file["frequency_offsets"], []
    for row in range(len(file["U0_Ha"])):
        frequencies = file["frequencies"][waves[row] : waves[row + 1]]
        molecule, value = molecule_at(file, row), float(file["expt"][row])
        if _known(molecule):
            out.append(
                Case(
                    name,
                    row,
                    molecule,
                    published=float(file["U0_Ha"][row]) * HARTREE,
                    zero_point=0.5 * WAVENUMBER * float(frequencies[frequencies > 0].sum()),
                    heat=float(file["HT_Ha"][row] - file["U0_Ha"][row]) * HARTREE,
                    experiment=value if file["kind"][row] == "HF" else None,
                    atomization=-value if file["kind"][row] == "AE" else None,
                )
            )
    return out


def _qm9(data: Path) -> list[Case]:
    """Molecules of QM9-G4MP2 at QM9's geometries.

    All of up to four heavy atoms, some of five, and of six those with a published zero-point
    energy.
    """
    file, labels = archive(data, "qm9.npz"), archive(data, "qm9_g4mp2_labels.npz")
    label = dict(zip(labels["gdb_id"].tolist(), labels["AE_g4mp2"].tolist()))
    known = _published_zero_points(data)
    sizes: dict[int, int] = {}
    for place, number in enumerate(file["id"].tolist()):
        sizes[number] = int((_numbers(file, place) > 1).sum())
        if sizes[number] > LARGEST["qm9"]:
            break  # the numbers of QM9 grow with the number of heavy atoms
    there = [k for k in sizes if k in label]
    chosen = [k for k in there if sizes[k] < QM9_HEAVY or (sizes[k] == QM9_HEAVY and k in known)]
    others = [k for k in there if sizes[k] == QM9_HEAVY and k not in known]
    wanted = QM9_MOLECULES - len(chosen)
    chosen += [others[k * len(others) // wanted] for k in range(wanted)]
    chosen += [k for k in there if sizes[k] == QM9_HEAVY + 1 and k in known]
    places = {number: place for place, number in enumerate(file["id"].tolist())}
    out = []
    for number in chosen:
        molecule = molecule_at(file, places[number])
        atoms = float(free_atoms("g4mp2").energies(molecule)[0])
        zero = SCALE * known[number] if number in known else None
        out.append(Case("qm9", number, molecule, label[number] + atoms, zero))
    return out


def _zero_points(data: Path) -> list[Case]:
    """Molecules of QM9 with a published zero-point energy."""
    file, known = archive(data, "qm9.npz"), _published_zero_points(data)
    places = {number: place for place, number in enumerate(file["id"].tolist())}
    return [
        Case("zero-points", number, molecule_at(file, places[number]), energy)
        for number, energy in known.items()
        if number in places and number < 1000
    ]


def _published_zero_points(data: Path) -> dict[int, float]:
    """Number in QM9 → unscaled zero-point energy, kcal/mol."""
    subset = archive(data, "qm9_props_subset.npz")
    return dict(zip(subset["id"].tolist(), (subset["zpve"] * HARTREE).tolist()))


def _ions(data: Path) -> list[Case]:
    """Radicals and ions of the reference set."""
    file, out = archive(data, "rmg_reference.npz"), []
    for row in range(len(file["charge"])):
        molecule = molecule_at(file, row)
        published = float(file["dfH298_g4"][row])
        open_or_charged = int(file["charge"][row]) or int(file["unpaired"][row])
        if open_or_charged and _known(molecule) and math.isfinite(published):
            experiment = float(file["expt"][row])
            out.append(Case("ions", row, molecule, published, experiment=experiment))
    return out


def _numbers(file: Arrays, row: int) -> np.ndarray:
    return file["Z"][file["offsets"][row] : file["offsets"][row + 1]]


def molecule_at(file: Arrays, row: int) -> Molecules:
    """Return one species of an archive at its geometry.

    Parameters
    ----------
    file
        What `archive` read.
    row
        Its number there.
    """
    atoms = slice(file["offsets"][row], file["offsets"][row + 1])
    charge, unpaired = (
        int(file[name][row]) if name in file else 0 for name in ("charge", "unpaired")
    )
    if (int(file["Z"][atoms].sum()) - charge - unpaired) % 2:
        unpaired = 1  # BrO of G3/05 is a doublet
    positions = file["R"][atoms].astype(float)
    return Molecules.one(file["Z"][atoms].tolist(), positions, charge, unpaired)


def _known(molecule: Molecules) -> bool:
    return all(SYMBOLS[z] in ELEMENTS for z in molecule.elements)
