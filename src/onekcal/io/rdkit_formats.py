"""Formats that RDKit reads: mol blocks (sdf) with a geometry, and SMILES, which get one here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from io import StringIO
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from onekcal.errors import InputError
from onekcal.io.assembly import lost_label
from onekcal.io.options import ReadOptions
from onekcal.io.records import Parsed, Problem, Record, energy_of, meaning_of, whole_number
from onekcal.io.smiles import is_smiles, read_smiles, short, with_hydrogens
from onekcal.io.smiles_lines import SmilesLine, csv_lines, smi_lines
from onekcal.molecules import SYMBOLS, Molecules

if TYPE_CHECKING:
    from rdkit.Chem import Mol

Item = TypeVar("Item")
PROPERTY = re.compile(r"^>.*?<([^>\n]+)>[^\n]*\n([^\n]*)", re.MULTILINE)
END_OF_BLOCK = re.compile(r"^\$\$\$\$[^\n]*\n?", re.MULTILINE)


def _each(items: Iterable[tuple[str, Item]], make: Callable[[str, Item], Record]) -> Parsed:
    records, problems = [], []
    for place, item in items:
        try:
            records.append(make(place, item))
        except InputError as problem:
            problems.append(Problem(place, str(problem)))
    return records, problems


def _atoms(mol: Mol) -> np.ndarray:
    """(n,) nuclear charges; a dummy or an element beyond the table is refused."""
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], dtype=np.int64)
    for k in np.flatnonzero((numbers < 1) | (numbers >= len(SYMBOLS))):
        raise InputError(
            f"atom {k + 1} is {mol.GetAtomWithIdx(int(k)).GetSymbol()!r}; elements from H to Rn "
            "are known"
        )
    return numbers


def _unpaired(mol: Mol) -> int:
    return sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())


# --- sdf --------------------------------------------------------------------------------------


def read_sdf(text: str, options: ReadOptions, where: str) -> Parsed:
    """Read all mol blocks of a text.

    Parameters
    ----------
    text
        The content of an sdf or mol file.
    options
        What the caller says about it. The property `energy_key` is the energy.
    where
        The file, as messages name it.
    """
    seen: set[str] = set()

    def make(place: str, block: str) -> Record:
        info = tags_of(block)
        seen.update(key for key in info if "energ" in key.lower() and key != "energy_unit")
        record = _from_block(place, block, options)
        record.meaning = meaning_of(info)
        if options.energy_key is not None and options.energy_key in info:
            record.energy = energy_of(info[options.energy_key], options.energy_key)
        if "spin" in info:
            record.spin = whole_number(info, "spin")
        return record

    parsed = _each(
        ((f"{where}, molecule {k}", block) for k, block in enumerate(blocks_of(text), 1)),
        make,
    )
    if parsed[0] and all(record.energy is None for record in parsed[0]):
        lost_label(seen, options.energy_key, "energ", "energy_key", where)
    return parsed


def blocks_of(text: str) -> list[str]:
    """Split the text of an sdf file into its molecules.

    Parameters
    ----------
    text
        With one kind of line ending.
    """
    return list(filter(str.strip, END_OF_BLOCK.split(text)))


def tags_of(block: str) -> dict[str, str]:
    """Return the tags of one molecule of an sdf file; of a tag of several lines, the first.

    Parameters
    ----------
    block
        One of `blocks_of`.
    """
    return {key: value.strip() for key, value in PROPERTY.findall(block)}


def title_of(block: str) -> str:
    """Return the name of one molecule of an sdf file.

    Parameters
    ----------
    block
        One of `blocks_of`.
    """
    return block.split("\n", 1)[0].strip()


def drawn(block: str) -> str:
    """Return the SMILES of a flat drawing; "" of anything else.

    Parameters
    ----------
    block
        One of `blocks_of`.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        try:
            mol = Chem.MolFromMolBlock(block)
        except RuntimeError:  # an invariant of RDKit is violated
            return ""
        if mol is None or mol.GetNumAtoms() == 0 or not _is_flat(mol):
            return ""
        return Chem.MolToSmiles(mol)


def _is_flat(mol: Mol) -> bool:
    conformer = mol.GetConformer()
    heights = np.array(conformer.GetPositions())[:, 2]
    return not conformer.Is3D() and np.ptp(heights) == 0


def _from_block(place: str, block: str, options: ReadOptions) -> Record:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        try:
            mol = Chem.MolFromMolBlock(block, removeHs=False, sanitize=False)
        except RuntimeError:  # an invariant of RDKit is violated
            mol = None
        if mol is None or mol.GetNumAtoms() == 0:
            raise InputError(
                "it is not a mol block that can be read (three header lines, then the counts)"
            )
        numbers = _atoms(mol)
        positions = np.array(mol.GetConformer().GetPositions(), dtype=np.float64)
        if len(numbers) > 2 and _is_flat(mol):
            raise InputError(
                "it is a flat drawing, not a geometry; give its SMILES, and a geometry is made"
            )
        try:
            Chem.SanitizeMol(mol)
            whole = True
        except (
            ValueError,
            RuntimeError,
        ):  # unusual valences do not matter: only nuclei and positions are needed
            whole = False
    if whole and mol.GetNumBonds():
        _refuse_bare(mol)
    name = mol.GetProp("_Name") if mol.HasProp("_Name") else ""
    return Record(
        place, numbers, positions * options.scale, name, Chem.GetFormalCharge(mol), _unpaired(mol)
    )


def _refuse_bare(mol: Mol) -> None:
    missing = sum(atom.GetTotalNumHs() for atom in mol.GetAtoms())
    if missing:
        raise InputError(
            f"its bonds need {missing} more hydrogens than it has; add them with their "
            "positions (or mark radicals with M  RAD)"
        )


def from_mol(mol: Mol) -> str | Molecules:
    """Return the molecule that RDKit's is: with its geometry where it has one, else its SMILES.

    Parameters
    ----------
    mol
        One molecule. A conformer in space (not a drawing) is its geometry, Å.

    Returns
    -------
    str or Molecules
        A SMILES, or a batch of one.

    Raises
    ------
    InputError
        It has no atoms, or a geometry without some of its hydrogens.
    """
    from rdkit import Chem

    if mol.GetNumAtoms() == 0:
        raise InputError("this Mol is empty; expected at least one atom")
    if not mol.GetNumConformers() or not mol.GetConformer().Is3D():
        return str(Chem.MolToSmiles(mol))
    _refuse_bare(mol)
    return Molecules.one(
        _atoms(mol),
        mol.GetConformer().GetPositions(),
        Chem.GetFormalCharge(mol),
        _unpaired(mol),
        mol.GetProp("_Name") if mol.HasProp("_Name") else "",
    )


# --- SMILES -----------------------------------------------------------------------------------


def read_text(text: str, options: ReadOptions, where: str) -> Parsed:
    """Read one SMILES.

    Parameters
    ----------
    text
        The SMILES. In messages it stands for its place.
    options, where
        Not needed. They are there because all readers take the same arguments.
    """
    smiles = text.strip()
    if not is_smiles(smiles):
        raise InputError(
            f"{short(smiles)} is neither a file that exists nor a SMILES that can be read"
        )
    return _each([(short(smiles)[1:-1], smiles)], from_smiles)


def read_smi(text: str, options: ReadOptions, where: str) -> Parsed:
    """Read the lines of a .smi file.

    Parameters
    ----------
    text
        The content of the file.
    options
        Not needed.
    where
        The file, as messages name it.
    """
    lines = smi_lines(StringIO(text), where)
    return _each(
        ((line.place, line) for line in lines),
        lambda place, line: from_smiles(place, line.smiles, line.name),
    )


def read_csv(text: str, options: ReadOptions, where: str) -> Parsed:
    """Read a table of SMILES.

    Parameters
    ----------
    text
        The content of the file.
    options
        What the caller says about it. A column called `energy_key` holds energies.
    where
        The file, as messages name it.
    """
    lines = list(csv_lines(StringIO(text), where, options.smiles_column))
    key = (options.energy_key or "").strip().lower()
    heads = {head.lower(): head for head in lines[0].cells} if lines else {}
    if key not in heads:
        lost_label(set(), options.energy_key, "energ", "energy_key", where)

    def make(place: str, line: SmilesLine) -> Record:
        if not line.smiles:
            raise InputError("no SMILES in this row")
        record = from_smiles(place, line.smiles, line.name)
        word = line.cells[heads[key]] if key in heads else ""
        if word:
            record.energy = energy_of(word, options.energy_key)
        return record

    return _each(((line.place, line) for line in lines), make)


def from_smiles(place: str, smiles: str, name: str = "") -> Record:
    """Make one conformer of a SMILES (ETKDG, seed 0).

    MMFF94 relaxes it, or UFF where MMFF94 lacks parameters. Charge and unpaired electrons are
    kept.

    Parameters
    ----------
    place
        The file and line, as messages name them.
    smiles
        One whole molecule.
    name
        Its name. Where it is "", the SMILES is the name.
    """
    from rdkit import Chem, rdBase

    mol = with_hydrogens(read_smiles(smiles))
    with rdBase.BlockLogs():
        positions = _embedded(mol)
    if positions is None:
        raise InputError(f"no geometry could be made for {short(smiles)}; give one as xyz")
    return Record(
        place, _atoms(mol), positions, name or smiles, Chem.GetFormalCharge(mol), _unpaired(mol)
    )


def _embedded(mol: Mol) -> np.ndarray | None:
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    if rdDistGeom.EmbedMolecule(mol, randomSeed=0) and rdDistGeom.EmbedMolecule(
        mol, useRandomCoords=True, randomSeed=0
    ):
        return None
    # this is a clean-up and no search: in a large molecule more steps take minutes for little
    steps = 1000 if mol.GetNumAtoms() <= 100 else 200
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
        rdForceFieldHelpers.MMFFOptimizeMolecule(mol, maxIters=steps)
    elif rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
        rdForceFieldHelpers.UFFOptimizeMolecule(mol, maxIters=steps)
    return np.array(mol.GetConformer().GetPositions(), dtype=np.float64)
