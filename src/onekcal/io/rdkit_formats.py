"""What RDKit reads: sdf / mol blocks with a geometry, and SMILES (a text, .smi, a .csv column), which get one made."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from onekcal.errors import InputError
from onekcal.io.records import Found, Problem, Record, Told, lost_label, meaning_of, whole
from onekcal.molecules import SYMBOLS

PROPERTY = re.compile(r"^>.*?<([^>\n]+)>[^\n]*\n([^\n]*)", re.MULTILINE)


def _each(items: Iterable[tuple[str, Any]], make: Callable[[str, Any], Record]) -> Found:
    records, problems = [], []
    for place, item in items:
        try:
            records.append(make(place, item))
        except InputError as problem:
            problems.append(Problem(place, str(problem)))
    return records, problems


def _atoms(mol: Any) -> np.ndarray:
    """(n,) nuclear charges; a dummy or an element beyond the table is refused."""
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], dtype=np.int64)
    for k in np.flatnonzero((numbers < 1) | (numbers >= len(SYMBOLS))):
        raise InputError(
            f"atom {k + 1} is {mol.GetAtomWithIdx(int(k)).GetSymbol()!r}; elements from H to Rn are known"
        )
    return numbers


def _unpaired(mol: Any) -> int:
    return sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())


# --- sdf -------------------------------------------------------------------------------------------------------------


def read_sdf(text: str, told: Told, where: str) -> Found:
    """All mol blocks of a text, with the energy that stands under `energy_key` among the properties."""
    blocks = re.split(r"^\$\$\$\$[^\n]*\n?", text, flags=re.MULTILINE)
    seen: set[str] = set()

    def make(place: str, block: str) -> Record:
        info = {key: value.strip() for key, value in PROPERTY.findall(block)}
        seen.update(key for key in info if "energ" in key.lower() and key != "energy_unit")
        record = _from_block(place, block, told)
        record.meaning = meaning_of(info)
        if told.energy_key is not None and told.energy_key in info:
            try:
                record.energy = float(info[told.energy_key])
            except ValueError:
                raise InputError(
                    f"{told.energy_key!r} must be a number, got {info[told.energy_key]!r}"
                ) from None
            if not np.isfinite(record.energy):
                raise InputError(
                    f"{told.energy_key!r} is {info[told.energy_key]!r}, not a finite number"
                )
        if "spin" in info:
            record.spin = whole(info, "spin")
        return record

    found = _each(
        ((f"{where}, molecule {k}", block) for k, block in enumerate(filter(str.strip, blocks), 1)),
        make,
    )
    if found[0] and all(record.energy is None for record in found[0]):
        lost_label(seen, told.energy_key, "energ", "energy_key", where)
    return found


def _from_block(place: str, block: str, told: Told) -> Record:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        mol = Chem.MolFromMolBlock(block, removeHs=False, sanitize=False)
        if mol is None or mol.GetNumAtoms() == 0:
            raise InputError(
                "not a mol block that can be read (three header lines, then the counts)"
            )
        numbers, conformer = _atoms(mol), mol.GetConformer()
        positions = np.array(conformer.GetPositions(), dtype=np.float64)
        if not conformer.Is3D() and np.ptp(positions[:, 2]) == 0 and len(numbers) > 2:
            raise InputError("a flat drawing, not a geometry; give its SMILES to have one made")
        try:
            Chem.SanitizeMol(mol)
            missing = (
                sum(atom.GetTotalNumHs() for atom in mol.GetAtoms()) if mol.GetNumBonds() else 0
            )
        except ValueError:  # unusual valences; nuclei and positions are all that is needed
            missing = 0
    if missing:
        raise InputError(
            f"its bonds ask for {missing} more hydrogens than it has; add them with their positions (or mark "
            "radicals with M  RAD)"
        )
    name = mol.GetProp("_Name") if mol.HasProp("_Name") else ""
    return Record(
        place, numbers, positions * told.scale, name, Chem.GetFormalCharge(mol), _unpaired(mol)
    )


# --- SMILES ----------------------------------------------------------------------------------------------------------


def read_text(text: str, told: Told, where: str) -> Found:
    """One SMILES, which is its own place."""
    return _each([(_short(text)[1:-1], text.strip())], from_smiles)


def read_smi(text: str, told: Told, where: str) -> Found:
    """`SMILES name` a line; a first line that says so is a heading."""
    lines = [
        (k, line.split())
        for k, line in enumerate(text.split("\n"), 1)
        if line.strip() and line[0] != "#"
    ]
    if lines and lines[0][1][0].lower() == "smiles":
        del lines[0]
    items = [(f"{where}, line {k}", words) for k, words in lines]
    return _each(items, lambda place, words: from_smiles(place, words[0], " ".join(words[1:])))


def read_csv(text: str, told: Told, where: str) -> Found:
    """A table with a column SMILES; a column `name` names, a column called `energy_key` holds energies."""
    heading = text.lstrip("\n").partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    rows = csv.DictReader(text.split("\n"), delimiter=delimiter)
    heads = {head.strip().lower(): head for head in rows.fieldnames or []}
    if "smiles" not in heads:
        raise InputError(
            f"{where}: expected a column named SMILES, got {', '.join(rows.fieldnames or []) or 'none'}"
        )
    key = heads.get(told.energy_key.lower()) if told.energy_key else None
    if key is None:
        lost_label(set(), told.energy_key, "energ", "energy_key", where)

    def make(place: str, row: dict[str, str]) -> Record:
        record = from_smiles(
            place, row[heads["smiles"]] or "", row.get(heads.get("name", ""), "") or ""
        )
        if key and (row[key] or "").strip():
            try:
                record.energy = float(row[key])
            except ValueError:
                raise InputError(f"{key!r} must be a number, got {row[key]!r}") from None
            if not np.isfinite(record.energy):
                raise InputError(f"{key!r} is {row[key]!r}, not a finite number")
        return record

    return _each([(f"{where}, line {rows.line_num}", row) for row in rows], make)


def from_smiles(place: str, smiles: str, name: str = "") -> Record:
    """One RDKit conformer (ETKDG, seed 0), cleaned with MMFF94 where it has parameters, else UFF.

    Charge and unpaired electrons are kept; fragments that no bond joins are refused.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles) if smiles.strip() and "\0" not in smiles else None
        if mol is None or mol.GetNumAtoms() == 0:
            raise InputError(
                f"{_short(smiles)} is neither a file that exists nor a SMILES that can be read"
            )
        fragments = len(Chem.GetMolFrags(mol))
        if fragments > 1:
            raise InputError(
                f"{_short(smiles)} has {fragments} disconnected fragments; give one molecule"
            )
        _atoms(mol)
        mol = Chem.AddHs(mol)
        positions = _embedded(mol)
    if positions is None:
        raise InputError(f"no geometry could be made for {_short(smiles)}; give one as xyz")
    return Record(
        place, _atoms(mol), positions, name or smiles, Chem.GetFormalCharge(mol), _unpaired(mol)
    )


def _embedded(mol: Any) -> np.ndarray | None:
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    if rdDistGeom.EmbedMolecule(mol, randomSeed=0) and rdDistGeom.EmbedMolecule(
        mol, useRandomCoords=True, randomSeed=0
    ):
        return None
    steps = (
        1000 if mol.GetNumAtoms() <= 100 else 200
    )  # a clean-up, not a search: beyond, minutes for little
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
        rdForceFieldHelpers.MMFFOptimizeMolecule(mol, maxIters=steps)
    elif rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
        rdForceFieldHelpers.UFFOptimizeMolecule(mol, maxIters=steps)
    return np.array(mol.GetConformer().GetPositions(), dtype=np.float64)


def _short(smiles: str) -> str:
    return repr(smiles) if len(smiles) <= 60 else f"{smiles[:57]!r}…"
