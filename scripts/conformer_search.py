"""How often the conformer search finds the lowest minimum: results/conformer-search.json, the page.

    ONEKCAL_MIRROR=… python scripts/conformer_search.py FOLDER [--count 200]   # half a minute each

The molecules are drawn from Ward's hold-out of QM9-G4MP2, among those with three rotatable bonds or
more. `conformers(smiles)` is what `predict` does: six conformers. The long search asks for 40 with
each of two other seeds. A molecule is found where the short search comes within 0.1 kcal/mol of the
lowest GFN2-xTB minimum of all three. Finished molecules are lines of FOLDER/found.jsonl: run again,
it goes on, and the results are those of all that are done.
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

from onekcal.errors import OnekcalError
from onekcal.geometry.conformers import SAME_ENERGY, conformers
from onekcal.io.smiles import read_smiles
from onekcal.system.files import write_json
from onekcal.system.provenance import provenance

ROOT = Path(__file__).parents[1]
OUT, PAGE = ROOT / "results" / "conformer-search.json", ROOT / "docs" / "howto" / "conformers.md"
ROTORS = 3
LONG, SEEDS = 40, (1, 2)
HOLD_OUT = 2
BEGIN, END = "<!-- search -->\n", "<!-- end -->"


def drawn(count: int) -> list[str]:
    """SMILES of flexible molecules of the hold-out."""
    from rdkit.Chem import rdMolDescriptors

    with np.load(Path(os.environ["ONEKCAL_MIRROR"]) / "qm9_g4mp2_labels.npz") as labels:
        every = labels["smiles"][labels["split"] == HOLD_OUT]
    out: list[str] = []
    for k in np.random.default_rng(0).permutation(len(every)):
        smiles = every[k].decode() if isinstance(every[k], bytes) else str(every[k])
        if rdMolDescriptors.CalcNumRotatableBonds(read_smiles(smiles)) >= ROTORS:
            out.append(smiles)
        if len(out) == count:
            break
    return out


def measure(smiles: str) -> dict[str, Any]:
    """Search one molecule briefly and for long."""
    times, lowest = [], []
    for count, seed in [(6, 0), *((LONG, seed) for seed in SEEDS)]:
        started = time.process_time()
        lowest.append(float(conformers(smiles, count, seed).energies[0]))
        times.append(time.process_time() - started)
    return {
        "smiles": smiles,
        "above": round(lowest[0] - min(lowest), 4),
        "seconds": round(times[0], 2),
        "long seconds": round(sum(times[1:]), 2),
    }


def summary(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Share of the molecules that are found, and what was missed."""
    done = [line for line in lines if "above" in line]
    above = np.array([line["above"] for line in done])
    missed = above[above > SAME_ENERGY]
    return {
        "title": "conformer search beside a long search",
        "unit": "kcal/mol",
        "molecules": len(done),
        "failed": len(lines) - len(done),
        "found": round(float((above <= SAME_ENERGY).mean()), 4),
        "within 0.5": round(float((above <= 0.5).mean()), 4),
        "mean above": round(float(above.mean()), 4),
        "median of the missed": round(float(np.median(missed)), 3) if len(missed) else 0.0,
        "most": round(float(above.max()), 3),
        "seconds": round(float(np.mean([line["seconds"] for line in done])), 2),
        "long seconds": round(float(np.mean([line["long seconds"] for line in done])), 2),
        "made": dict(provenance()),
    }


def table(results: dict[str, Any]) -> str:
    """Return the text of the page."""
    return (
        f"Of {results['molecules']} molecules of QM9 with three rotatable bonds or more, the "
        f"search finds the lowest GFN2-xTB minimum of\n"
        f"{100 * results['found']:.0f} %, to 0.1 kcal/mol. "
        f"{100 * results['within 0.5']:.0f} % are within 0.5 kcal/mol; the farthest is "
        f"{results['most']:.1f} above. On average it is\n{results['mean above']:.2f} above, in "
        f"{results['seconds']:.1f} CPU seconds. The long search beside it takes "
        f"{results['long seconds']:.0f} (`scripts/conformer_search.py`).\n"
    )


def renewed(page: str, results: dict[str, Any]) -> str:
    """Return the text of the page with the results."""
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + table(results) + END + rest.partition(END)[2]


if __name__ == "__main__":
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("folder", type=Path)
    ask.add_argument("--count", type=int, default=200)
    asked = ask.parse_args()
    torch.set_num_threads(1)
    asked.folder.mkdir(parents=True, exist_ok=True)
    kept = asked.folder / "found.jsonl"
    lines = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    for smiles in drawn(asked.count)[len(lines) :]:
        try:
            line = measure(smiles)
        except OnekcalError as problem:
            line = {"smiles": smiles, "failed": str(problem)}
        lines.append(line)
        with kept.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)
    found = summary(lines)
    write_json(OUT, found)
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
