"""Stop before a training on energies of another unit or kind than they are taken for."""

from __future__ import annotations

from typing import get_args

import torch

from onekcal import datasets as store
from onekcal.data.dataset import Dataset
from onekcal.datasets.doctor.contents import column_values
from onekcal.datasets.doctor.diagnosis import Diagnosis, Finding
from onekcal.datasets.doctor.forces import forces_against_energies
from onekcal.datasets.doctor.units_of_energies import looks_like
from onekcal.energies import Kind
from onekcal.errors import DataError
from onekcal.runs.data_choice import DataChoice, is_plain


def check_units(data: Dataset, choice: DataChoice) -> None:
    """Refuse energies that the data doctor takes for another unit or kind.

    The data sets of the catalogue are known, and are not looked at.

    Parameters
    ----------
    data
        The whole data set, aimed at the target.
    choice
        Where it comes from; `check: false` skips this.

    Raises
    ------
    DataError
        What was seen, what the energies look like, and the keys that say so.
    """
    column = data.aim
    if not choice.check or choice.set in store.names() or column.quantity != "energy":
        return
    diagnosis = Diagnosis()
    column_values(diagnosis, data, choice.target, column)
    for finding in diagnosis.findings:
        if finding.level in ("warning", "error"):
            raise DataError(_refusal(finding, data, choice))
    forces_against_energies(diagnosis, data, choice.target)
    for finding in diagnosis.findings:
        if finding.level == "error":
            raise DataError(
                f"{finding.what} of {choice.set}: {finding.detail}: {finding.remedy}{_as_it_is()}"
            )


def _refusal(finding: Finding, data: Dataset, choice: DataChoice) -> str:
    """One line: what was seen, what it looks like, and how to say so."""
    column = data.aim
    seen = f"{choice.target} of {choice.set} is taken for {finding.detail}"
    finite = torch.isfinite(column.values)
    guess = looks_like(column.values[finite].to(torch.float64), data.molecules[finite])
    taken_for = (column.kind, ["kcal/mol"])
    if not finite.all() or guess is None or guess == taken_for:
        return f"{seen}: {finding.remedy}{_as_it_is()}"
    unit = " or ".join(guess.units)
    meant = [] if guess.units[0] == "kcal/mol" else [("energy", unit, guess.units[0])]
    meant += [("kind", guess.kind, guess.kind)] if guess.kind != column.kind else []
    keys = ", ".join(f"data.{key}: {word}" for key, word, _ in meant)
    flags = " ".join(f"--{key} {word}" for key, _, word in meant)
    remedy = (
        f"say so with {keys} ({flags})"
        if is_plain(choice.set)
        else f"import it again with --energy {guess.units[0]} --kind {guess.kind}"
    )
    others = [kind for kind in get_args(Kind) if kind not in (guess.kind, column.kind)]
    also = f"; they may also be {' or '.join(others)} energies" if others else ""
    return f"{seen}. They look like {guess.kind} energies in {unit}: {remedy}{also}{_as_it_is()}"


def _as_it_is() -> str:
    return "; if they are right as they are, say data.check: false (--set data.check=false)"
