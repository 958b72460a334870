"""How the energy drifts in NVE trajectories of ethanol: results/md-drift.json and the page's table.

    onekcal data get rmd17-ethanol
    onekcal train recipes/schnet-rmd17.yaml
    onekcal train recipes/hipnn-rmd17.yaml
    python scripts/md_drift.py runs        # about 10 minutes on one core

Each trajectory begins at the model's own minimum with velocities of 600 K, so that it runs at about
300 K. The last rows are controls: a longer time step must drift more.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from onekcal.dynamics.minima import relaxed
from onekcal.dynamics.motion import Motion
from onekcal.dynamics.run import dynamics
from onekcal.geometry.conformers import conformers
from onekcal.models.as_method import method_of
from onekcal.system.files import write_json
from onekcal.system.provenance import provenance

ROOT = Path(__file__).parents[1]
OUT, PAGE = ROOT / "results" / "md-drift.json", ROOT / "docs" / "howto" / "dynamics.md"
RUNS = {"SchNet": "schnet-rmd17", "HIP-NN": "hipnn-rmd17"}
STEP, PICOSECONDS, SEEDS, HOT = 0.5, 5.0, (0, 1, 2), 600.0
CONTROL, SHORT = 2.0, 2.0
"""fs and ps of the controls."""
LIMIT = 0.1
"""kcal/mol/ps; what a drift at 0.5 fs must stay below."""


def trajectory(name: str, how: Any, start: Any, step: float, length: float, seed: int) -> Any:
    """Make one trajectory, and return its row."""
    motion = Motion(round(1000 * length / step), step, HOT, every=100, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        done = dynamics(start, how, Path(folder) / "md.extxyz", motion)
    return {
        "model": name,
        "timestep_fs": step,
        "seed": seed,
        "time_ps": done.time,
        "temperature_K": round(done.temperature, 1),
        "drift": round(done.drift, 6),
        "widest": round(done.widest, 4),
        "stopped": done.stopped,
    }


def measure(runs: Path) -> dict[str, Any]:
    """Make all trajectories."""
    models = {name: method_of(runs / folder) for name, folder in RUNS.items()}
    models["GFN2-xTB"] = method_of("gfn2")
    ethanol = conformers("CCO").lowest
    rows, errors = [], {}
    for name, folder in RUNS.items():
        found = json.loads((runs / folder / "metrics.json").read_text(encoding="utf-8"))
        errors[name] = {key: found[key] for key in ("mae", "force_mae", "train")}
    for name, how in models.items():
        start = relaxed(ethanol, how, 0.01).molecule
        for seed in SEEDS:
            rows.append(trajectory(name, how, start, STEP, PICOSECONDS, seed))
            print(rows[-1], flush=True)
        rows.append(trajectory(name, how, start, CONTROL, SHORT, 0))
        print(rows[-1], flush=True)
    return {
        "title": "NVE trajectories of ethanol",
        "unit": "kcal/mol/ps, whole molecule",
        "errors": errors,
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
    groups: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for row in results["rows"]:
        groups.setdefault((row["model"], row["timestep_fs"]), []).append(row)
    for (name, step), rows in groups.items():
        error = f"{results['errors'][name]['force_mae']:.2f}" if name in results["errors"] else "–"
        warm = sum(row["temperature_K"] for row in rows) / len(rows)
        lines.append(
            f"| {name} | {error} | {step:g} fs "
            f"| {len(rows)} × {rows[0]['time_ps']:g} ps | {warm:.0f} K "
            f"| {max(abs(row['drift']) for row in rows):.4f} "
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
    parser.add_argument("runs", type=Path, help="the folder with the two runs")
    measured = measure(parser.parse_args().runs)
    write_json(OUT, measured)
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
