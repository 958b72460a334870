"""How the energy drifts in NVE trajectories: results/md-drift.json and the page's table.

    onekcal train recipes/schnet-rmd17.yaml
    onekcal train recipes/hipnn-rmd17.yaml
    onekcal train recipes/product-net-rmd17.yaml
    for molecule in malonaldehyde uracil; do onekcal train recipes/product-net-rmd17.yaml \\
        --set name=product-net-$molecule --set data.set=rmd17-$molecule --set fit.epochs=200; done
    python scripts/md_drift.py runs        # about an hour on one core

Each trajectory begins at the model's own minimum with velocities of 600 K, so that it runs at about
300 K. The rows of 2 fs are controls: a longer time step must drift more. Rows of models whose runs
are not there stay as they are.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from onekcal.dynamics.minima import relaxed
from onekcal.dynamics.motion import Motion
from onekcal.dynamics.run import dynamics
from onekcal.geometry.conformers import conformers
from onekcal.models.as_method import method_of
from onekcal.system.files import write_json
from onekcal.system.provenance import provenance

ROOT = Path(__file__).parents[1]
OUT, PAGE = ROOT / "results" / "md-drift.json", ROOT / "docs" / "howto" / "dynamics.md"
STEP, HOT = 0.5, 600.0
CONTROL, SHORT = 2.0, 2.0
"""fs and ps of the controls."""
LIMIT = 0.1
"""kcal/mol/ps; what a drift at 0.5 fs must stay below."""


class Case(NamedTuple):
    """A model of one molecule.

    Parameters
    ----------
    model
        What the table calls it.
    molecule, smiles
        Name and SMILES of the molecule.
    run
        The folder of its run; empty for GFN2-xTB.
    picoseconds
        Length of each trajectory.
    seeds
        One of each trajectory.
    """

    model: str
    molecule: str
    smiles: str
    run: str
    picoseconds: float
    seeds: tuple[int, ...] = (0, 1, 2)


CASES = (
    Case("SchNet", "ethanol", "CCO", "schnet-rmd17", 5.0),
    Case("HIP-NN", "ethanol", "CCO", "hipnn-rmd17", 5.0),
    Case("ProductNet", "ethanol", "CCO", "product-net-rmd17", 20.0, (0,)),
    Case("ProductNet", "malonaldehyde", "O=CCC=O", "product-net-malonaldehyde", 20.0, (0,)),
    Case("ProductNet", "uracil", "O=c1cc[nH]c(=O)[nH]1", "product-net-uracil", 20.0, (0,)),
    Case("GFN2-xTB", "ethanol", "CCO", "", 5.0),
)


def trajectory(case: Case, how: Any, start: Any, step: float, length: float, seed: int) -> Any:
    """Make one trajectory, and return its row."""
    motion = Motion(round(1000 * length / step), step, HOT, every=100, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        done = dynamics(start, how, Path(folder) / "md.extxyz", motion)
    return {
        "model": case.model,
        "molecule": case.molecule,
        "timestep_fs": step,
        "seed": seed,
        "time_ps": done.time,
        "temperature_K": round(done.temperature, 1),
        "drift": round(done.drift, 6),
        "widest": round(done.widest, 4),
        "stopped": done.stopped,
    }


def measure(case: Case, runs: Path) -> list[dict[str, Any]]:
    """Make the trajectories of a model."""
    how = method_of(runs / case.run if case.run else "gfn2")
    errors = {}
    if case.run:
        found = json.loads((runs / case.run / "metrics.json").read_text(encoding="utf-8"))
        errors = {key: found[key] for key in ("mae", "force_mae", "train")}
    start = relaxed(conformers(case.smiles).lowest, how, 0.01).molecule
    rows = []
    for step, length, seed in [
        *((STEP, case.picoseconds, seed) for seed in case.seeds),
        (CONTROL, SHORT, 0),
    ]:
        rows.append(trajectory(case, how, start, step, length, seed) | errors)
        print(rows[-1], flush=True)
    return rows


def renew(results: dict[str, Any], runs: Path) -> dict[str, Any]:
    """Measure every model whose run is there; keep the rows of the others."""
    rows = []
    for case in CASES:
        own = case.model, case.molecule
        known = [row for row in results["rows"] if (row["model"], row["molecule"]) == own]
        run = runs / case.run / "metrics.json"
        rows += measure(case, runs) if run.is_file() or not (case.run or known) else known
    return {
        "title": "NVE trajectories",
        "unit": "kcal/mol/ps, whole molecule",
        "rows": rows,
        "made": dict(provenance()),
    }


def table(results: dict[str, Any]) -> str:
    """Return the table of the page."""
    lines = [
        "| model | force error | time step | trajectories | mean temperature | largest drift, "
        "kcal/mol/ps | largest swing, kcal/mol |",
        "|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str, float], list[dict[str, Any]]] = {}
    for row in results["rows"]:
        groups.setdefault((row["model"], row["molecule"], row["timestep_fs"]), []).append(row)
    for (name, molecule, step), rows in groups.items():
        error = f"{rows[0]['force_mae']:.2f}" if "force_mae" in rows[0] else "–"
        drift = max(abs(row["drift"]) for row in rows)
        warm = sum(row["temperature_K"] for row in rows) / len(rows)
        lines.append(
            f"| {name}, {molecule} | {error} | {step:g} fs "
            f"| {len(rows)} × {rows[0]['time_ps']:g} ps | {warm:.0f} K "
            f"| {drift:.{4 if drift > 1e-4 else 5}f} "
            f"| {max(row['widest'] for row in rows):.2f} |"
        )
    return "\n".join(lines) + "\n"


BEGIN, END = "<!-- md drift -->\n", "<!-- end -->"
"""What stands before and behind the table in the page."""


def renewed(page: str, results: dict[str, Any]) -> str:
    """Return the text of the page with the table of the results."""
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + table(results) + END + rest.partition(END)[2]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, help="the folder with the runs")
    measured = renew(json.loads(OUT.read_text(encoding="utf-8")), parser.parse_args().runs)
    write_json(OUT, measured)
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
