"""Who orders conformers better, GFN2-xTB or the model? MP2 judges: results/conformer-judge.json.

    python scripts/conformer_judge.py SMILES.h5.partial [--model g4mp2] [--count 60]

The lines of scripts/smiles_geometries.py hold conformers of QM9's molecules at GFN2-xTB's minima.
Those of Ward's hold-out are taken in their order: `count` whose lowest conformer by GFN2-xTB is not
the model's. Density-fitted MP2/def2-TZVP tells the energies of both (half a minute each). The table
compares the difference between the two conformers, model's minus GFN2-xTB's choice: by GFN2-xTB and
by the model, each against MP2. MP2 has no zero-point energy, and the model's answers have one.
Finished molecules are lines of SMILES.h5.judged: run again, it goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onekcal.bench.results_file import write
from onekcal.data.splits import TEST
from onekcal.models.shipped import load_model
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.system.provenance import provenance
from onekcal.units import HARTREE

ROOT = Path(__file__).parents[1]


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("lines", type=Path)
    ask.add_argument("--model", default="g4mp2")
    ask.add_argument("--count", type=int, default=60)
    ask.add_argument("--results", type=Path, default=ROOT / "results")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    started, artefact = time.perf_counter(), load_model(asked.model)
    with np.load(Path(os.environ["ONEKCAL_MIRROR"]) / "qm9_g4mp2_labels.npz") as labels:
        part = labels["split"]
    kept = asked.lines.with_suffix(".judged")
    known = read(kept) if kept.is_file() else {}
    found: list[dict[str, float]] = []
    for row, record in read(asked.lines).items():
        if len(found) == asked.count:
            break
        if part[row] != TEST or "error" in record:
            continue
        places = [Molecules.one(record["numbers"], place) for place in record["positions"]]
        energies = artefact.model.energies(Molecules.concatenate(places)).numpy()
        k = int(energies.argmin())
        if k == 0:
            continue
        if row not in known:
            known[row] = {"row": row, "mp2": {}}
        by_mp2 = known[row]["mp2"]
        for each in (0, k):
            if str(each) not in by_mp2:
                by_mp2[str(each)] = mp2(places[each])
        with kept.open("a") as file:
            file.write(json.dumps(known[row]) + "\n")
        found.append(
            {
                "mp2": by_mp2[str(k)] - by_mp2["0"],
                "gfn2": record["gfn2"][k] - record["gfn2"][0],
                "model": float(energies[k] - energies[0]),
            }
        )
    tell(found, asked.results, time.perf_counter() - started)


def read(path: Path) -> dict[int, dict[str, Any]]:
    """The lines of a file by their row; a later one counts."""
    return {record["row"]: record for record in map(json.loads, path.read_text().splitlines())}


def mp2(molecule: Molecules) -> float:
    """Density-fitted MP2/def2-TZVP, kcal/mol."""
    from pyscf import gto, scf
    from pyscf.mp import dfmp2

    atoms = [
        (SYMBOLS[z], place)
        for z, place in zip(molecule.numbers.tolist(), molecule.positions.tolist())
    ]
    field = scf.RHF(gto.M(atom=atoms, basis="def2-tzvp", verbose=0)).density_fit()
    total = field.kernel()
    if not field.converged:
        raise ArithmeticError("Hartree-Fock did not converge")
    return float((total + dfmp2.DFMP2(field).kernel()[0]) * HARTREE)


def tell(found: list[dict[str, float]], folder: Path, seconds: float) -> None:
    """Write the table."""
    by = {name: np.array([one[name] for one in found]) for name in found[0]}
    rows = []
    for name, key in (("GFN2-xTB", "gfn2"), ("the model", "model")):
        off = by[key] - by["mp2"]
        rows.append(
            {
                "name": name,
                "columns": {
                    "molecules": len(found),
                    "MAE": float(np.abs(off).mean()),
                    "mean": float(off.mean()),
                    "right": f"{100 * (by[key] * by['mp2'] > 0).mean():.0f} %",
                },
                "seconds": round(seconds, 1),
                **provenance(),
            }
        )
    title = (
        "Molecules of Ward's hold-out whose lowest conformer is another one by GFN2-xTB and by the "
        "model: the energy between the two, against MP2/def2-TZVP, and how often MP2 agrees on "
        "which is lower"
    )
    told = {"suite": "conformer-judge", "title": title, "cite": "", "unit": "kcal/mol"}
    write(folder / "conformer-judge.json", told | {"rows": rows})


if __name__ == "__main__":
    main()
