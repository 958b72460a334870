"""Whether energies have the size that their kind and unit imply, and which of them are outliers."""

from __future__ import annotations

import torch
from torch import Tensor

from onekcal.data.dataset import Column, Dataset
from onekcal.datasets.doctor.diagnosis import Diagnosis, first_names
from onekcal.datasets.doctor.units_of_energies import BOUND, unit_of_totals, units_of_atomization
from onekcal.energies import FREE_ATOMS
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.units import HARTREE

FORMATION = 60.0
"""kcal/mol an atom: heats of formation are smaller (acetylene 14, C2 100, CF4 −45)."""
OUTLIER = 8.0
"""An energy is listed when it lies this many robust standard deviations from the dressed atoms."""


def size_and_unit(
    diagnosis: Diagnosis,
    name: str,
    column: Column,
    detail: str,
    values: Tensor,
    molecules: Molecules,
) -> None:
    """Report whether the size of the energies fits their kind and unit, and how that is seen.

    Parameters
    ----------
    diagnosis
        The findings are added to it.
    name, column
        The column and its name.
    detail
        What the report says about the column in any case.
    values
        (M,) the finite values, taken to be kcal/mol.
    molecules
        (M,) the molecules they belong to.
    """
    typical = float((values / molecules.sizes).median())
    unit = unit_of_totals(values, molecules)
    per_atom = f"{detail}; median {typical:.1f} kcal/mol an atom"
    if unit and unit != "kcal/mol":
        diagnosis.add(
            "error",
            name,
            f"{per_atom}: exactly what total energies in {unit} look like",
            f"import again with --energy {unit}, as totals",
        )
    elif column.kind == "total":
        _totals(diagnosis, name, per_atom, typical, bool(unit))
    elif column.kind == "atomization" and not BOUND[0] < typical < BOUND[1]:
        diagnosis.add(
            "error",
            name,
            f"{per_atom}, but atomization energies lie in {BOUND[0]:.0f} … {BOUND[1]:.0f}",
            "positive when bound: change the sign"
            if -BOUND[1] < typical < -BOUND[0]
            else _remedy(typical),
        )
    elif column.kind == "formation" and abs(typical) > FORMATION:
        diagnosis.add(
            "warning",
            name,
            f"{per_atom}, but heats of formation lie within ± {FORMATION:.0f}",
            "check kind and unit",
        )
    else:
        kind = "atomization energies" if column.kind == "atomization" else "they"
        diagnosis.add("ok", name, f"{per_atom}, as {kind} are")


def _totals(diagnosis: Diagnosis, name: str, per_atom: str, typical: float, fit: bool) -> None:
    """Total energies: `fit` says that they are those of all electrons in kcal/mol."""
    if fit:
        diagnosis.add(
            "ok", name, f"{per_atom}, the sum of all-electron atoms within 3 %: totals in kcal/mol"
        )
        diagnosis.add(
            "note",
            name,
            "totals have no common zero with predictions",
            "begin an experiment on them with the stage `dressed_atoms`, or import with the "
            "level's free atoms",
        )
    elif typical < BOUND[0]:
        diagnosis.add(
            "note",
            name,
            f"{per_atom}: too little for all electrons; totals of valence electrons alone "
            "(semi-empirical, pseudopotentials), or another unit",
            "see that the level of theory explains it",
        )
    elif typical < BOUND[1]:
        diagnosis.add(
            "warning",
            name,
            f"{per_atom}, as atomization energies have",
            "import again as atomization energies if they are relative to free atoms",
        )
    else:
        diagnosis.add(
            "warning",
            name,
            f"{per_atom}, far from what totals have",
            _remedy(typical) + ", or are they relative energies?",
        )


def _remedy(typical: float) -> str:
    """What to do about a median energy an atom that is not that of atomization energies."""
    units = units_of_atomization(typical)
    if not units:
        return "check the unit, the sign and the kind"
    return f"are they in {' or '.join(units)}? import again with --energy"


def check_free_atoms(diagnosis: Diagnosis, dataset: Dataset) -> None:
    """Report whether totals and atomization energies of one level differ by free atoms.

    Parameters
    ----------
    diagnosis
        The findings are added to it.
    dataset
        The whole data set.
    """
    columns, molecules = dataset.columns, dataset.molecules
    pairs = [
        (a, b)
        for a, t in columns.items()
        for b, e in columns.items()
        if t.quantity == e.quantity == "energy"
        and t.kind == "total"
        and e.kind == "atomization"
        and (t.level, t.at) == (e.level, e.at)
    ]
    for total, bound in pairs:
        left = (columns[total].values - columns[bound].values).to(torch.float64)
        counts = molecules.composition(molecules.elements)
        rank = int(torch.linalg.matrix_rank(counts))
        if not torch.isfinite(left).all() or rank < counts.shape[1]:
            continue
        atoms = torch.linalg.lstsq(counts, left[:, None], driver="gelsd").solution[:, 0]
        worst = float((left - counts @ atoms).abs().max())
        hartree = {z: float(e) / HARTREE for z, e in zip(molecules.elements, atoms)}
        each = ", ".join(f"{SYMBOLS[z]} {e:.6f}" for z, e in hartree.items())
        why = _no_atoms(hartree, worst, columns[total].level)
        if why:
            diagnosis.add(
                "error",
                f"{bound} references",
                f"{total} − {bound} would be free atoms of {each} Hartree: {why}",
                "one of the two is of another level or unit; recompute the atomization energies",
            )
        else:
            diagnosis.add(
                "ok",
                f"{bound} references",
                f"{total} − {bound} is a sum of free atoms ({each} Hartree)",
            )


def _no_atoms(hartree: dict[int, float], worst: float, level: str) -> str:
    """Why these are no free atoms of the level of theory; "" where they may be.

    `worst` is the largest difference (kcal/mol) that the atoms leave.
    """
    known = FREE_ATOMS.get(level)
    off = [
        SYMBOLS[z] for z, e in hartree.items() if known and abs(e - known.hartree.get(z, e)) > 1e-3
    ]
    if known and off:
        return f"{', '.join(off)} disagree with the table of {known.level}"
    if worst > 1:
        return f"no set of free atoms explains the difference to better than {worst:.1f} kcal/mol"
    return "an atom cannot be unbound" if any(e > -0.1 for e in hartree.values()) else ""


def outliers(diagnosis: Diagnosis, dataset: Dataset, name: str) -> None:
    """Report energies that lie far from a sum of atom energies.

    Parameters
    ----------
    diagnosis
        The findings are added to it.
    dataset
        The whole data set.
    name
        The column. One that holds no energies is passed over.
    """
    column = dataset.columns[name]
    if column.quantity != "energy":
        return
    finite = torch.isfinite(column.values)
    molecules = dataset.molecules[finite]
    if len(molecules) < 3 * len(molecules.elements) + 10:
        return
    values = column.values[finite].to(torch.float64)
    counts = molecules.composition(molecules.elements)
    fit = torch.linalg.lstsq(counts, values[:, None], driver="gelsd").solution[:, 0]
    residual = values - counts @ fit
    residual = residual - residual.median()
    scatter = 1.4826 * float(residual.abs().median())
    odd = (residual.abs() > OUTLIER * max(scatter, 1e-6)).nonzero().flatten()
    if len(odd):
        odd = odd[residual[odd].abs().argsort(descending=True)]
        diagnosis.add(
            "note",
            f"{name} outliers",
            f"{len(odd):,} energies lie more than {OUTLIER:.0f} times the usual {scatter:.1f} "
            f"kcal/mol from a sum of atom energies, first: {first_names(molecules, odd)}",
            "look at them; strained or exotic molecules are sound, shifted labels are not",
        )
    else:
        diagnosis.add(
            "ok",
            f"{name} outliers",
            f"none; the energies scatter by {scatter:.1f} kcal/mol around a sum of atom energies",
        )
