"""Compare computed G4(MP2) with published energies and with experiment.

    python scripts/g4mp2_check.py DATA FOLDER [--heavy 4] [--qm9 100]   compute, resumable
    python scripts/g4mp2_check.py DATA FOLDER --write                   results/g4mp2-computed.json

G3/05: electronic energies at the published geometries, with the published frequencies, against the
published G4(MP2) energies and the experimental heats of formation. QM9-G4MP2: at QM9's geometries
with QM9's zero-point energies, against the published labels.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np

from onekcal.energies import free_atoms
from onekcal.errors import OnekcalError
from onekcal.labels.deviations import class_of
from onekcal.labels.g4mp2 import SCALE
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.quantum.g4mp2 import g4mp2_energy
from onekcal.quantum.g4mp2_basis import ELEMENTS
from onekcal.thermo.ledger import Term, ledger
from onekcal.units import HARTREE, WAVENUMBER

ROOT = Path(__file__).parents[1]
OUT = ROOT / "results" / "g4mp2-computed.json"
PAGE = ROOT / "docs" / "howto" / "computed-energies.md"
BEGIN, END = "<!-- g4mp2-computed -->\n", "<!-- end -->"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--heavy", type=int, default=4, help="G3/05: up to so many heavy atoms")
    parser.add_argument("--qm9", type=int, default=100, help="QM9: so many molecules")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    tasks = {
        "g305": [one for one in g305(given.data) if heavy(one["molecule"]) <= given.heavy],
        "qm9": qm9(given.data, given.qm9),
    }
    if given.write:
        return write({name: read(given.folder / f"{name}.jsonl") for name in tasks})
    for name, species in tasks.items():
        path = given.folder / f"{name}.jsonl"
        known = {record["row"] for record in read(path)}
        for one in species:
            if one["row"] not in known:
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(measured(one)) + "\n")


def heavy(molecule: Molecules) -> int:
    return int((molecule.numbers > 1).sum())


def read(path: Path) -> list[dict]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def g305(data: Path) -> list[dict]:
    """The species of G3/05 whose elements the method has, smallest first."""
    file = dict(np.load(data / "g305.npz"))  # unpacked once
    atoms, waves = file["offsets"], file["frequency_offsets"]
    out = []
    for row in range(len(atoms) - 1):
        numbers = file["Z"][atoms[row] : atoms[row + 1]].tolist()
        if not all(SYMBOLS[z] in ELEMENTS for z in numbers):
            continue
        frequencies = file["frequencies"][waves[row] : waves[row + 1]]
        zero_point = SCALE * 0.5 * WAVENUMBER * float(frequencies[frequencies > 0].sum())
        out.append(
            {
                "row": row,
                "molecule": Molecules.one(
                    numbers,
                    file["R"][atoms[row] : atoms[row + 1]].astype(float),
                    int(file["charge"][row]),
                    int(file["unpaired"][row]),
                ),
                "zero_point": zero_point,
                "published": float(file["U0_Ha"][row]) * HARTREE,
                "heat": float(file["HT_Ha"][row] - file["U0_Ha"][row]) * HARTREE,
                "experiment": float(file["expt"][row]) if file["kind"][row] == "HF" else None,
            }
        )
    return sorted(out, key=lambda one: (heavy(one["molecule"]), one["row"]))


def qm9(data: Path, count: int) -> list[dict]:
    """QM9 molecules of one to six heavy atoms with published label and zero-point energy."""
    file, labels = dict(np.load(data / "qm9.npz")), np.load(data / "qm9_g4mp2_labels.npz")
    subset = np.load(data / "qm9_props_subset.npz")
    place = {int(k): m for m, k in enumerate(file["id"])}
    label = {int(k): float(e) for k, e in zip(labels["gdb_id"], labels["AE_g4mp2"])}
    atoms, out = file["offsets"], []
    for k, zero_point in zip(subset["id"].tolist(), subset["zpve"].tolist()):
        if k not in place or k not in label:
            continue
        rows = slice(atoms[place[k]], atoms[place[k] + 1])
        molecule = Molecules.one(file["Z"][rows].tolist(), file["R"][rows].astype(float))
        if heavy(molecule) <= 6:
            published = label[k] + float(free_atoms("g4mp2").energies(molecule)[0])
            out.append(
                {
                    "row": k,
                    "molecule": molecule,
                    "zero_point": SCALE * zero_point * HARTREE,
                    "published": published,
                    "heat": None,
                    "experiment": None,
                }
            )
    return sorted(out, key=lambda one: (heavy(one["molecule"]), one["row"]))[:count]


def measured(one: dict) -> dict:
    """One species: difference from the published energy, deviation from experiment (kcal/mol)."""
    molecule, start = one["molecule"], time.process_time()
    record = {
        "row": one["row"],
        "formula": molecule.formulas[0],
        "charge": int(molecule.charges[0]),
        "unpaired": int(molecule.spins[0]),
        "class": class_of(molecule),
    }
    try:
        terms = g4mp2_energy(molecule)
    except OnekcalError as problem:
        return record | {"failed": str(problem)}
    total = terms.total * HARTREE + one["zero_point"]
    record |= {
        "difference": round(total - one["published"], 4),
        "t1": round(terms.t1, 4),
        "contamination": round(terms.contamination, 4),
        "core_seconds": round(time.process_time() - start, 1),
    }
    if one["experiment"] is not None and math.isfinite(one["experiment"]):
        energy = total - float(free_atoms("g4mp2").energies(molecule)[0])
        heat = Term("H(298 K) − H(0)", one["heat"], None, "published", "formation 298 K")
        lines = ledger(molecule, energy, "g4mp2", thermal=heat)
        record["deviation"] = round(lines.formation_298 - one["experiment"], 3)
    return record


def write(records: dict[str, list[dict]]) -> None:
    """Write every species, and a summary by set and by class."""
    out = {"unit": "kcal/mol", "sets": {}, "against_experiment": {}}
    for name, rows in records.items():
        good = [row for row in rows if "difference" in row]
        sizes = np.abs([row["difference"] for row in good])
        out["sets"][name] = {
            "species": len(good),
            "failed": len(rows) - len(good),
            "median": round(float(np.median(sizes)), 4),
            "mean": round(float(sizes.mean()), 4),
            "largest": round(float(sizes.max()), 4),
            "core_seconds": round(sum(row["core_seconds"] for row in good), 1),
            "rows": rows,
        }
    compared = [row for row in records["g305"] if "deviation" in row]
    for kind in sorted({row["class"] for row in compared}):
        sizes = np.sort([abs(row["deviation"]) for row in compared if row["class"] == kind])
        rank = min(math.ceil(0.9 * (len(sizes) + 1)), len(sizes)) - 1
        out["against_experiment"][kind] = {
            "species": len(sizes),
            "mean": round(float(sizes.mean()), 3),
            "ninety": round(float(sizes[rank]), 3),
        }
    every = [abs(row["deviation"]) for row in compared]
    out["against_experiment"]["all"] = {
        "species": len(every),
        "mean": round(float(np.mean(every)), 3),
    }
    OUT.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest[rest.index(END) :]
    PAGE.write_text(before + BEGIN + tables(out) + after, encoding="utf-8")
    print(tables(out))


def tables(out: dict) -> str:
    """The results as tables of the page."""
    names = {
        "g305": "published G4(MP2), G3/05 (another program)",
        "qm9": "published G4(MP2), labels of QM9-G4MP2",
    }
    lines = [
        "",
        "| against | species | median, kcal/mol | mean | largest |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, one in out["sets"].items():
        lines.append(
            f"| {names[name]} | {one['species']} | {one['median']:.3f} | {one['mean']:.3f} "
            f"| {one['largest']:.2f} |"
        )
    lines += [
        "",
        "| ΔfH(298 K) against experiment, G3/05 | species | mean, kcal/mol | 90 % are within |",
        "|---|---:|---:|---:|",
    ]
    for kind, one in out["against_experiment"].items():
        within = f"{one['ninety']:.2f}" if "ninety" in one else "–"
        lines.append(f"| {kind} | {one['species']} | {one['mean']:.2f} | {within} |")
    return "\n".join([*lines, "", ""])


if __name__ == "__main__":
    main()
