"""Geometries a SMILES leads to: molecules of QM9-G4MP2 from their SMILES alone, as a data set.

    onekcal data get qm9-g4mp2-relaxed
    ONEKCAL_MIRROR=… python scripts/smiles_geometries.py OUT.h5 RELAXED [--model g4mp2]
        [--count 1060] [--seed 0]

RELAXED is that set, or a file of more such molecules. Draws `count` of Ward's hold-out and, without
`--tested`, `count` of the validation part from those in it. The SMILES of each is read off its
geometry, with its stereochemistry, because a label belongs to one stereoisomer. Makes conformers of
it, keeps the one that the model finds lowest, and writes geometry, GFN2 energy (relative to free
atoms, kcal/mol) and the rivalry of the conformers (kcal/mol). All conformers are lines of
OUT.partial: run again, it goes on, and another model takes seconds. Those that fail are left out
and listed in OUT.failed.

The published label belongs to QM9's conformer, which is seldom the lowest. RELAXED holds that
conformer relaxed with GFN2-xTB. Column `g4mp2` is the label of the lowest conformer that is known:

    label + min(0, E_GFN2(from SMILES) − E_GFN2(QM9's conformer))

Where the search has missed QM9's lower conformer, the label stays, and the miss counts as an error.
Column `g4mp2_published` is the label as it was published.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.data.splits import TEST, VALID
from onekcal.datasets import load, store
from onekcal.datasets.card import Card, Stored
from onekcal.errors import OnekcalError
from onekcal.geometry.bonds import perceived
from onekcal.geometry.conformers import conformers, rivalry_among
from onekcal.geometry.stereo import form_at
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.molecules import Molecules
from onekcal.quantum.free_atoms import free_atoms_of
from onekcal.quantum.named import method


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("out", type=Path)
    ask.add_argument("relaxed")
    ask.add_argument("--model", default="g4mp2")
    ask.add_argument("--tested", action="store_true", help="the hold-out alone")
    ask.add_argument("--count", type=int, default=1060)
    ask.add_argument("--seed", type=int, default=0)
    asked = ask.parse_args()
    torch.set_num_threads(1)
    artefact = load_model(asked.model)
    labels = np.load(Path(os.environ["ONEKCAL_MIRROR"]) / "qm9_g4mp2_labels.npz")
    relaxed = load(asked.relaxed).dataset
    energies = dict(zip(relaxed.molecules.names, relaxed.columns["gfn2"].values.tolist()))
    number = {name: k for k, name in enumerate(relaxed.molecules.names)}
    there = np.array([f"gdb {k}" in energies for k in labels["gdb_id"]])
    draw = np.random.default_rng(asked.seed)
    rows = np.concatenate(
        [
            draw.permutation(np.flatnonzero((labels["split"] == part) & there))[: asked.count]
            for part in ([TEST] if asked.tested else [TEST, VALID])
        ]
    )
    partial = asked.out.with_name(asked.out.name + ".partial")
    lines = partial.read_text().splitlines() if partial.exists() else []
    known = {record["row"]: record for record in map(json.loads, lines)}
    with partial.open("a") as file:
        for row in rows.tolist():
            if row not in known:
                place = relaxed.molecules[number[f"gdb {labels['gdb_id'][row]}"]]
                known[row] = of_smiles(form_of(place) or labels["smiles"][row].decode())
                known[row] |= {"row": row}
                file.write(json.dumps(known[row]) + "\n")
                file.flush()
    good = [row for row in rows.tolist() if "error" not in known[row]]
    failed = [
        f"gdb {labels['gdb_id'][row]}: {known[row]['error']}"
        for row in rows.tolist()
        if "error" in known[row]
    ]
    asked.out.with_name(asked.out.name + ".failed").write_text(
        "".join(line + "\n" for line in failed)
    )
    card = Card(
        asked.out.stem, f"{len(good)} molecules of QM9-G4MP2 from their SMILES", molecules=len(good)
    )
    split = {"ward": torch.from_numpy(labels["split"][good])}
    chosen = [known[row] | chosen_by(artefact, known[row]) for row in good]
    store.save(asked.out, Stored(dataset_of(chosen, labels, energies), split, card))
    print(f"{asked.out}: {len(good)} molecules, {len(failed)} failed")


def chosen_by(artefact: Artefact, record: dict[str, Any]) -> dict[str, Any]:
    """The place (Å), GFN2 energy and rivalry of the conformer that the model finds lowest."""
    places = [Molecules.one(record["numbers"], place) for place in record["positions"]]
    energies = artefact.model.energies(Molecules.concatenate(places)).numpy()
    k = int(energies.argmin())
    return {
        "molecule": places[k],
        "gfn2": record["gfn2"][k],
        "rivalry": rivalry_among(energies - energies[k]),
    }


def dataset_of(
    chosen: list[dict[str, Any]], labels: Mapping[str, np.ndarray], relaxed: Mapping[str, float]
) -> Dataset:
    """The geometries that were found, with their energies, rivalries and times."""
    good = [one["row"] for one in chosen]
    molecules = replace(
        Molecules.concatenate([one["molecule"] for one in chosen]),
        name=np.array([f"gdb {labels['gdb_id'][row]}" for row in good]),
    )
    bound = torch.tensor([one["gfn2"] for one in chosen], dtype=torch.float64)
    gfn2 = bound - free_atoms_of(method("gfn2"), molecules.elements).energies(molecules)
    theirs = torch.tensor([relaxed[name] for name in molecules.names], dtype=torch.float64)
    published = torch.from_numpy(labels["AE_g4mp2"][good].astype(np.float64))
    columns = {
        "g4mp2": Column(published + (gfn2 - theirs).clamp(max=0), level="g4mp2", at="0 K"),
        "g4mp2_published": Column(published, level="g4mp2", at="0 K"),
        "gfn2": Column(gfn2, level="gfn2-xtb"),
        "rivalry": Column(torch.tensor([one["rivalry"] for one in chosen]), "property"),
        "seconds": Column(torch.tensor([one["seconds"] for one in chosen]), "property", unit="s"),
    }
    return Dataset(molecules, columns)


def form_of(molecule: Molecules) -> str:
    """The SMILES of a geometry, with its stereochemistry; "" where its bonds are not clear."""
    mol = perceived(molecule.numbers.numpy(), molecule.positions.numpy())
    return "" if mol is None else form_at(mol, mol.GetConformer().GetPositions())


def of_smiles(smiles: str) -> dict[str, Any]:
    """The conformers of a SMILES, or why there is none."""
    began = time.perf_counter()
    try:
        found = conformers(smiles)
    except OnekcalError as problem:
        return {"error": str(problem)}
    return {
        "smiles": smiles,
        "numbers": found.lowest.numbers.tolist(),
        "positions": [one.positions.tolist() for one in found.molecules],
        "gfn2": found.energies.tolist(),
        "seconds": time.perf_counter() - began,
    }


if __name__ == "__main__":
    main()
