"""What a bond correction gains on exact published energies: results/bond-correction.json.

    python scripts/bond_correction.py DATA [--results results]

DATA holds rmg_reference.npz (heats of formation of G4), g305.npz and ppe_dev.npz (of G4(MP2)). The
correction is fitted to one experiment an identity (`bench/experiments.py`) and judged on identities
that it was not fitted to: ten folds, and all copies of a molecule are in one. The errors are those
of one species an identity.

The energies of ppe_dev.npz have another zero (`bench/corrections.py`). What is not known of it is
fitted in each fold anew, and belongs to the error before, too.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from onekcal.bench.corrections import left_out
from onekcal.bench.experiments import BEST, Heat, Level, Published, best, folds, published
from onekcal.bench.results import Measured
from onekcal.bench.results_file import write
from onekcal.models.bond_correction import BondCorrection, Counts
from onekcal.molecules import SYMBOLS
from onekcal.system.provenance import provenance

FOLDS = 10
NAMES: dict[Level, str] = {"g4": "G4", "g4mp2": "G4(MP2)"}
RIDGES = (0.5, 50.0)
"""λ beside the stage's own, to show how little it matters."""
FEW = 5
"""A class of fewer identities is not shown."""


@dataclass(frozen=True)
class Judged:
    """Species of one level with their errors.

    Parameters
    ----------
    some
        n species.
    before, after
        (n,) experiment − method, kcal/mol, without and with the correction.
    """

    some: list[Published]
    before: np.ndarray
    after: np.ndarray

    def where(self, belongs: Callable[[Published], bool]) -> Judged:
        """Return the species of one class."""
        rows = np.array([belongs(one) for one in self.some], dtype=bool)
        return Judged(
            [one for one, yes in zip(self.some, rows) if yes], self.before[rows], self.after[rows]
        )

    def errors(self) -> dict[str, float]:
        """Return mean and median absolute errors, and the share above 1 kcal/mol."""
        found = {}
        for name, left in (("before", np.abs(self.before)), ("after", np.abs(self.after))):
            found |= {f"{name}, mae": float(left.mean()), f"{name}, median": float(np.median(left))}
            found[f"{name}, above 1"] = float((left > 1.0).mean())
        return {key: float(f"{value:.5g}") for key, value in found.items()}


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("data", type=Path)
    ask.add_argument("--results", type=Path, default=Path("results"))
    asked = ask.parse_args()
    torch.set_num_threads(1)
    started, every = time.perf_counter(), published(asked.data)
    heats, rows = best(every), []
    dealt = folds((one.identity for one in every), FOLDS)
    for level, name in NAMES.items():
        some = [one for one in every if one.level == level and math.isfinite(one.formation)]
        for counts in get_args(Counts):
            judged = judge(some, heats, dealt, counts)
            rows.append((f"{name}, all species, {counts}", judged))
        for ridge in RIDGES:
            judged = judge(some, heats, dealt, "bonds and atoms", ridge)
            rows.append((f"{name}, all species, bonds and atoms, λ = {ridge:g}", judged))
        if level == "g4mp2":
            alone = [one for one in some if one.file == "g305"]
            judged = judge(alone, heats, dealt, "bonds and atoms")
            rows.append((f"{name}, all species of G3/05 alone, bonds and atoms", judged))
        judged = judge(some, heats, dealt, "bonds and atoms")
        for kind, belongs in {**CLASSES, **of_experiments(heats)}.items():
            if len((part := judged.where(belongs)).some) >= FEW:
                rows.append((f"{name}, class {kind}", part))
    for name, judged in rows:
        print(f"{name:60} {len(judged.some):4}", judged.errors())
    made = {key: value for key, value in provenance().items() if key != "python"}
    shared = {"paper": {}, "seconds": round(time.perf_counter() - started, 1), **made}
    lines: list[Measured] = [
        {"name": name, "ours": judged.errors(), "test": len(judged.some), **shared}  # type: ignore[typeddict-item]
        for name, judged in rows
    ]
    write(
        asked.results / "bond-correction.json",
        {
            "suite": "bond-correction",
            "title": "published ΔfH(298 K) against experiment without and with a bond correction, "
            f"cross-validated by identity in {FOLDS} folds",
            "cite": "",
            "unit": "kcal/mol",
            "rows": lines,
        },
    )


def judge(
    some: list[Published],
    heats: dict[str, Heat],
    dealt: dict[str, int],
    counts: Counts,
    ridge: float | None = None,
) -> Judged:
    """Cross-validate a correction by identity; the errors of one species an identity.

    Parameters
    ----------
    some
        Species of one level.
    heats
        Identity → experiment.
    dealt
        Identity → fold.
    counts, ridge
        Settings of the stage `bond_correction`.
    """
    stage = BondCorrection(counts) if ridge is None else BondCorrection(counts, ridge)
    before, after = left_out(some, heats, dealt, stage)
    first = {one.identity: k for k, one in reversed(list(enumerate(some)))}
    rows = sorted(first.values())
    return Judged([some[k] for k in rows], before[rows], after[rows])


def _state(one: Published) -> tuple[int, int]:
    return int(one.molecule.charges[0]), int(one.molecule.spins[0])


def _holds(element: int) -> Callable[[Published], bool]:
    return lambda one: element in one.molecule.elements


CLASSES: dict[str, Callable[[Published], bool]] = {
    "closed shells": lambda one: _state(one) == (0, 0),
    "radicals": lambda one: _state(one)[0] == 0 and _state(one)[1] > 0,
    "ions": lambda one: _state(one)[0] != 0,
    "hydrocarbons": lambda one: set(one.molecule.elements) <= {1, 6},
    **{f"with {SYMBOLS[z]}": _holds(z) for z in (7, 8, 9, 14, 15, 16, 17, 35)},
    "source G3/05": lambda one: one.file == "g305",
    "source PPE1694": lambda one: one.file == "ppe_dev",
}


def of_experiments(heats: dict[str, Heat]) -> dict[str, Callable[[Published], bool]]:
    """Return the classes of species whose experiment is known well.

    Parameters
    ----------
    heats
        Identity → experiment.
    """
    return {
        f"experiment from {BEST}": lambda one: BEST in heats[one.identity].source,
        "experiment known to 0.5": lambda one: heats[one.identity].stated <= 0.5,
    }


if __name__ == "__main__":
    main()
