"""Molecules in: xyz, extxyz, sdf / mol, SMILES (text, .smi, .csv), npz. Units are converted here, once.

`read` stops at the first problem; `read_all` delivers every sound molecule beside the list of problems. A problem names
the file, the line or molecule, what was expected and what was got.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.energies import Kind
from onekcal.errors import InputError, unknown
from onekcal.molecules import Molecules, charge_of
from onekcal.units import energy_factor, force_factor, length_factor

FORMATS = {".xyz": "xyz", ".extxyz": "xyz", ".sdf": "sdf", ".mol": "sdf", ".smi": "smi", ".smiles": "smi", ".csv": "csv",
           ".npz": "npz"}
NEAREST = (0.55, 6.0)
"""Å; a median nearest-neighbour distance outside means the coordinates are in another unit."""


@dataclass(frozen=True)
class Units:
    """What the numbers of a file mean; `energy` and `forces` are the keys they stand under in extxyz."""

    energy: str = "kcal/mol"
    length: str = "angstrom"
    forces: str | None = None  # energy / length when nothing is said
    level: str = ""
    kind: Kind = "total"
    energy_key: str = "energy"
    forces_key: str = "forces"


@dataclass
class Record:
    """One molecule as found: positions in Å, energy and forces still in the file's unit."""

    molecule: Molecules
    energy: float | None = None
    forces: np.ndarray | None = None  # (n, 3)


def read(source: str | os.PathLike[str], **units: Any) -> Dataset:
    """Molecules and labels of a file, or of a SMILES; the first problem is raised.

    Keywords: energy, length, forces (units of the file), level, kind, energy_key, forces_key (extxyz).
    """
    dataset, problems = read_all(source, **units)
    if problems:
        raise InputError(problems[0])
    assert dataset is not None
    return dataset


def read_all(source: str | os.PathLike[str], **units: Any) -> tuple[Dataset | None, list[str]]:
    """What is sound, and one line a problem."""
    said = Units(**units)
    energy_factor(said.energy), length_factor(said.length)  # a wrong unit is refused before anything is read
    path = Path(source)
    if not path.is_file():
        if path.suffix.lower() in FORMATS or path.is_dir():
            raise InputError(f"no file {source}")
        records, problems = _guarded([(str(source), str(source))], _from_smiles)
        return _dataset(records, said), problems
    if path.suffix.lower() not in FORMATS:
        unknown("format for", path.suffix or path.name, FORMATS)
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; expected at least one molecule")
    kind = FORMATS[path.suffix.lower()]
    if kind == "npz":
        return _read_npz(path, said), []
    reader = {"xyz": _xyz, "sdf": _sdf, "smi": _smi, "csv": _csv}[kind]
    records, problems = reader(path, said)
    if not records and not problems:
        raise InputError(f"{path} holds no molecule")
    return _dataset(records, said), problems


Found = tuple[list[Record], list[str]]


def _guarded(items: Iterable[tuple[str, Any]], make: Any) -> Found:
    """`make` of every item; what it refuses becomes a line that begins with the item's place."""
    records, problems = [], []
    for place, item in items:
        try:
            record = make(item)
            found = record.molecule.check()
            if found:
                raise InputError(found[0].partition(": ")[2])
            records.append(record)
        except InputError as problem:
            problems.append(f"{place}: {problem}")
    return records, problems


def _dataset(records: list[Record], said: Units) -> Dataset | None:
    if not records:
        return None
    molecules = Molecules.concatenate([record.molecule for record in records])
    columns: dict[str, Column] = {}
    have = [record.energy is not None for record in records]
    if any(have):
        if not all(have):
            first = have.index(False)
            raise InputError(f"molecule {first + 1} has no {said.energy_key!r} while others do; complete or remove it")
        values = torch.tensor([record.energy for record in records], dtype=torch.float64) * energy_factor(said.energy)
        columns["energy"] = Column(values, level=said.level, kind=said.kind, note=f"from {said.energy}")
    pulls = [record.forces for record in records]
    if any(pull is not None for pull in pulls):
        if any(pull is None for pull in pulls):
            raise InputError(f"some molecules have {said.forces_key!r} and some do not; complete or remove them")
        unit = said.forces or f"{said.energy}/{said.length}"
        both = torch.from_numpy(np.concatenate([pull for pull in pulls if pull is not None]))
        columns["energy_forces"] = Column(both * force_factor(unit), "forces", said.level, unit="kcal/mol/Å",
                                          note=f"from {unit}")
    return Dataset(molecules, columns)


# --- xyz and extxyz ------------------------------------------------------------------------------------------------


@dataclass
class _Frame:
    """The lines of one xyz frame."""

    comment: str
    rows: list[list[str]] = field(default_factory=list)
    line: int = 0
    broken: str = ""


def _xyz(path: Path, said: Units) -> Found:
    text = path.read_bytes().decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    scale = length_factor(said.length)
    frames = list(_frames(text.split("\n")))
    found = _guarded(
        ((f"{path}, molecule {k} (line {frame.line})", frame) for k, frame in enumerate(frames, 1)),
        lambda frame: _from_frame(frame, said, scale),
    )
    _plausible_lengths(found[0], path, said.length)
    return found


def _frames(lines: list[str]) -> Iterator[_Frame]:
    """Frames with the line they start at; a broken count ends the file, since nothing tells where the next begins."""
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        frame = _Frame(lines[at + 1].strip() if at + 1 < len(lines) else "", line=at + 1)
        word = lines[at].split()[0]
        if not word.isdigit() or int(word) < 1:
            frame.broken = f"expected the number of atoms, got {lines[at].strip()!r}"
            yield frame
            return
        count = int(word)
        frame.rows = [line.split() for line in lines[at + 2 : at + 2 + count]]
        if len(frame.rows) < count or any(len(row) < 4 for row in frame.rows):
            short = next((k for k, row in enumerate(frame.rows) if len(row) < 4), len(frame.rows))
            frame.broken = f"expected {count} lines of `symbol x y z`, line {at + 3 + short} has none"
            yield frame
            if len(frame.rows) < count:
                return
        else:
            yield frame
        at += 2 + count


PROPERTY = re.compile(r"(\w+):([RISL]):(\d+)")


def _from_frame(frame: _Frame, said: Units, scale: float) -> Record:
    if frame.broken:
        raise InputError(frame.broken)
    info = _comment(frame.comment)
    places = {"species": (0, 1), "pos": (1, 3)}
    if "Properties" in info:
        start = 0
        for name, _, width in PROPERTY.findall(info["Properties"]):
            places[name] = (start, int(width))
            start += int(width)
    symbols, (x, _) = places["species"][0], places["pos"]
    charges = [charge_of(row[symbols]) for row in frame.rows]
    positions = _numbers(frame, x, 3) * scale
    energy = None
    if said.energy_key in info:
        energy = float(_numbers(_Frame("", [[info[said.energy_key]]], frame.line), 0, 1)[0, 0])
        if not np.isfinite(energy):
            raise InputError(f"{said.energy_key!r} is {info[said.energy_key]!r}, not a finite number")
    pull = _numbers(frame, places[said.forces_key][0], 3) if said.forces_key in places else None
    molecule = Molecules.one(charges, positions, int(info.get("charge", 0)), int(info.get("spin", 0)),
                             info.get("name", "" if info else frame.comment))
    return Record(molecule, energy, pull)


def _comment(text: str) -> dict[str, str]:
    """key=value pairs of an extxyz comment; none in a plain one."""
    if "=" not in text:
        return {}
    try:
        words = shlex.split(text)
    except ValueError:
        raise InputError(f"the comment line has an open quote: {text!r}") from None
    return dict(word.split("=", 1) for word in words if "=" in word)


def _numbers(frame: _Frame, start: int, width: int) -> np.ndarray:
    """(n, width) numbers of the columns from `start`; 1.2*^-6 is understood."""
    rows = [row[start : start + width] for row in frame.rows]
    try:
        return np.array(rows, dtype=np.float64).reshape(-1, width)
    except ValueError:
        pass
    out = np.empty((len(rows), width))
    for k, row in enumerate(rows):
        try:
            out[k] = [float(word.replace("*^", "e")) for word in row]
        except ValueError:
            raise InputError(f"line {frame.line + 2 + k}: expected {width} numbers, got {' '.join(row)!r}") from None
    return out


def _plausible_lengths(records: list[Record], path: Path, unit: str) -> None:
    """Refuse a file whose neighbours are too near or too far for the unit said."""
    nearest = []
    for record in records[:200]:
        if len(record.molecule.numbers) > 1:
            apart = torch.cdist(record.molecule.positions, record.molecule.positions).fill_diagonal_(torch.inf)
            nearest.append(float(apart.min()))
    if not nearest:
        return
    typical = float(np.median(nearest))
    heavy = all(1 not in record.molecule.elements for record in records[:200])
    if typical < NEAREST[0] or typical > NEAREST[1] or (typical > 1.6 and not heavy):
        hint = "bohr" if 1.6 < typical / length_factor(unit) < 3 else "another unit"
        raise InputError(f"{path}: atoms are typically {typical:.2f} Å from their nearest neighbour when lengths are read "
                         f"as {unit}, expected 0.7 … 1.6; the file is probably in {hint} (length={hint!r})")


# --- sdf, SMILES -----------------------------------------------------------------------------------------------------


def _sdf(path: Path, said: Units) -> Found:
    from rdkit import Chem, rdBase

    blocks = path.read_bytes().decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    texts = [text.lstrip("\n") if k else text for k, text in enumerate(blocks.split("$$$$")) if text.strip()]

    def make(text: str) -> Record:
        with rdBase.BlockLogs():
            mol = Chem.MolFromMolBlock(text, removeHs=False, sanitize=False)
        if mol is None or mol.GetNumAtoms() == 0:
            raise InputError("not a mol block that can be read")
        conformer = mol.GetConformer()
        positions = conformer.GetPositions() * length_factor(said.length)
        if not conformer.Is3D() and np.ptp(positions[:, 2]) == 0 and mol.GetNumAtoms() > 2:
            raise InputError("a flat drawing, not a geometry; give its SMILES to have one made")
        charges = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
        if 0 in charges:
            raise InputError(f"unknown element {mol.GetAtomWithIdx(charges.index(0)).GetSymbol()!r}")
        name = mol.GetProp("_Name") if mol.HasProp("_Name") else ""
        return Record(Molecules.one(charges, positions, Chem.GetFormalCharge(mol), 0, name))

    return _guarded(((f"{path}, molecule {k}", text) for k, text in enumerate(texts, 1)), make)


def _smi(path: Path, said: Units) -> Found:
    lines = path.read_text(encoding="utf-8").splitlines()
    items = [(f"{path}, line {k}", line.split()) for k, line in enumerate(lines, 1) if line.split()]
    return _guarded(items, lambda words: _from_smiles(words[0], " ".join(words[1:])))


def _csv(path: Path, said: Units) -> Found:
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        heads = {head.strip().lower(): head for head in rows.fieldnames or []}
        if "smiles" not in heads:
            raise InputError(f"{path}: expected a column named SMILES, got {', '.join(rows.fieldnames or [])}")
        items = [(f"{path}, line {k}", row[heads["smiles"]] or "") for k, row in enumerate(rows, 2)]
    return _guarded(items, _from_smiles)


def _from_smiles(smiles: str, name: str = "") -> Record:
    """One RDKit conformer (ETKDG, seed 0), cleaned with MMFF94 where it has parameters, else UFF."""
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles) if smiles.strip() else None
        if mol is None:
            raise InputError(f"{smiles!r} is neither a file that exists nor a SMILES that can be read")
        if len(Chem.GetMolFrags(mol)) > 1:
            raise InputError(f"{smiles!r} has {len(Chem.GetMolFrags(mol))} disconnected fragments; give one molecule")
        mol = Chem.AddHs(mol)
        if rdDistGeom.EmbedMolecule(mol, randomSeed=0) and rdDistGeom.EmbedMolecule(mol, useRandomCoords=True, randomSeed=0):
            raise InputError(f"no geometry could be made for {smiles!r}; give one as xyz")
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
            rdForceFieldHelpers.MMFFOptimizeMolecule(mol, maxIters=1000)
        elif rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
            rdForceFieldHelpers.UFFOptimizeMolecule(mol, maxIters=1000)
    charges = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    unpaired = sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
    positions = mol.GetConformer().GetPositions()
    return Record(Molecules.one(charges, positions, Chem.GetFormalCharge(mol), unpaired, name or smiles))


# --- npz -------------------------------------------------------------------------------------------------------------


def _read_npz(path: Path, said: Units) -> Dataset:
    """Ours (numbers, positions, offsets, …) or padded arrays Z (M, n) and R (M, n, 3), with E and F where there are."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            found = {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, BadZipFile) as problem:
        raise InputError(f"{path} is not an npz file or is damaged ({problem})") from None
    if {"numbers", "positions", "offsets"} <= set(found):
        return _ours(found)
    lower = {key.lower(): value for key, value in found.items()}
    if not {"z", "r"} <= set(lower):
        raise InputError(f"{path}: expected arrays numbers, positions, offsets, or Z and R; got {', '.join(found)}")
    places = lower["r"] * length_factor(said.length)
    charges = np.broadcast_to(lower["z"], places.shape[:2]).astype(np.int64)
    molecules = Molecules.padded(charges, places)
    records = [Record(molecule) for molecule in molecules[:200]]
    _plausible_lengths(records, path, said.length)
    columns: dict[str, Column] = {}
    if "e" in lower:
        values = torch.from_numpy(lower["e"].ravel().astype(np.float64)) * energy_factor(said.energy)
        columns["energy"] = Column(values, level=said.level, kind=said.kind, note=f"from {said.energy}")
    if "f" in lower:
        unit = said.forces or f"{said.energy}/{said.length}"
        pull = torch.from_numpy(lower["f"].astype(np.float64)[charges > 0]) * force_factor(unit)
        columns["energy_forces"] = Column(pull, "forces", said.level, unit="kcal/mol/Å", note=f"from {unit}")
    return Dataset(molecules, columns)


def _ours(found: dict[str, np.ndarray]) -> Dataset:
    charge, spin = (torch.from_numpy(found[key].astype(np.int64)) if key in found else None for key in ("charge", "spin"))
    molecules = Molecules(
        torch.from_numpy(found["numbers"].astype(np.int64)), torch.from_numpy(found["positions"].astype(np.float64)),
        torch.from_numpy(found["offsets"].astype(np.int64)), charge, spin, found.get("name"),
    )
    columns = {}
    for key in found:
        if key.startswith("column:"):
            name = key.removeprefix("column:")
            quantity, level, kind, at, unit, note = (str(word) for word in found[f"meaning:{name}"])
            columns[name] = Column(torch.from_numpy(found[key]), quantity, level, kind, at, unit, note)  # type: ignore[arg-type]
    return Dataset(molecules, columns)
