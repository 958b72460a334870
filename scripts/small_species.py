"""Make the table of small species with experiments: src/onekcal/thermo/small_species.csv.

    python scripts/small_species.py FOLDER

FOLDER holds rmg_reference.npz (experiments that RMG-database collected), qm9.npz and
qm9_g4mp2_labels.npz. Kept are the neutral species that can be a piece of a bond separation: one
heavy atom (or group) with its neighbours. Further experiments come from bench/experiment.csv, and
from `MORE`. A published G4(MP2) energy becomes a heat of formation at 298 K with GFN2-xTB's
frequencies. Labels of Ward's hold-out are left out.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from onekcal.bench.experiments import experiment
from onekcal.errors import InputError
from onekcal.geometry.species import Species, species
from onekcal.molecules import Molecules
from onekcal.prediction.separation import separations
from onekcal.thermo.ledger import ATOM_FORMATION, ledger
from onekcal.thermo.small_species import FILE

ATCT = "Active Thermochemical Tables"
PEDLEY = "Pedley, Naylor, Kirby, Thermochemical Data of Organic Compounds (1986)"
MORE = {
    "[H]": (52.103, 0.000, ATCT),
    "[C]": (171.34, 0.01, ATCT),
    "[N]": (112.92, 0.01, ATCT),
    "[O]": (59.567, 0.001, ATCT),
    "[F]": (18.97, 0.01, ATCT),
    "[Cl]": (28.992, 0.001, ATCT),
    "CC(C)(C)O": (-74.72, 0.22, PEDLEY),
    "CC(C)N": (-20.00, 0.19, PEDLEY),
}
"""ΔfH(298.15 K), uncertainty (kcal/mol) and source."""
HOLD_OUT = 2


class Found(NamedTuple):
    """An experiment: kcal/mol, and where it comes from."""

    formation: float
    uncertainty: float
    source: str


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("folder", type=Path)
    folder = ask.parse_args().folder
    known = experiments(folder)
    published = labels(folder, set(known))
    rows = sorted(known, key=lambda one: (len(species(one).mol.GetAtoms()), one))
    with FILE.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file, lineterminator="\n")
        write.writerow(
            [
                "smiles",
                "formation_298_kcal_per_mol",
                "uncertainty_kcal_per_mol",
                "source",
                "g4mp2_298_kcal_per_mol",
            ]
        )
        for one in rows:
            value = known[one]
            computed = f"{published[one]:.2f}" if one in published else ""
            write.writerow(
                [one, f"{value.formation:.3f}", f"{value.uncertainty:.3f}", value.source, computed]
            )
    print(f"{len(rows)} species, {len(published)} with a published G4(MP2) energy")


def experiments(folder: Path) -> dict[str, Found]:
    """Experiments of the species that can be a piece; the first source of each wins."""
    found: dict[str, Found] = {}
    with np.load(folder / "rmg_reference.npz") as file:
        fields = ("smiles", "charge", "unpaired", "expt", "expt_uncertainty", "source")
        rows = sorted(zip(*(file[name].tolist() for name in fields)), key=lambda row: row[5])
    for smiles, charge, unpaired, value, error, source in rows:  # ATcT comes first
        if not charge:
            known = Found(value, error if error == error else 0.0, long(source))
            keep(found, smiles, known, unpaired)
    for row in experiment():
        value, error = (
            float(row[f"{name}_kcal_per_mol"]) for name in ("formation_298", "uncertainty")
        )
        keep(found, row["smiles"], Found(value, error, row["source"]))
    for smiles, more in MORE.items():
        keep(found, smiles, Found(*more))
    return found


def long(source: str) -> str:
    """How the table names a source of RMG-database."""
    names = {"ATcT": ATCT, "CCCBDB": "NIST CCCBDB"}
    return f"{names.get(source, source)}, in RMG-database"


def keep(found: dict[str, Found], smiles: str, known: Found, unpaired: int | None = None) -> None:
    """Add a species that can be a piece and that the ledger has atoms for."""
    try:
        state = species(smiles)
    except InputError:
        return
    right = unpaired is None or state.spin == unpaired
    elements = {atom.GetAtomicNum() for atom in state.mol.GetAtoms()}
    if right and elements <= set(ATOM_FORMATION) and is_piece(state):
        found.setdefault(state.smiles, known)


def is_piece(state: Species) -> bool:
    """Whether the highest rung of the hierarchy leaves a species whole."""
    try:
        return all(one.rung == 1 for one in separations(state.smiles))
    except InputError:
        return True


def labels(folder: Path, wanted: set[str]) -> dict[str, float]:
    """ΔfH(298 K) of those with a published G4(MP2) energy, kcal/mol."""
    with np.load(folder / "qm9.npz") as file:
        offsets, numbers, positions = file["offsets"], file["Z"], file["R"]
    with np.load(folder / "qm9_g4mp2_labels.npz") as file:
        table = {name: file[name] for name in ("smiles", "qm9_row", "AE_g4mp2", "split")}
    found: dict[str, float] = {}
    for k in np.flatnonzero(table["split"] != HOLD_OUT):
        text = table["smiles"][k].decode()
        if len(text) > LONGEST:
            continue
        smiles = species(text).smiles
        if smiles in wanted and smiles not in found:
            row = slice(*offsets[table["qm9_row"][k] :][:2])
            molecule = Molecules.one(numbers[row], positions[row])
            energy = float(table["AE_g4mp2"][k])
            found[smiles] = ledger(molecule, energy, "g4mp2", thermal="gfn2").formation_298
    return found


LONGEST = 12
"""Characters of the SMILES of a piece."""

if __name__ == "__main__":
    main()
