"""Heats of formation from SMILES beside experiment: the whole way a user goes, conformers,
GFN2-xTB, model and ledger.

`experiment.csv` beside this file holds ΔfH(298.15 K) of common molecules with uncertainty and
source: Active Thermochemical Tables 1.112 (Ruscic & Bross, Argonne 2019) and the G2/97 set (Curtiss
et al., J. Chem. Phys. 106, 1063, 1997). Errors and energies are kcal/mol.
"""

from __future__ import annotations

import csv
import resource
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from onekcal.bench.results import Measured, Results
from onekcal.bench.results_file import write
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import DEFAULT, load_model
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import answer
from onekcal.prediction.questions import Question
from onekcal.system.provenance import provenance
from onekcal.trust.conformal import coverage
from onekcal.trust.metrics import metrics

Found = dict[str, Any]
"""One molecule: name, SMILES, energies (kcal/mol), and what prevented an answer."""


def experiment() -> list[dict[str, str]]:
    """Read the experimental heats of formation.

    Returns
    -------
    list
        smiles, name, formation_298_kcal_per_mol, uncertainty_kcal_per_mol and source of
        each.
    """
    with files("onekcal.bench").joinpath("experiment.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(results: Path, model: str = DEFAULT) -> Results:
    """Predict every molecule of the set and write `results`/formation.json.

    Parameters
    ----------
    results
        The folder of results.
    model
        The model that answers.

    Returns
    -------
    dict
        Three rows: the molecules in the model's scope, all of them by the model, and all of them
        as `predict` answers (G4(MP2), stored or computed, where the model knows nothing). And each
        molecule (kcal/mol).
    """
    artefact, started = load_model(model), time.perf_counter()
    torch.set_num_threads(1)
    rows_of = experiment()
    each = [_asked(row, artefact, Options(force=True, route="atomization")) for row in rows_of]
    inside = [one for one in each if one["half"] is not None]
    ladder = [_asked(row, artefact, Options(compute=True, route="atomization")) for row in rows_of]
    for one, climbed in zip(each, ladder, strict=True):
        one["answered"] = None if climbed["problem"] else climbed["predicted"]
        one["rung"] = climbed["rung"]
    computed = sum(one["rung"] == "g4mp2" for one in ladder)
    made = provenance()
    shared: Measured = {
        "paper": {},
        "train": artefact.card.train or 0,
        "seconds": round(time.perf_counter() - started, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "note": "",
        "commit": made["commit"],
        "hardware": made["hardware"],
        "packages": made["packages"],
        "time": made["time"],
    }
    rows: list[Measured] = [
        {
            "name": f"{len(some)} molecules {what}",
            "ours": _errors(some),
            "test": len(some),
            **shared,
        }
        for what, some in (
            ("in the model's scope", inside),
            ("and those outside it, forced", each),
            (f"as predict answers, {computed} of them by G4(MP2)", ladder),
        )
    ]
    content: Results = {
        "suite": "formation",
        "title": "ΔfH(298 K) from SMILES against experiment",
        "cite": "Ruscic, Bross, Active Thermochemical Tables 1.112 (2019); Curtiss et al., J. "
        "Chem. Phys. 106, 1063 (1997)",
        "unit": "kcal/mol",
        "rows": rows,
        "molecules": each,
    }
    write(results / "formation.json", content)
    return content


def _asked(row: dict[str, str], artefact: Artefact, options: Options) -> Found:
    """One molecule, answered."""
    question = Question(source=row["smiles"], smiles=row["smiles"], name=row["name"])
    given = answer(question, artefact, options)
    formation = given.ledger.formation_298 if given.ledger else float("nan")
    return {
        "name": row["name"],
        "smiles": row["smiles"],
        "experiment": float(row["formation_298_kcal_per_mol"]),
        "uncertainty": float(row["uncertainty_kcal_per_mol"]),
        "predicted": round(formation, 3),
        "half": round(given.half, 3) if given.half < float("inf") else None,
        "rung": given.rung,
        "problem": given.problem or None,
    }


def _errors(some: list[Found]) -> dict[str, float]:
    """With the share of experiments inside the interval, where every molecule has one."""
    good = [one for one in some if one["problem"] is None]
    reference, predicted = torch.tensor(
        [(one["experiment"], one["predicted"]) for one in good], dtype=torch.float64
    ).T
    errors = metrics(reference, predicted)
    if good and all(one["half"] is not None for one in good):
        half = torch.tensor([one["half"] for one in good], dtype=torch.float64)
        errors["coverage"] = coverage(reference, predicted - half, predicted + half)
    return {key: float(f"{value:.6g}") for key, value in errors.items()}
