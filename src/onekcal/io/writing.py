"""Molecules out: xyz, extxyz, sdf, npz. Energies are kcal/mol, lengths Å; a file is whole or not there."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import numpy as np

from onekcal.data.dataset import Dataset
from onekcal.errors import InputError, unknown
from onekcal.molecules import SYMBOLS, Molecules


def write(path: str | os.PathLike[str], data: Dataset | Molecules) -> None:
    """Write xyz, extxyz, sdf or npz by the name's ending; energies kcal/mol, Å. Never half a file."""
    path = Path(path)
    dataset = data if isinstance(data, Dataset) else Dataset(data)
    writers = {".xyz": _xyz_text, ".extxyz": _extxyz_text, ".sdf": _sdf_text}
    if path.suffix.lower() not in [*writers, ".npz"]:
        unknown("format to write", path.suffix, [*writers, ".npz"])
    part = path.with_name(path.name + ".part")
    try:
        if path.suffix.lower() == ".npz":
            with part.open("wb") as file:
                np.savez_compressed(file, **_npz_arrays(dataset))  # type: ignore[arg-type]
        else:
            part.write_text(writers[path.suffix.lower()](dataset), encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _xyz_text(dataset: Dataset) -> str:
    return "".join(_block(molecule, str(molecule.names[0])) for molecule in dataset.molecules)


def _block(molecule: Molecules, comment: str, extra: np.ndarray | None = None) -> str:
    table = molecule.positions.numpy() if extra is None else np.hstack([molecule.positions.numpy(), extra])
    rows = (f"{SYMBOLS[z]:2s} " + " ".join(f"{x:16.10f}" for x in row) for z, row in zip(molecule.numbers.tolist(), table))
    return f"{len(table)}\n{comment}\n" + "\n".join(rows) + "\n"


def _extxyz_text(dataset: Dataset) -> str:
    """The target, or the first energy, under `energy`; its forces under `forces`; units said in the comment."""
    energies = [name for name, column in dataset.columns.items() if column.quantity == "energy"]
    chosen = dataset.target or (energies[0] if energies else None)
    out = []
    for m in range(len(dataset)):
        one = dataset[m]
        words = ["Properties=species:S:1:pos:R:3"]
        pull = None
        if chosen is not None:
            column = one.columns[chosen]
            words.append(f"energy={float(column.values[0]):.10f} energy_unit=kcal/mol kind={column.kind}")
            if column.level:
                words.append(f'level="{column.level}"')
            if f"{chosen}_forces" in one.columns:
                pull = one.columns[f"{chosen}_forces"].values.numpy()
                words[0] += ":forces:R:3"
        if name := str(one.molecules.names[0]):
            words.append(f"name={shlex.quote(name)}")
        states = {"charge": int(one.molecules.charges[0]), "spin": int(one.molecules.spins[0])}
        words += [f"{key}={value}" for key, value in states.items() if value]
        out.append(_block(one.molecules, " ".join(words), pull))
    return "".join(out)


def _sdf_text(dataset: Dataset) -> str:
    """Bonds are perceived from the geometry (RDKit); a molecule whose bonds cannot be is refused by name."""
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDetermineBonds

    out = []
    for m, molecule in enumerate(dataset.molecules):
        with rdBase.BlockLogs():
            mol = Chem.MolFromXYZBlock(_block(molecule, ""))
            try:
                rdDetermineBonds.DetermineBonds(mol, charge=int(molecule.charges[0]))
            except ValueError as problem:
                raise InputError(f"molecule {m} ({molecule.formulas[0]}): bonds cannot be told from the geometry "
                                 f"({problem}); write xyz instead") from None
        mol.SetProp("_Name", str(molecule.names[0]))
        out.append(Chem.MolToMolBlock(mol) + "$$$$\n")
    return "".join(out)


def _npz_arrays(dataset: Dataset) -> dict[str, np.ndarray]:
    molecules = dataset.molecules
    arrays = {"numbers": molecules.numbers.numpy().astype(np.uint8), "positions": molecules.positions.numpy(),
              "offsets": molecules.offsets.numpy(), "name": molecules.names.astype(str),
              "charge": molecules.charges.numpy(), "spin": molecules.spins.numpy()}
    for name, c in dataset.columns.items():
        arrays[f"column:{name}"] = c.values.numpy()
        arrays[f"meaning:{name}"] = np.array([c.quantity, c.level, c.kind, c.at, c.unit, c.note])
    return arrays
