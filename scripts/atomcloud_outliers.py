"""Which molecules AtomCloudNet misses most: results/atomcloud-outliers.json.

    python scripts/atomcloud_outliers.py RUN

RUN is the folder of a run on QM9. The paper says that its outliers have several fluorine atoms, and
are at both ends of the energies.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onekcal.system.files import read_json

OUT = Path(__file__).parents[1] / "results" / "atomcloud-outliers.json"
WORST = 100
"""So many of the largest errors are looked at."""
END = 0.01
"""This share of the molecules is an end of the energies."""
Chosen = npt.NDArray[np.bool_]


def main() -> None:
    run = Path(sys.argv[1])
    with (run / "predictions.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    errors = np.array([abs(float(line["error"])) for line in lines])
    worst = errors >= np.sort(errors)[-WORST]
    rows = [
        {
            "name": name,
            "columns": {
                "molecules": int(some.sum()),
                "MAE": float(f"{errors[some].mean():.4g}"),
                "median": float(f"{np.median(errors[some]):.4g}"),
                f"among the {WORST} worst": int((worst & some).sum()),
                "expected there": round(WORST * float(some.mean()), 1),
            },
        }
        for name, some in classes(lines).items()
        if some.any()
    ]
    origin = read_json(run / "provenance.json")
    out = {
        "suite": "atomcloud-outliers",
        "title": "AtomCloudNet, r = 3 Å, 10,000 training molecules: errors by fluorine, size and "
        f"energy, and the {WORST} largest errors of {len(lines):,} test molecules",
        "unit": "kcal/mol",
        "rows": rows,
        "commit": origin["commit"],
        "time": origin["time"],
    }
    OUT.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(*rows, sep="\n")


def classes(lines: list[dict[str, str]]) -> dict[str, Chosen]:
    """Name of a class → which molecules are in it."""
    counts = [dict(re.findall(r"([A-Z][a-z]?)(\d*)", line["formula"])) for line in lines]
    fluorine = np.array([int(one.get("F", 0) or 1) if "F" in one else 0 for one in counts])
    heavy = np.array(
        [sum(int(k or 1) for symbol, k in one.items() if symbol != "H") for one in counts]
    )
    energies = np.array([float(line["reference"]) for line in lines])
    low, high = np.quantile(energies, [END, 1 - END])
    return {
        "all": np.ones(len(lines), dtype=bool),
        "no fluorine": fluorine == 0,
        "one fluorine": fluorine == 1,
        "several fluorines": fluorine > 1,
        "up to 6 heavy atoms": heavy <= 6,
        "7 heavy atoms": heavy == 7,
        "8 heavy atoms": heavy == 8,
        "9 heavy atoms": heavy == 9,
        f"the {END:.0%} bound most": energies <= low,
        f"the {END:.0%} bound least": energies >= high,
    }


if __name__ == "__main__":
    main()
