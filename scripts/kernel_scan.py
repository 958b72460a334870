"""Which setting of a kernel gives the AtomCloudNet paper's numbers: results/kernel-scan.json.

    python scripts/kernel_scan.py [--largest 10000]

The paper prints a kernel (equation 1, its norm not squared), but no σ. Here σ is varied for each
kernel on QM9's U0 as it is (no atom energies are taken off). Errors are those of 1,000 validation
molecules of the random split, seed 0; the test part is not looked at.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from onekcal.bench.tables import error_text
from onekcal.datasets import load
from onekcal.features.coulomb import coulomb_matrix, packed, sorted_by_norm
from onekcal.features.slatm import blocks, slatm
from onekcal.models.kernels.global_kernel import DISTANCES
from onekcal.molecules import Molecules
from onekcal.runs.choose_split import choose
from onekcal.runs.data_choice import DataChoice
from onekcal.system.provenance import provenance

OUT = Path(__file__).parents[1] / "results" / "kernel-scan.json"
SIZES = (100, 1000, 10000)
PAPER = {
    "coulomb": {100: 385.689, 1000: 50.944, 10000: 5.82},
    "slatm": {100: 54.176, 1000: 14.54, 10000: 1.28},
}
NAMES = {"coulomb": "CM", "slatm": "SLATM"}
KERNELS = {
    "coulomb": ("gaussian", "laplacian", "exponential"),
    "slatm": ("gaussian", "exponential"),
}
FINEST, COARSEST = -7, 12
"""The exponent's scale is the median distance times 2 to these powers, in half steps."""
REGULARIZATION = 1e-8
MEANS = {"zero": "the answer 0", "mean": "the mean training energy"}
"""Answers that need no kernel."""
LARGE, UP_TO = 2000, 4
"""From this many training molecules on, whole steps are tried, and these powers at most."""


class Asked(NamedTuple):
    """What one kernel is asked about."""

    distances: Tensor
    """(N, N) among training molecules."""
    against: Tensor
    """(M, N) of validation molecules to them."""
    energies: Tensor
    labels: Tensor


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--largest", type=int, default=max(SIZES))
    parser.add_argument("--table", action="store_true", help="only make the table anew")
    given = parser.parse_args()
    largest = given.largest
    kept = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {"scans": []}
    if given.table:
        write(kept["scans"], {key: kept[key] for key in MEANS})
        return
    torch.set_num_threads(1)
    stored = load("qm9")
    split = choose(stored, DataChoice(set="qm9", target="b3lyp", train=largest, valid=1000))
    data = stored.dataset.aimed("b3lyp")
    train, valid = data[split.train], data[split.valid]
    means = dict(zip(MEANS, trivial(train.energies, valid.energies)))
    scans = {(one["features"], one["kernel"]): one for one in kept["scans"]}
    for features, kernels in KERNELS.items():
        known, parts = described(features, train.molecules, valid.molecules)
        x, asked = known[: len(train)], known[len(train) :]
        for kernel in kernels:
            far = DISTANCES[kernel]
            among = torch.cat([far(some, x, parts) for some in x.split(500)])
            told = Asked(among, far(asked, x, parts), train.energies, valid.energies)
            scan = scans.setdefault((features, kernel), {"features": features, "kernel": kernel})
            scan["errors"] = scan.get("errors", {}) | scanned(told, kernel, largest)
            write(list(scans.values()), means)
            print(features, kernel, scan["errors"], flush=True)


def trivial(energies: Tensor, labels: Tensor) -> tuple[float, float]:
    """Errors of two answers that need no kernel."""
    wrong = labels, labels - energies.mean()
    nothing, mean = (float(f"{float(one.abs().mean()):.6g}") for one in wrong)
    return nothing, mean


def described(features: str, *some: Molecules) -> tuple[Tensor, list[int]]:
    """Vectors of all molecules, and the lengths of their parts."""
    if features == "slatm":
        elements = some[0].elements
        return torch.cat([slatm(one, elements) for one in some]), blocks(elements)
    size = max(int(one.sizes.max()) for one in some)
    made = torch.cat([packed(sorted_by_norm(coulomb_matrix(one, size))) for one in some])
    return made, [made.shape[1]]


def scanned(told: Asked, kernel: str, largest: int) -> dict[str, dict[str, float]]:
    """Number of training molecules → σ → mean absolute error, kcal/mol."""
    some = told.distances[:500, :500]
    median = float(some[torch.tril(torch.ones_like(some), -1) > 0].median())
    out = {}
    for size in (one for one in SIZES if one <= largest):
        large = size > LARGE
        errors = {}
        for half in range(2 * FINEST, 2 * (UP_TO if large else COARSEST) + 1, 2 if large else 1):
            scale = median * 2.0 ** (half / 2)
            sigma = scale if kernel == "laplacian" else math.sqrt(scale / 2)
            error = mistaken(told, size, scale)
            if math.isfinite(error):
                errors[f"{sigma:.6g}"] = float(f"{error:.6g}")
        out[str(size)] = errors
    return out


def mistaken(told: Asked, size: int, scale: float) -> float:
    """Error of exp(−distance / scale) on so many molecules; infinite where it is singular."""
    similar = (told.distances[:size, :size] / -scale).exp_()
    similar.diagonal().add_(REGULARIZATION)
    factor, failed = torch.linalg.cholesky_ex(similar)
    if failed:
        return math.inf
    weights = torch.cholesky_solve(told.energies[:size, None].double(), factor)[:, 0]
    found = (told.against[:, :size] / -scale).exp_() @ weights
    return float((found - told.labels).abs().mean())


def write(scans: list[dict[str, Any]], means: dict[str, float]) -> None:
    """Keep the scans, and a table of what they say."""
    made = provenance()
    out = {
        "suite": "kernel-scan",
        "title": "Kernels of the AtomCloudNet paper on QM9: the σ that gives its error at each "
        "size, and the errors with the one σ that comes nearest to all (1,000 validation "
        "molecules)",
        "unit": "kcal/mol",
        "rows": [
            *(plain(f"{NAMES[features]}, the paper", PAPER[features]) for features in PAPER),
            *(
                plain(f"no kernel: {what}", dict.fromkeys(SIZES, means[key]))
                for key, what in MEANS.items()
            ),
            *(line(scan) for scan in scans),
        ],
        **means,
        "scans": scans,
        "commit": made["commit"],
        "time": made["time"],
    }
    OUT.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def plain(name: str, errors: dict[int, float]) -> dict[str, Any]:
    """A line without a σ."""
    heads = [*(f"σ, N = {size:,}" for size in SIZES), "one σ"]
    columns: dict[str, str | float] = dict.fromkeys(heads, "–")
    columns |= {f"N = {size:,}": error for size, error in errors.items()}
    return {"name": name, "columns": columns | {"lowest of all σ": "–"}}


def line(scan: dict[str, Any]) -> dict[str, Any]:
    """The line of a scan: the paper's σ of each size, and the one σ nearest to all its numbers."""
    paper, errors = PAPER[scan["features"]], scan["errors"]
    sizes = [int(size) for size in errors]
    columns: dict[str, str | float] = {}
    for size in sizes:
        found = reached(errors[str(size)], paper[size])
        columns[f"σ, N = {size:,}"] = "–" if found is None else f"{found:.3g}"

    def far(sigma: str) -> float:
        return sum(math.log(errors[str(size)][sigma] / paper[size]) ** 2 for size in sizes)

    nearest = min(set.intersection(*({*one} for one in errors.values())), key=far)
    columns["one σ"] = f"{float(nearest):.3g}"
    for size in sizes:
        columns[f"N = {size:,}"] = errors[str(size)][nearest]
    columns["lowest of all σ"] = " / ".join(
        error_text(min(one.values())) for one in errors.values()
    )
    return {"name": f"{NAMES[scan['features']]}, {scan['kernel']}", "columns": columns}


def reached(errors: dict[str, float], paper: float) -> float | None:
    """The largest σ below the best one at which the paper's error is met, on a log–log line."""
    sigmas = np.array([float(one) for one in errors])
    values = np.array(list(errors.values()))
    best = int(values.argmin())
    for k in range(best, 0, -1):
        low, high = values[k], values[k - 1]
        if min(low, high) <= paper <= max(low, high) and low != high:
            share = math.log(paper / low) / math.log(high / low)
            return float(f"{sigmas[k] * (sigmas[k - 1] / sigmas[k]) ** share:.4g}")
    return None


if __name__ == "__main__":
    main()
