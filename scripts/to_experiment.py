"""Fit a model's correction to experiment and write a model file that holds it.

    python scripts/to_experiment.py DATA MODEL OUT.safetensors [--most 100]

DATA holds the archives that `bench/experiments.py` reads. One species of each identity is relaxed
and answered by MODEL (one that ships, a run folder or a file); what it refuses is left out. The
stage `bond_correction` is fitted to ΔfH(experiment) − ΔfH(model) at those geometries. The error
that the file states is that of molecules that were not fitted (ten folds by identity) and whose
experiment is known to 0.5 kcal/mol.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from onekcal.bench.experiments import Published, best, folds, published
from onekcal.data.dataset import Column, Dataset
from onekcal.models.artefact import Artefact
from onekcal.models.bond_correction import BondCorrection
from onekcal.models.shipped import load_model
from onekcal.models.to_experiment import ToExperiment
from onekcal.molecules import Molecules
from onekcal.prediction.options import Options
from onekcal.prediction.prediction import answer
from onekcal.prediction.questions import Question

FOLDS = 10
KNOWN = 0.5
"""kcal/mol, the uncertainty of an experiment that the error is measured on."""


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("data", type=Path)
    ask.add_argument("model")
    ask.add_argument("out", type=Path)
    ask.add_argument("--most", type=int, help="only so many species, to try it")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    artefact, every = load_model(asked.model), published(asked.data)
    heats = best(every)
    first = {one.identity: one for one in reversed(every) if one.identity in heats}
    some = list(first.values())[::-1][: asked.most]
    data, identities = answered(some, artefact, {key: h.formation for key, h in heats.items()})
    sigma = torch.tensor([heats[key].stated for key in identities], dtype=torch.float64)
    data = data.with_column("uncertainty", Column(sigma, "property"))
    correction = BondCorrection().fit(data, data[:0])
    after = left_out(data, identities)
    known = sigma <= KNOWN
    for name, rows in (("all", torch.ones_like(known)), (f"known to {KNOWN}", known)):
        before = data.energies[rows].abs()
        print(
            f"{name}: {int(rows.sum())} molecules, mean absolute error {float(before.mean()):.3f} "
            f"without and {float(after[rows].abs().mean()):.3f} with the correction, medians "
            f"{float(before.median()):.3f} and {float(after[rows].abs().median()):.3f}"
        )
    error = float(after[known].abs().mean()) if known.any() else math.nan
    source = (
        f"{correction.counts}, fitted to {len(data)} experiments; mean absolute error of the "
        f"{int(known.sum())} known to {KNOWN} kcal/mol, each left out of the fit"
    )
    replace(artefact, to_experiment=ToExperiment(correction, error, source)).save(asked.out)
    print(f"wrote {asked.out}: {source}")


def answered(
    some: list[Published], artefact: Artefact, experiment: dict[str, float]
) -> tuple[Dataset, list[str]]:
    """Ask the model for each species.

    Parameters
    ----------
    some
        Species at published geometries.
    artefact
        The model.
    experiment
        Identity → ΔfH(298.15 K), kcal/mol.

    Returns
    -------
    tuple
        The molecules that have an answer, with ΔfH(experiment) − ΔfH(model) as their target, and
        their identities.
    """
    options = Options(rung="learned", route="atomization")
    molecules, left, identities = [], [], []
    for one in some:
        question = Question(f"{one.file} {one.row}", molecule=one.molecule)
        given = answer(question, artefact, options, may_compute=False)
        if given.problem or given.ledger is None or given.molecule is None:
            continue
        molecules.append(given.molecule)
        left.append(experiment[one.identity] - given.ledger.formation_298)
        identities.append(one.identity)
    column = Column(torch.tensor(left, dtype=torch.float64), kind="formation", at="298 K")
    return Dataset(Molecules.concatenate(molecules), {"left": column}, "left"), identities


def left_out(data: Dataset, identities: list[str]) -> Tensor:
    """Return what the correction leaves of each molecule when it was not fitted to it.

    Parameters
    ----------
    data
        What `answered` returned, with uncertainties.
    identities
        Of its molecules.

    Returns
    -------
    Tensor
        (n,) kcal/mol.
    """
    dealt = folds(identities, FOLDS)
    fold = torch.tensor([dealt[key] for key in identities])
    out = data.energies.clone()
    for k in range(FOLDS):
        held = data[fold == k]
        fitted = BondCorrection().fit(data[fold != k], held[:0])
        out[fold == k] -= fitted.energies(held.molecules)
    return out


if __name__ == "__main__":
    main()
