"""Measure what geometry, frequencies and energy of G4(MP2) cost, and fit the forecast.

    python scripts/g4mp2_speed.py before [SMILES ...]   pyscf's derivatives beside ours, one process
    python scripts/g4mp2_speed.py measure [SMILES ...]  core-seconds of every step, one thread
    python scripts/g4mp2_speed.py fit                   factors of labels/forecast.py, and errors

All three read and write results/g4mp2-speed.json and the table of docs/howto/computed-energies.md.
Its rows `earlier` are those of `measure` before Hartree-Fock, MP2 and triples were ours.
Times are those of one thread (OMP_NUM_THREADS=1), user and system.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from onekcal.geometry.conformers import conformers
from onekcal.geometry.inertia import MASSES
from onekcal.geometry.relax import relax
from onekcal.geometry.species import species
from onekcal.labels.forecast import forecast
from onekcal.labels.g4mp2 import SCALE, TimedSteps, g4mp2, relax_b3lyp
from onekcal.molecules import Molecules
from onekcal.quantum.b3lyp import AUXILIARY, METHOD, VibratingB3LYP
from onekcal.quantum.dft import DensityFunctional
from onekcal.quantum.pople import Mixed
from onekcal.thermo.frequencies import wavenumbers
from onekcal.units import WAVENUMBER

ROOT = Path(__file__).parents[1]
OUT = ROOT / "results" / "g4mp2-speed.json"
PAGE = ROOT / "docs" / "howto" / "computed-energies.md"
BEGIN, END = "<!-- g4mp2 speed -->\n", "<!-- end -->"
COMPARED = ["O", "[CH3]", "FCF", "C=C"]
T = TypeVar("T")
MEASURED = ["[H][H]", "O=O", "N", "[CH3]", "C#N", "S", "Cl", "C=C", "CO", "CCl"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["before", "measure", "fit"])
    parser.add_argument("smiles", nargs="*")
    given = parser.parse_args()
    kept: dict[str, Any] = {"before": [], "measure": [], "earlier": [], "fit": {}}
    if OUT.exists():
        kept |= json.loads(OUT.read_text(encoding="utf-8"))
    if given.what == "fit":
        kept["fit"] = fit(kept["measure"])
    else:
        work, usual = (before, COMPARED) if given.what == "before" else (measure, MEASURED)
        for smiles in given.smiles or usual:
            row = {"smiles": smiles} | work(conformers(species(smiles)).lowest)
            print(row, flush=True)
            others = [one for one in kept[given.what] if one["smiles"] != smiles]
            kept[given.what] = [*others, row]
    OUT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), kept), encoding="utf-8")


def before(start: Molecules) -> dict[str, float]:
    """pyscf's derivatives on its usual grids from Lindh's Hessian, beside ours."""
    masses = np.array([MASSES[int(z)] for z in start.numbers])
    plain = DensityFunctional(METHOD, start, auxiliary=AUXILIARY)
    took: dict[str, float] = {}
    old = timed(took, "geometry, pyscf", lambda: relax(start, METHOD, 0.005, calculation=plain))
    place = old.molecule.positions.numpy()
    plain.grid = 2

    def hessian() -> np.ndarray:
        scf = plain.solved(place)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            blocks = (scf.whole() if isinstance(scf, Mixed) else scf).Hessian().kernel()
        return np.asarray(blocks).transpose(0, 2, 1, 3).reshape(place.size, place.size)

    first = wavenumbers(timed(took, "frequencies, pyscf", hessian), masses, place)
    ours, steps = VibratingB3LYP(start), TimedSteps({}, lambda step: None)
    timed(took, "geometry", lambda: relax_b3lyp(start, steps, ours))
    place = np.array(steps["geometry"]["positions"])
    second = timed(took, "frequencies", lambda: ours.hessian(place))
    zero_points = [
        SCALE * 0.5 * WAVENUMBER * float(waves[waves > 0].sum())
        for waves in (first, wavenumbers(second, masses, place))
    ]
    total = took["geometry, pyscf"] + took["frequencies, pyscf"]
    took["ratio"] = round(total / (took["geometry"] + took["frequencies"]), 1)
    took["zero point, change"] = round(zero_points[1] - zero_points[0], 4)
    return took


def timed(took: dict[str, float], name: str, work: Callable[[], T]) -> T:
    """Do `work` and note its core-seconds."""
    begin = time.process_time()
    out = work()
    took[name] = round(time.process_time() - begin, 2)
    return out


def measure(start: Molecules) -> dict[str, dict[str, float]]:
    """Core-seconds of each step."""
    took = Clock()
    g4mp2(start, kept=took)
    return {"seconds": took.seconds}


class Clock(dict):
    """Kept steps with the core-seconds since the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.since = time.process_time()
        self.seconds: dict[str, float] = {}

    def __setitem__(self, step: str, values: dict) -> None:
        now = time.process_time()
        name = step.replace(" under way", "")
        self.seconds[name] = round(self.seconds.get(name, 0.0) + now - self.since, 2)
        self.since = now
        super().__setitem__(step, values)


def fit(rows: list[dict]) -> dict[str, object]:
    """How measured and forecast times compare: the factor to multiply each step's forecast with.

    Steps below half a second do not count.
    """
    ratios: dict[str, list[float]] = {}
    totals = []
    for row in rows:
        told = forecast(species(row["smiles"]).nuclei()).seconds
        for step, seconds in row["seconds"].items():
            if seconds > 0.5:
                ratios.setdefault(step, []).append(seconds / told[step])
        totals.append(sum(row["seconds"].values()) / sum(told.values()))
    out: dict[str, object] = {
        step: {
            "molecules": len(found),
            "factor": round(float(np.exp(np.mean(np.log(found)))), 3),
            "lowest": round(min(found), 2),
            "highest": round(max(found), 2),
        }
        for step, found in sorted(ratios.items())
    }
    spread = np.exp(np.abs(np.log(totals)))
    out["total"] = {
        "molecules": len(totals),
        "typical error, factor": round(float(np.median(spread)), 2),
        "largest error, factor": round(float(spread.max()), 2),
    }
    for step, found in out.items():
        print(step, found)
    return out


def with_table(page: str, results: dict) -> str:
    """Return the page with the table of these results."""
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + table(results) + END + rest.partition(END)[2]


def table(results: dict) -> str:
    """Both routes side by side, whole calculations, and the error of the forecast."""
    lines = [
        "",
        "| geometry and frequencies | pyscf's derivatives | ours | ratio | zero-point energy |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in results["before"]:
        old = row["geometry, pyscf"] + row["frequencies, pyscf"]
        new = row["geometry"] + row["frequencies"]
        change = row["zero point, change"]
        lines.append(
            f"| `{row['smiles']}` | {old:.1f} | {new:.1f} | {row['ratio']:.1f} | {change:+.3f} |"
        )
    lines += ["", "| core-seconds of G4(MP2) | geometry | frequencies | energy | all | before |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    earlier = {row["smiles"]: sum(row["seconds"].values()) for row in results["earlier"]}
    for row in results["measure"]:
        steps = row["seconds"]
        total = sum(steps.values())
        energy = total - steps["geometry"] - steps["frequencies"]
        lines.append(
            f"| `{row['smiles']}` | {steps['geometry']:.1f} | {steps['frequencies']:.1f} "
            f"| {energy:.1f} | {total:.1f} | {earlier[row['smiles']]:.1f} |"
        )
    error = results["fit"]["total"]
    lines += [
        "",
        f"The forecast errs by a factor of {error['typical error, factor']} in the middle and of "
        f"{error['largest error, factor']} at most.",
        "",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
