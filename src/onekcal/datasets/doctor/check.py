"""The data doctor: what is in a data set, what is doubtful, why, and what to do about it.

Every check works on the whole set at once; QM9's 130,831 molecules take seconds. Molecules whose coordinates are not
finite are reported and left out of the rest.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from onekcal.data.dataset import Column, Dataset
from onekcal.data.splits import TEST, TRAIN, VALID
from onekcal.datasets.card import Stored
from onekcal.datasets.doctor.consistency import agreement, mistakes
from onekcal.datasets.doctor.twins import blocks, twins
from onekcal.energies import FREE_ATOMS
from onekcal.molecules import CLOSEST, SYMBOLS, Molecules
from onekcal.units import BOHR, ENERGY, HARTREE

Level = Literal["ok", "note", "warning", "error"]

BOUND = (-250.0, -5.0)
"""kcal/mol an atom: where atomization energies of molecules lie (F2 −19, H2 −55, CO −130, graphite −171)."""
FORMATION = 60.0
"""kcal/mol an atom: heats of formation are smaller (acetylene 14, C2 100, CF4 −45)."""
FAR = 3.0
"""Å; an atom farther than this from every other belongs to no molecule."""
SQUEEZED = 0.6
"""Of the sum of the covalent radii; atoms nearer than this are not found in molecules, nor in hot trajectories."""
IN_BOHR = (1.55, 2.3)
"""Median distance to the nearest neighbour in the same measure when lengths are in bohr (1/0.529 = 1.9)."""
OUTLIER = 8.0
"""Robust standard deviations of the dressed-atom residual beyond which an energy is listed."""
SAME, NEAR = 0.001, 0.01
"""Å; every distance within this makes two geometries the same, or nearly so."""
RARE = 10
"""An element in fewer molecules cannot be learned."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    level: Level
    what: str
    detail: str
    remedy: str = ""


@dataclass
class Report:
    """All findings."""

    findings: list[Finding] = field(default_factory=list)

    def add(self, level: Level, what: str, detail: str, remedy: str = "") -> None:
        self.findings.append(Finding(level, what, detail, remedy))

    @property
    def failed(self) -> bool:
        """Is anything so wrong that training on it would be a mistake?"""
        return any(finding.level == "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        return {"failed": self.failed, "findings": [asdict(finding) for finding in self.findings]}

    def lines(self) -> list[str]:
        """Plain text, one finding a line."""
        return [
            f"{f.level:8s} {f.what}: {f.detail}" + (f" → {f.remedy}" if f.remedy else "")
            for f in self.findings
        ]


def check(data: Dataset | Stored, splits: dict[str, Tensor] | None = None) -> Report:
    """Look at everything: what there is, units, geometries, copies, splits, outliers, forces against energies."""
    dataset = data.dataset if isinstance(data, Stored) else data
    splits = data.splits if isinstance(data, Stored) and splits is None else splits or {}
    report = Report()
    _counts(report, dataset.molecules)
    for name, column in dataset.columns.items():
        _column(report, dataset, name, column)
    _free_atoms(report, dataset)
    splits = {
        name: labels for name, labels in splits.items() if _fits(report, name, labels, len(dataset))
    }
    keep = _finite(report, dataset.molecules)
    names = np.array(
        [
            f"{name} (row {m})" if name else f"row {m}"
            for m, name in enumerate(dataset.molecules.names)
        ]
    )
    dataset = replace(
        dataset, molecules=replace(dataset.molecules, name=names)
    )  # rows of the whole set, whatever is left
    if not keep.all():
        dataset, splits = dataset[keep], {name: labels[keep] for name, labels in splits.items()}
    if len(dataset):
        _geometry(report, dataset.molecules)
        pairs = twins(dataset.molecules, NEAR)
        _copies(report, dataset, pairs)
        for name, labels in splits.items():
            _split(report, name, labels, pairs)
        for name in dataset.columns:
            _outliers(report, dataset, name)
            _forces(report, dataset, name)
    return report


# --- what is there ---------------------------------------------------------------------------------------------------


def _counts(report: Report, molecules: Molecules) -> None:
    sizes = molecules.sizes
    elements = ", ".join(
        f"{SYMBOLS[z]} {int((molecules.numbers == z).sum()):,}" for z in molecules.elements
    )
    report.add(
        "ok",
        "molecules",
        f"{len(molecules):,} of {int(sizes.min())} to {int(sizes.max())} atoms "
        f"({len(molecules.numbers):,} atoms: {elements})",
    )
    holders = (molecules.composition(molecules.elements) > 0).sum(0).tolist()
    rare = [
        f"{SYMBOLS[z]} ({count})" for z, count in zip(molecules.elements, holders) if count < RARE
    ]
    if rare and len(molecules) > 10 * RARE:
        report.add(
            "note",
            "elements",
            f"{', '.join(rare)} in fewer than {RARE} molecules",
            "too few to learn from: drop "
            "those molecules, or see that they are in the training part",
        )
    charged, open_shell = int((molecules.charges != 0).sum()), int((molecules.spins != 0).sum())
    if charged or open_shell:
        report.add(
            "note",
            "electrons",
            f"{charged:,} charged and {open_shell:,} open-shell molecules",
            "models here learn neutral closed shells unless they say otherwise",
        )


def _column(report: Report, dataset: Dataset, name: str, column: Column) -> None:
    values = column.values.to(torch.float64)
    bad = ~torch.isfinite(values).reshape(len(values), -1).all(1)
    if bad.any():
        first = int(bad.nonzero()[0])
        rows = len(dataset.molecules.owner[bad].unique()) if column.atomic else int(bad.sum())
        row = int(dataset.molecules.owner[first]) if column.atomic else first
        report.add(
            "error",
            name,
            f"{rows:,} of {len(dataset):,} values are missing or not finite, first in row {row}",
            "remove those molecules or complete the labels; training refuses them",
        )
        if bad.all():
            return
    good = values[~bad]
    note = f"; {column.note}" if column.note else ""
    detail = (
        f"{column.meaning}; {float(good.min()):.2f} … {float(good.max()):.2f}, mean {float(good.mean()):.2f} "
        f"{column.unit}{note}"
    )
    if len(good) > 2 and float(good.max()) == float(good.min()):
        report.add(
            "error",
            name,
            f"{detail}; all values are equal",
            "the labels were lost on the way; import again",
        )
    elif column.quantity == "energy":
        _energy(report, name, column, detail, values[~bad], dataset.molecules[~bad])
    else:
        report.add("ok", name, detail)
    if column.quantity == "energy" and not column.level:
        report.add(
            "note", name, "its level of theory is not stated", "import it again with --level"
        )


def _energy(
    report: Report, name: str, column: Column, detail: str, values: Tensor, molecules: Molecules
) -> None:
    """Does the size of the energies fit their kind and unit? Says by what it is believed."""
    typical = float((values / molecules.sizes).median())
    totals = _totals_unit(values, molecules)
    per_atom = f"{detail}; median {typical:.1f} kcal/mol an atom"
    if totals and totals != "kcal/mol":
        report.add(
            "error",
            name,
            f"{per_atom}: exactly what total energies in {totals} look like",
            f"import again with --energy {totals}, as totals",
        )
    elif column.kind == "total" and totals:
        report.add(
            "ok", name, f"{per_atom}, the sum of all-electron atoms within 3 %: totals in kcal/mol"
        )
        report.add(
            "note",
            name,
            "totals have no common zero with predictions",
            "begin an experiment on them with the stage `dressed_atoms`, or import with the level's free atoms",
        )
    elif column.kind == "total" and typical < BOUND[0]:
        report.add(
            "note",
            name,
            f"{per_atom}: too little for all electrons; totals of valence electrons alone "
            "(semi-empirical, pseudopotentials), or another unit",
            "see that the level of theory explains it",
        )
    elif column.kind == "total":
        looks = (
            "as atomization energies have" if typical < BOUND[1] else "far from what totals have"
        )
        report.add(
            "warning",
            name,
            f"{per_atom}, {looks}",
            "import again as atomization energies if they are relative to free atoms"
            if typical < BOUND[1]
            else _unit_guess(typical) + ", or are they relative energies?",
        )
    elif column.kind == "atomization" and not BOUND[0] < typical < BOUND[1]:
        report.add(
            "error",
            name,
            f"{per_atom}, but atomization energies lie in {BOUND[0]:.0f} … {BOUND[1]:.0f}",
            "positive when bound: change the sign"
            if -BOUND[1] < typical < -BOUND[0]
            else _unit_guess(typical),
        )
    elif column.kind == "formation" and abs(typical) > FORMATION:
        report.add(
            "warning",
            name,
            f"{per_atom}, but heats of formation lie within ± {FORMATION:.0f}",
            "check kind and unit",
        )
    else:
        report.add(
            "ok",
            name,
            f"{per_atom}, as {'atomization energies' if column.kind == 'atomization' else 'they'} are",
        )


def _totals_unit(values: Tensor, molecules: Molecules) -> str:
    """The unit in which values claimed to be kcal/mol would be totals of all electrons; "" where none fits.

    Their sum over free atoms is near Schwinger's E(Z) = −0.768745 Z^(7/3) + Z²/2 − 0.2699 Z^(5/3) Hartree (Phys. Rev. A
    24, 2353, 1981), to 3 % from Z = 6 on. No other energy keeps so even a ratio to it.
    """
    z = torch.arange(len(SYMBOLS), dtype=torch.float64)
    atoms = (-0.768745 * z ** (7 / 3) + z**2 / 2 - 0.2699 * z ** (5 / 3)) * HARTREE
    ratio = values / molecules.sum_atoms(atoms[molecules.numbers])
    middle = float(ratio.median())
    if float((ratio - middle).abs().median()) > 0.02 * abs(middle):
        return ""
    return next((unit for unit, factor in ENERGY.items() if abs(middle * factor - 1) < 0.03), "")


def _unit_guess(per_atom: float) -> str:
    """Units that would bring a median energy an atom to where atomization energies lie."""
    out = [
        unit
        for unit, factor in ENERGY.items()
        if factor != 1 and BOUND[0] < per_atom * factor < BOUND[1]
    ]
    return (
        f"are they in {' or '.join(out)}? import again with --energy"
        if out
        else "check the unit, the sign and the kind"
    )


def _free_atoms(report: Report, dataset: Dataset) -> None:
    """Totals less atomization energies are free atoms, exactly; the table of the level of theory knows them."""
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
        if (
            not torch.isfinite(left).all()
            or int(torch.linalg.matrix_rank(counts)) < counts.shape[1]
        ):
            continue
        atoms = torch.linalg.lstsq(counts, left[:, None], driver="gelsd").solution[:, 0]
        worst = float((left - counts @ atoms).abs().max())
        hartree = {z: float(e) / HARTREE for z, e in zip(molecules.elements, atoms)}
        said = ", ".join(f"{SYMBOLS[z]} {e:.6f}" for z, e in hartree.items())
        known = FREE_ATOMS.get(columns[total].level)
        off = [
            SYMBOLS[z]
            for z, e in hartree.items()
            if known and abs(e - known.hartree.get(z, e)) > 1e-3
        ]
        if worst > 1 or any(e > -0.1 for e in hartree.values()) or off:
            why = (
                f"{', '.join(off)} disagree with the table of {known.level}"
                if known and off
                else f"no set of free atoms explains the difference to better than {worst:.1f} kcal/mol"
                if worst > 1
                else "an atom cannot be unbound"
            )
            report.add(
                "error",
                f"{bound} references",
                f"{total} − {bound} would be free atoms of {said} Hartree: {why}",
                "one of the two is of another level or unit; recompute the atomization energies",
            )
        else:
            report.add(
                "ok",
                f"{bound} references",
                f"{total} − {bound} is a sum of free atoms ({said} Hartree)",
            )


# --- geometry --------------------------------------------------------------------------------------------------------


def _finite(report: Report, molecules: Molecules) -> Tensor:
    """(M,) whether all coordinates are numbers."""
    bad = molecules.sum_atoms((~torch.isfinite(molecules.positions)).any(1).to(torch.int64)) > 0
    if bad.any():
        report.add(
            "error",
            "geometry",
            f"{int(bad.sum()):,} molecules have coordinates that are not finite, first: row "
            f"{int(bad.nonzero()[0])}",
            "remove or repair them",
        )
    return ~bad


def _geometry(report: Report, molecules: Molecules) -> None:
    """Atoms on one point, squeezed, or alone; lengths that are those of another unit."""
    from ase.data import covalent_radii

    radii = torch.from_numpy(covalent_radii)
    nearest, loneliest, squeezed, typical = (
        torch.full((len(molecules),), torch.nan, dtype=torch.float64) for _ in range(4)
    )
    for rows, charges, apart in blocks(molecules):
        if apart.shape[1] > 1:
            apart.diagonal(dim1=1, dim2=2).fill_(torch.inf)
            near = apart.min(-1).values
            nearest[rows], loneliest[rows] = near.min(-1).values, near.max(-1).values
            reach = radii[charges]
            bonds = (apart / (reach[:, :, None] + reach[:, None, :])).min(-1).values
            squeezed[rows], typical[rows] = bonds.min(-1).values, bonds.median(-1).values
    if nearest.isnan().all():
        return
    close = nearest < CLOSEST
    tight, far = (squeezed < SQUEEZED) & ~close, loneliest > FAR
    middle, bond = float(nearest.nanmedian()), float(typical.nanmedian())
    if close.any():
        report.add(
            "error",
            "geometry",
            f"{int(close.sum()):,} molecules have atoms nearer than {CLOSEST} Å, first: "
            f"{_named(molecules, close)}",
            "two atoms on one point: remove or repair them",
        )
    if tight.any():
        report.add(
            "warning",
            "geometry",
            f"{int(tight.sum()):,} molecules have atoms nearer than {SQUEEZED} bond lengths, "
            f"first: {_named(molecules, tight)}",
            "look at them; of many, the unit of length is wrong",
        )
    if far.any():
        report.add(
            "warning",
            "geometry",
            f"{int(far.sum()):,} molecules have an atom more than {FAR} Å from all others, "
            f"first: {_named(molecules, far)}",
            "dissociated, or several molecules in one",
        )
    if IN_BOHR[0] < bond < IN_BOHR[1]:
        report.add(
            "error",
            "geometry",
            f"the nearest neighbour is typically {middle:.2f} Å or {bond:.2f} bond lengths away",
            f"are lengths in bohr? import again with --length bohr ({middle * BOHR:.2f} Å then)",
        )
    elif not close.any():
        report.add(
            "ok",
            "geometry",
            f"nearest neighbours typically {middle:.2f} Å ({bond:.2f} bond lengths) away, never "
            f"below {float(nearest[~nearest.isnan()].min()):.2f} Å",
        )


def _named(molecules: Molecules, which: Tensor, most: int = 5) -> str:
    """The first few of a mask or of rows."""
    rows = (which.nonzero().flatten() if which.dtype == torch.bool else which).tolist()
    return ", ".join(str(molecules.names[m]) for m in rows[:most]) + (
        " …" if len(rows) > most else ""
    )


# --- copies and splits -----------------------------------------------------------------------------------------------


def _copies(report: Report, dataset: Dataset, pairs: np.ndarray) -> None:
    """Molecules that repeat another one, and whether their labels agree."""
    molecules = dataset.molecules
    again = len(np.unique(pairs[:, 1]))
    if not again:
        report.add("ok", "duplicates", f"none (same atoms with all distances equal to {NEAR} Å)")
        return
    some = np.unique(pairs)
    same = some[twins(molecules[some.tolist()], SAME)]  # rows of all
    exact = len(np.unique(same[:, 1]))
    example = " and ".join(str(molecules.names[m]) for m in pairs[0])
    report.add(
        "warning" if again > 0.001 * len(molecules) else "note",
        "duplicates",
        f"{again:,} molecules repeat an "
        f"earlier one with all distances equal to {NEAR} Å, {exact:,} of them to {SAME} Å, first: {example}",
        "mirror images count as equal; remove what is a copy, or keep copies in one part of a split",
    )
    for name, column in dataset.columns.items():
        if column.quantity != "energy" or not exact:
            continue
        apart = (column.values[same[:, 0]] - column.values[same[:, 1]]).abs().nan_to_num(0.0)
        if (apart > 1.0).any():
            most = " and ".join(str(molecules.names[m]) for m in same[int(apart.argmax())])
            report.add(
                "warning",
                f"{name} of duplicates",
                f"{int((apart > 1.0).sum()):,} pairs of equal geometries differ "
                f"by more than 1 kcal/mol, most ({float(apart.max()):.1f}): {most}",
                "other states or charges, or a label of another molecule; look at them",
            )


def _fits(report: Report, name: str, labels: Tensor, count: int) -> bool:
    if labels.shape != (count,):
        report.add(
            "error",
            f"split {name}",
            f"{len(labels):,} labels for {count:,} molecules",
            "it belongs to other data",
        )
        return False
    return True


def _split(report: Report, name: str, labels: Tensor, pairs: np.ndarray) -> None:
    """Parts are disjoint by construction (one label a molecule); copies may still sit on both sides."""
    kinds = labels.numpy()
    parts = {
        part: int((kinds == label).sum())
        for part, label in (("train", TRAIN), ("valid", VALID), ("test", TEST))
    }
    counts = ", ".join(f"{count:,} {part}" for part, count in parts.items() if count)
    if not parts["train"]:
        report.add(
            "error",
            f"split {name}",
            f"{counts or 'nothing'}; no training part",
            "make the split again",
        )
    first, second = kinds[pairs[:, 0]], kinds[pairs[:, 1]]
    tested = np.concatenate(
        [
            pairs[(first == TEST) & (second == TRAIN), 0],
            pairs[(first == TRAIN) & (second == TEST), 1],
        ]
    )
    leaked = len(np.unique(tested))
    if leaked:
        report.add(
            "warning" if leaked > 0.001 * parts["test"] else "note",
            f"split {name}",
            f"{counts}; {leaked:,} test molecules equal a training molecule to {NEAR} Å",
            "errors on those are not errors on something new",
        )
    elif parts["train"]:
        report.add("ok", f"split {name}", f"{counts}; no test molecule is in the training part")


# --- energies and forces ---------------------------------------------------------------------------------------------


def _outliers(report: Report, dataset: Dataset, name: str) -> None:
    """Energies far from a sum of atom energies, in robust standard deviations."""
    column = dataset.columns[name]
    finite = (
        torch.isfinite(column.values)
        if column.quantity == "energy"
        else torch.zeros(1, dtype=torch.bool)
    )
    molecules = dataset.molecules[finite] if finite.any() else None
    if molecules is None or len(molecules) < 3 * len(molecules.elements) + 10:
        return
    values, counts = (
        column.values[finite].to(torch.float64),
        molecules.composition(molecules.elements),
    )
    fit = torch.linalg.lstsq(counts, values[:, None], driver="gelsd").solution[:, 0]
    residual = values - counts @ fit
    residual = residual - residual.median()
    spread = 1.4826 * float(residual.abs().median())
    odd = (residual.abs() > OUTLIER * max(spread, 1e-6)).nonzero().flatten()
    if len(odd):
        odd = odd[residual[odd].abs().argsort(descending=True)]
        report.add(
            "note",
            f"{name} outliers",
            f"{len(odd):,} energies lie more than {OUTLIER:.0f} spreads of "
            f"{spread:.1f} kcal/mol from a sum of atom energies, first: {_named(molecules, odd)}",
            "look at them; strained or exotic molecules are sound, shifted labels are not",
        )
    else:
        report.add(
            "ok",
            f"{name} outliers",
            f"none; {spread:.1f} kcal/mol spread around a sum of atom energies",
        )


def _forces(report: Report, dataset: Dataset, name: str) -> None:
    """Forces add up to nothing, and are the slope of the energies."""
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
    net = molecules.sum_atoms(pull).abs().max(1).values
    pushed = net > 0.05 * pull.abs().mean()
    if pushed.any():
        report.add(
            "warning",
            key,
            f"on {int(pushed.sum()):,} of {len(molecules):,} molecules the forces do not add up to "
            f"0, most: {float(net.max()):.3g} kcal/mol/Å on {_named(molecules, net.argmax()[None])}",
            "an external field, a fixed atom, or forces of another geometry?",
        )
    found = agreement(molecules, energies, pull)
    if found is None:
        report.add(
            "note", key, "too few near frames of one molecule to hold forces against energies"
        )
        return
    detail = (
        f"energy differences of {found.pairs} pairs of near frames ({found.step:.2f} Å apart) are {found.slope:.4g} × "
        f"what the forces say (r = {found.correlation:.3f})"
    )
    if abs(found.correlation) < 0.8:
        report.add(
            "warning",
            key,
            detail,
            "energies and forces do not belong together, or frames are too far apart to tell",
        )
    elif abs(found.slope - 1) < 0.1:
        report.add("ok", key, detail + ": consistent")
    else:
        sign = "these are gradients, not forces: change their sign" if found.slope < 0 else ""
        unit = (
            ""
            if abs(abs(found.slope) - 1) < 0.1
            else mistakes(found.slope, 0.1) or "a factor no unit explains"
        )
        report.add(
            "error", key, detail, "; ".join(filter(None, (sign, unit and f"{unit}; import again")))
        )
