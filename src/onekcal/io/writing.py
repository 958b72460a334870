"""Molecules to files: xyz, extxyz, sdf, npz, in kcal/mol and Å. A file is whole or is not made.

npz keeps everything. extxyz and sdf keep the target energy (or the first energy) with its unit,
kind and level in words that `read` understands. extxyz keeps its forces too. xyz keeps only the
geometry and the name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from onekcal.data.dataset import Column, Dataset
from onekcal.errors import InputError, unknown
from onekcal.io.own_arrays import arrays_of
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.system.files import whole_file


def write(
    path: str | os.PathLike[str], data: Dataset | Molecules, format: str | None = None
) -> None:
    """Write molecules to a file. The file is written whole or not at all.

    Parameters
    ----------
    path
        The file. One that exists is replaced.
    data
        The molecules. Energies are written in kcal/mol, forces in kcal/mol/Å, positions in Å.
    format
        "xyz", "extxyz", "sdf" or "npz". None goes by the ending of the name.

    Raises
    ------
    InputError
        The format or the folder does not exist, or bonds for an sdf file cannot be found.
    """
    path = Path(path)
    dataset = data if isinstance(data, Dataset) else Dataset(data)
    ending = check_target(path, format)
    with whole_file(path) as part:
        if ending == "npz":
            with part.open("wb") as file:
                np.savez_compressed(file, **arrays_of(dataset))  # type: ignore[arg-type]
        else:
            with part.open("w", encoding="utf-8", newline="\n") as lines:
                lines.writelines(WRITERS[ending](dataset))


def check_target(path: Path, format: str | None = None) -> str:
    """Return the format that a file is written in, before anything is computed for it.

    Parameters
    ----------
    path
        The file.
    format
        As in `write`.

    Raises
    ------
    InputError
        The format or the folder does not exist.
    """
    ending = (path.suffix if format is None else format).lower().removeprefix(".")
    if ending not in ("npz", *WRITERS):
        unknown("format to write", ending, [*WRITERS, "npz"])
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} to write {path.name} in")
    return ending


class _Pieces:
    """The molecules of a batch one after the other, without a batch for each."""

    def __init__(self, molecules: Molecules) -> None:
        self.bounds = molecules.offsets.tolist()
        self.numbers = molecules.numbers.tolist()
        self.positions = molecules.positions.numpy()
        self.names = [
            " ".join(str(name).split()) for name in molecules.names
        ]  # a line break would end the comment
        self.charges, self.spins = molecules.charges.tolist(), molecules.spins.tolist()

    def block(self, m: int, comment: str, extra: np.ndarray | None = None) -> str:
        """Return one xyz frame. The columns of `extra` (A, 3) stand behind the positions."""
        a, b = self.bounds[m], self.bounds[m + 1]
        table = (
            self.positions[a:b] if extra is None else np.hstack([self.positions[a:b], extra[a:b]])
        )
        return xyz_frame(self.numbers[a:b], table, comment)


def xyz_frame(numbers: Sequence[int], table: np.ndarray, comment: str) -> str:
    """Return one frame of an xyz file.

    Parameters
    ----------
    numbers
        (n,) nuclear charges.
    table
        (n, columns) positions (Å) and whatever stands behind them.
    comment
        The second line.
    """
    row = " ".join(["%16.10f"] * table.shape[1])
    form = "".join([f"{SYMBOLS[z]:2s} {row}\n" for z in numbers])
    return f"{len(numbers)}\n{comment}\n" + form % tuple(table.ravel().tolist())


def _xyz(dataset: Dataset) -> Iterator[str]:
    pieces = _Pieces(dataset.molecules)
    return (pieces.block(m, name) for m, name in enumerate(pieces.names))


def _chosen(dataset: Dataset) -> tuple[str, Column | None]:
    """Return the name and the column of the target energy, or of the first energy."""
    energies = [name for name, column in dataset.columns.items() if column.quantity == "energy"]
    name = dataset.target or (energies[0] if energies else "")
    return name, dataset.columns.get(name)


def _meaning(column: Column) -> dict[str, str]:
    words = {"energy_unit": column.unit, "kind": column.kind, "at": column.at}
    words["level"] = column.level
    return {key: value for key, value in words.items() if value}


def _extxyz(dataset: Dataset) -> Iterator[str]:
    """Write `energy` and `forces` (kcal/mol/Å), and what they mean."""
    pieces = _Pieces(dataset.molecules)
    name, column = _chosen(dataset)
    pull = dataset.columns.get(f"{name}_forces")
    forces = None if pull is None else pull.values.numpy()
    head = "Properties=species:S:1:pos:R:3" + ("" if forces is None else ":forces:R:3")
    energies = None if column is None else column.values.tolist()
    meaning = (
        ""
        if column is None
        else " ".join(f"{key}={quoted(value)}" for key, value in _meaning(column).items())
    )
    for m in range(len(dataset)):
        words = [head] if energies is None else [head, f"energy={energies[m]:.10f}", meaning]
        if pieces.names[m]:
            words.append(f"name={quoted(pieces.names[m])}")
        words += [
            f"{key}={value}"
            for key, value in (("charge", pieces.charges[m]), ("spin", pieces.spins[m]))
            if value
        ]
        yield pieces.block(m, " ".join(words), forces)


def quoted(text: str) -> str:
    """Return a value as the comment of an extended xyz file takes it.

    Parameters
    ----------
    text
        The value.
    """
    if text and all(letter.isalnum() or letter in "-_./" for letter in text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _sdf(dataset: Dataset) -> Iterator[str]:
    """Write mol blocks. RDKit finds the bonds; a molecule where it cannot is refused by name."""
    pieces = _Pieces(dataset.molecules)
    _, column = _chosen(dataset)
    for m in range(len(dataset)):
        tags = {"spin": str(pieces.spins[m])} if pieces.spins[m] else {}
        if column is not None:
            tags |= {"energy": f"{float(column.values[m]):.10f}", **_meaning(column)}
        properties = "".join(f">  <{key}>\n{value}\n\n" for key, value in tags.items())
        yield _mol_block(pieces, m) + properties + "$$$$\n"


def _mol_block(pieces: _Pieces, m: int) -> str:
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDetermineBonds

    with rdBase.BlockLogs():
        mol = Chem.MolFromXYZBlock(pieces.block(m, ""))
        try:
            rdDetermineBonds.DetermineBonds(
                mol,
                charge=pieces.charges[m],
                allowChargedFragments=not pieces.spins[m],
                embedChiral=False,
            )
        except (ValueError, RuntimeError) as problem:
            why = str(problem).strip().partition("\n")[0]
            raise InputError(
                f"molecule {m + 1} ({pieces.names[m]!r}): its bonds cannot be found from its "
                f"geometry ({why}); write xyz instead"
            ) from None
    mol.SetProp("_Name", pieces.names[m])
    return Chem.MolToMolBlock(mol)


WRITERS: dict[str, Callable[[Dataset], Iterator[str]]] = {
    "xyz": _xyz,
    "extxyz": _extxyz,
    "sdf": _sdf,
}
