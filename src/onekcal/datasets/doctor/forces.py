"""Forces: they add up to zero, and they are the slope of the energies."""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.datasets.doctor.consistency import Agreement, agreement
from onekcal.datasets.doctor.diagnosis import Diagnosis, first_names
from onekcal.datasets.doctor.unit_mistakes import mistakes
from onekcal.molecules import Molecules


def forces_against_energies(diagnosis: Diagnosis, dataset: Dataset, name: str) -> None:
    """Report forces that do not add up to zero, or are not the slope of the energies.

    Parameters
    ----------
    diagnosis
        The findings are added to it.
    dataset
        The whole data set.
    name
        The column of the energies. Nothing is done where it has no forces.
    """
    key = f"{name}_forces"
    if key not in dataset.columns or not dataset.columns[key].values.any():
        return
    energies, pull = (
        dataset.columns[name].values.to(torch.float64),
        dataset.columns[key].values.to(torch.float64),
    )
    keep = torch.isfinite(energies) & (
        dataset.molecules.sum_atoms((~torch.isfinite(pull)).any(1).to(torch.int64)) == 0
    )
    molecules, energies, pull = (
        dataset.molecules[keep],
        energies[keep],
        pull[keep[dataset.molecules.owner]],
    )
    _report_sums(diagnosis, key, molecules, pull)
    measured = agreement(molecules, energies, pull)
    if measured is None:
        diagnosis.add(
            "note", key, "too few near frames of one molecule to compare forces with energies"
        )
    else:
        _report_slope(diagnosis, key, measured)


def _report_sums(diagnosis: Diagnosis, key: str, molecules: Molecules, pull: Tensor) -> None:
    """The forces (A, 3) kcal/mol/Å on a free molecule add up to zero."""
    net = molecules.sum_atoms(pull).abs().max(1).values
    pushed = net > 0.05 * pull.abs().mean()
    if pushed.any():
        diagnosis.add(
            "warning",
            key,
            f"on {int(pushed.sum()):,} of {len(molecules):,} molecules the forces do not add up to "
            f"0, most: {float(net.max()):.3g} kcal/mol/Å on "
            f"{first_names(molecules, net.argmax()[None])}",
            "an external field, a fixed atom, or forces of another geometry?",
        )


def _report_slope(diagnosis: Diagnosis, key: str, measured: Agreement) -> None:
    """The energies rise as the forces say, by a slope of 1."""
    detail = (
        f"energy differences of {measured.pairs} pairs of near frames ({measured.step:.2f} Å "
        f"apart) are {measured.slope:.4g} × what the forces say (r = {measured.correlation:.3f})"
    )
    if abs(measured.correlation) < 0.8:
        diagnosis.add(
            "warning",
            key,
            detail,
            "energies and forces do not belong together, or frames are too far apart to tell",
        )
    elif abs(measured.slope - 1) < 0.1:
        diagnosis.add("ok", key, detail + ": consistent")
    else:
        sign = "these are gradients, not forces: change their sign" if measured.slope < 0 else ""
        unit = (
            ""
            if abs(abs(measured.slope) - 1) < 0.1
            else mistakes(measured.slope, 0.1) or "a factor no unit explains"
        )
        diagnosis.add(
            "error", key, detail, "; ".join(filter(None, (sign, unit and f"{unit}; import again")))
        )
