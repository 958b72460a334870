"""QM9: 130,831 molecules of up to 9 heavy atoms (C N O F), B3LYP/6-31G(2df,p), 15 properties each.

Official files: dsgdb9nsd.xyz.tar.bz2 (one xyz a molecule; its second line holds the properties;
numbers may be written 1.2*^-6) and uncharacterized.txt (3,054 molecules whose relaxed bonds differ
from their SMILES; left out here).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.datasets.card import Card, Stored
from onekcal.datasets.sets.gfn2_column import gfn2_column
from onekcal.datasets.source import Remote, Source
from onekcal.energies import FREE_ATOMS, At, atomization
from onekcal.errors import DataError, in_short
from onekcal.molecules import CHARGES, Molecules
from onekcal.units import HARTREE

LEVEL = "b3lyp/6-31g(2df,p)"
RELAXATION_FAILED = frozenset(
    f"gdb {n}" for n in (6620, 59818, 59827, 128113, 129053, 129152, 129158, 130535)
)
"""Other molecules of the set whose relaxation failed. `strict` leaves them out."""

THERMAL = 0.888727
"""kcal/mol: 3/2 RT at 298.15 K, what a free atom has beyond its energy at 0 K."""
BOUND_298 = "b3lyp_298"
"""The column of atomization energies at 298 K, from U."""

PROPERTIES = {
    "A": "GHz",
    "B": "GHz",
    "C": "GHz",
    "mu": "D",
    "alpha": "Bohr³",
    "homo": "Hartree",
    "lumo": "Hartree",
    "gap": "Hartree",
    "r2": "Bohr²",
    "zpve": "Hartree",
    "U0": "Hartree",
    "U": "Hartree",
    "H": "Hartree",
    "G": "Hartree",
    "Cv": "cal/mol/K",
}
"""Properties and their units. The second line of an official file holds "gdb", the index, and
these in this order.
"""

CARD = Card(
    "qm9",
    "QM9: 131 thousand small organic molecules",
    licence="CC0",
    citation="Ramakrishnan, Dral, Rupp, von Lilienfeld, Sci. Data 1, 140022 (2014); "
    "Ruddigkeit et al., J. Chem. Inf. Model. 52, 2864 (2012)",
    level=LEVEL,
    kind="atomization at 0 K (U0, zero-point energy included)",
    molecules=130831,
    elements="H C N O F",
    splits="none; random with a seed",
    notes="the 3,054 uncharacterized molecules are left out",
)
PROPERTIES_CARD = Card(
    "qm9-properties",
    "all 15 properties of 14,392 QM9 molecules",
    licence="CC0",
    citation=CARD.citation,
    level=LEVEL,
    kind=CARD.kind,
    molecules=14392,
    elements="H C N O F",
    splits="none; random with a seed",
)
QM9 = Remote("qm9.npz", sha256="bcf8f9bcab2f3699e55f7b39ff65a5006ecb62b8f9fd412b6c34e674d20d845e")
GFN2 = Remote(
    "qm9_gfn2.npz",
    sha256="38454ce2509b0addf87d9acdeae895ce8c35ccc2bbb3f0b84255a4dfbc38fd76",
    optional=True,
)
SUBSET = Remote(
    "qm9_props_subset.npz",
    sha256="04c008849ebdee7ba572f03dec6c01de461c507b0da76f4611169a129cd732b6",
)
ARCHIVE, UNCHARACTERIZED = "dsgdb9nsd.xyz.tar.bz2", "uncharacterized.txt"


def source(name: str) -> Source:
    """Return the source of QM9 without the uncharacterized molecules.

    Parameters
    ----------
    name
        "qm9".
    """
    return Source(
        CARD,
        mirror=(QM9, GFN2),
        read_mirror=read_mirror,
        official=(
            Remote(ARCHIVE, "https://ndownloader.figshare.com/files/3195389"),
            Remote(UNCHARACTERIZED, "https://ndownloader.figshare.com/files/3195404"),
        ),
        read_official=read_official,
        relaxation_failed=RELAXATION_FAILED,
    )


def properties(name: str) -> Source:
    """Return the source of those molecules of the property subset whose values are consistent.

    Parameters
    ----------
    name
        "qm9-properties".
    """
    return Source(
        PROPERTIES_CARD,
        mirror=(QM9, GFN2, SUBSET),
        read_mirror=read_properties,
        relaxation_failed=RELAXATION_FAILED,
    )


def read_mirror(folder: Path) -> Stored:
    """Read qm9.npz of a mirror, and the GFN2-xTB energies of qm9_gfn2.npz where it is there.

    Parameters
    ----------
    folder
        The folder that holds them.
    """
    with np.load(folder / "qm9.npz") as file:
        molecules = Molecules(
            torch.from_numpy(file["Z"].astype(np.int64)),
            torch.from_numpy(file["R"].astype(np.float64)),
            torch.from_numpy(file["offsets"]),
            name=np.char.add("gdb ", file["id"].astype(str)),
        )
        totals = torch.from_numpy(file["U0"]) * HARTREE
    stored = Stored(Dataset(molecules, {"b3lyp": _bound(totals, molecules)}), {}, CARD)
    return gfn2_column(stored, folder / "qm9_gfn2.npz")


def read_properties(folder: Path) -> Stored:
    """Read the consistent molecules of qm9_props_subset.npz, with geometries from qm9.npz.

    Parameters
    ----------
    folder
        The folder that holds them.
    """
    everything = read_mirror(folder)
    with np.load(folder / SUBSET.file) as file:
        consistent = file["in_consistent"]
        ids = np.char.add("gdb ", file["id"][consistent].astype(str))
        values = {key: file[key][consistent] for key in PROPERTIES}
    row = {name: m for m, name in enumerate(everything.dataset.molecules.names)}
    stored = everything.kept(np.array([row[name] for name in ids]))
    columns = {**stored.dataset.columns, **_columns(values, stored.dataset.molecules)}
    return Stored(Dataset(stored.dataset.molecules, columns), {}, PROPERTIES_CARD)


def _bound(totals: torch.Tensor, molecules: Molecules) -> Column:
    return Column(atomization(totals, molecules, FREE_ATOMS[LEVEL]), level=LEVEL, at="0 K")


def _columns(values: dict[str, np.ndarray], molecules: Molecules) -> dict[str, Column]:
    """Return U0 and U as totals in kcal/mol, and everything else in the unit of the source.

    `b3lyp_298` is U relative to free atoms at 298 K.
    """
    columns = {}
    for key, unit in PROPERTIES.items():
        column = torch.from_numpy(np.asarray(values[key], dtype=np.float64))
        if key in ("U0", "U"):
            at: At = "0 K" if key == "U0" else "298 K"
            columns[key] = Column(column * HARTREE, level=LEVEL, kind="total", at=at)
        else:
            columns[key] = Column(column, "property", LEVEL, unit=unit)
    bound = atomization(columns["U"].values, molecules, FREE_ATOMS[LEVEL])
    columns[BOUND_298] = Column(bound - THERMAL * molecules.sizes, level=LEVEL, at="298 K")
    return columns


def read_official(folder: Path) -> Stored:
    """Read the official archive as a stream. It is never unpacked on disk.

    Parameters
    ----------
    folder
        The folder that holds it and the list of uncharacterized molecules.
    """
    text = (folder / UNCHARACTERIZED).read_text(encoding="utf-8")
    # a row is an index, three SMILES and a distance; the last line is "3054 compounds"
    left_out = {
        int(w[0]) for line in text.splitlines() if len(w := line.split()) > 2 and w[0].isdigit()
    }
    numbers: list[int] = []
    positions: list[list[float]] = []
    sizes, ids = [0], []
    values: dict[str, list[float]] = {key: [] for key in PROPERTIES}
    for name, lines in _entries(folder / ARCHIVE):
        index, listed, charges, places = _parse(name, lines)
        if index in left_out:
            continue
        ids.append(index)
        sizes.append(len(charges))
        numbers += charges
        positions += places
        for key, value in zip(PROPERTIES, listed):
            values[key].append(value)
    if not ids:
        raise DataError(f"{ARCHIVE} holds no molecules")
    molecules = Molecules(
        torch.tensor(numbers),
        torch.tensor(positions, dtype=torch.float64),
        torch.tensor(sizes).cumsum(0),
        name=np.array([f"gdb {i}" for i in ids]),
    )
    columns = _columns({key: np.array(column) for key, column in values.items()}, molecules)
    b3lyp = _bound(columns["U0"].values, molecules)
    return Stored(Dataset(molecules, {"b3lyp": b3lyp, **columns}), {}, CARD)


def _entries(archive: Path) -> Iterator[tuple[str, list[str]]]:
    try:
        with tarfile.open(archive, "r|bz2") as tar:
            for member in tar:
                if member.isfile() and member.name.endswith(".xyz"):
                    file = tar.extractfile(member)
                    assert file is not None
                    yield member.name, file.read().decode("utf-8").splitlines()
    except (tarfile.TarError, EOFError, OSError) as problem:
        raise DataError(f"{archive} is damaged ({in_short(problem)}); fetch it again") from None


def _parse(name: str, lines: list[str]) -> tuple[int, list[float], list[int], list[list[float]]]:
    """Index, properties, charges and positions (Å) of one file of the archive."""
    try:
        count = int(lines[0])
        words = lines[1].split()
        listed = [_number(word) for word in words[2:17]]
        if len(listed) != len(PROPERTIES):
            raise ValueError(f"{len(listed)} properties instead of {len(PROPERTIES)}")
        rows = [line.split() for line in lines[2 : 2 + count]]
        places = [[_number(word) for word in row[1:4]] for row in rows]
        if len(rows) != count or any(len(place) != 3 for place in places):
            raise ValueError(f"not {count} lines of an element and three coordinates")
        return int(words[1]), listed, [CHARGES[row[0]] for row in rows], places
    except (ValueError, IndexError, KeyError) as problem:
        raise DataError(f"{ARCHIVE}: {name} is not in QM9's format ({in_short(problem)})") from None


def _number(word: str) -> float:
    """A number that may be written as 1.2*^-6."""
    return float(word.replace("*^", "e"))
