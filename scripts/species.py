"""Compute the species that ship with the package: src/onekcal/shipped/species.json.

    python scripts/species.py FOLDER [--list scripts/novel_species.smi] [--write]

Works through scripts/species.smi, or another list (radicals.smi: what the bonds of common molecules
leave; novel_species.smi), and keeps each finished species, and each finished step, in FOLDER; run
again after a stop, it goes on. Those that ship are not computed again. `--write` only adds what
FOLDER holds to them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from onekcal.errors import OnekcalError
from onekcal.geometry.conformers import conformers
from onekcal.geometry.species import species
from onekcal.io.smiles_lines import smi_lines
from onekcal.labels.computed import SHIPPED, Steps, Store, key_of_smiles
from onekcal.labels.g4mp2 import Computed, g4mp2
from onekcal.labels.start import lower_start

HERE = Path(__file__).parent
OUT = HERE.parent / "src" / "onekcal" / "shipped" / SHIPPED


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--list", type=Path, default=HERE / "species.smi")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    store = Store(given.folder)
    if given.write:
        return write(store)
    lines = given.list.read_text(encoding="utf-8").splitlines()
    for line in smi_lines(lines, given.list.name):
        start = time.monotonic()
        try:
            done = compute(store, line.smiles, line.name)
        except (OnekcalError, ArithmeticError, LookupError, RuntimeError, ValueError) as problem:
            print(f"{line.smiles}: {' '.join(str(problem).split())}", file=sys.stderr, flush=True)
            continue
        print(f"{line.smiles} {done.energy:.2f} {time.monotonic() - start:.0f} s", flush=True)


def compute(store: Store, smiles: str, name: str) -> Computed:
    """One species, from the store if it is there."""
    state = species(smiles)

    def fresh(steps: Steps) -> Computed:
        place = lower_start(conformers(state))
        return replace(g4mp2(place, kept=steps), smiles=state.smiles, name=name)

    return store.once(key_of_smiles(state.smiles, state.charge, state.spin, "g4mp2"), fresh)


def write(store: Store) -> None:
    """Add every finished species to those that ship, smallest first."""
    lines = (HERE / "species.smi").read_text(encoding="utf-8").splitlines()
    names = {species(one.smiles).smiles: one.name for one in smi_lines(lines, "species.smi")}
    every = (one for _, one, _ in store.items())
    records = sorted(
        (replace(one, name=one.name or names.get(one.smiles, "")).to_dict() for one in every),
        key=lambda r: (len(r["numbers"]), r["smiles"]),
    )
    text = ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    OUT.write_text(f"[\n{text}\n]\n", encoding="utf-8")
    print(f"{len(records)} species in {OUT.name}, {OUT.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
