"""The data doctor: what is in a data set, what is doubtful, why, and what to do about it.

Every check works on the whole set at once; QM9's 130,831 molecules take seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from onekcal.data.dataset import Column, Dataset
from onekcal.data.source import TEST, TRAIN
from onekcal.molecules import CLOSEST, SYMBOLS, Molecules
from onekcal.units import ENERGY, LENGTH

Level = Literal["ok", "note", "warning", "error"]

BOUND = (-250.0, -5.0)
"""kcal/mol an atom: where atomization energies of molecules lie (F2 −19, H2 −55, CO −130, graphite −171)."""
FAR = 3.0
"""Å; an atom farther than this from every other belongs to no molecule."""
OUTLIER = 8.0
"""Robust standard deviations of the dressed-atom residual beyond which an energy is listed."""
BLOCK = 4096


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
        return [f"{f.level:8s} {f.what}: {f.detail}" + (f" → {f.remedy}" if f.remedy else "") for f in self.findings]


def check(dataset: Dataset, splits: dict[str, Tensor] | None = None) -> Report:
    """Look at everything."""
    report = Report()
    _counts(report, dataset.molecules)
    for name, column in dataset.columns.items():
        _column(report, dataset, name, column)
    sound = _geometry(report, dataset.molecules)
    if sound:
        prints = fingerprints(dataset.molecules)
        _duplicates(report, dataset, prints)
        for name, labels in (splits or {}).items():
            _split(report, name, labels, prints)
        for name, column in dataset.columns.items():
            if column.quantity == "energy" and torch.isfinite(column.values).all():
                _energy_outliers(report, dataset, name)
        for name in dataset.columns:
            if f"{name}_forces" in dataset.columns:
                _forces(report, dataset, name)
    return report


# --- what is there ---------------------------------------------------------------------------------------------------


def _counts(report: Report, molecules: Molecules) -> None:
    sizes = molecules.sizes
    elements = ", ".join(f"{SYMBOLS[z]} {int((molecules.numbers == z).sum()):,}" for z in molecules.elements)
    report.add("ok", "molecules", f"{len(molecules):,} of {int(sizes.min())} to {int(sizes.max())} atoms "
               f"({len(molecules.numbers):,} atoms: {elements})")
    charged, open_shell = int((molecules.charges != 0).sum()), int((molecules.spins != 0).sum())
    if charged or open_shell:
        report.add("note", "electrons", f"{charged:,} charged and {open_shell:,} open-shell molecules",
                   "models here learn neutral closed shells unless they say otherwise")


def _column(report: Report, dataset: Dataset, name: str, column: Column) -> None:
    values = column.values
    bad = ~torch.isfinite(values)
    if bad.any():
        rows = bad.reshape(len(values), -1).any(1).nonzero().flatten()
        report.add("error", name, f"{len(rows):,} of {len(values):,} values are missing or not finite, first in row "
                   f"{int(rows[0])}", "remove those molecules or complete the labels; training refuses them")
        return
    spread = f"{float(values.min()):.2f} … {float(values.max()):.2f}, mean {float(values.mean()):.2f} {column.unit}"
    if column.quantity != "energy":
        report.add("ok", name, f"{column.meaning}; {spread}")
        return
    per_atom = values / dataset.molecules.sizes
    typical = float(per_atom.median())
    if column.kind == "atomization":
        inside = BOUND[0] < typical < BOUND[1]
        detail = f"{column.meaning}; {spread}; median {typical:.1f} kcal/mol an atom"
        if inside:
            report.add("ok", name, detail + ", as atomization energies are")
        else:
            report.add("error", name, detail + f", but atomization energies lie in {BOUND[0]:.0f} … {BOUND[1]:.0f}",
                       _unit_guess(typical))
    elif column.kind == "total":
        guess = "" if typical < -300 or len(dataset.molecules) == 0 else _unit_guess(typical)
        level: Level = "warning" if guess else "ok"
        report.add(level, name, f"{column.meaning}; {spread}; median {typical:.0f} kcal/mol an atom", guess)
        if not guess:
            report.add("note", name, "totals have no common zero with predictions",
                       "begin an experiment on them with the stage `dressed_atoms`, or import with the level's free atoms")
    else:
        report.add("ok", name, f"{column.meaning}; {spread}")
    if not column.level:
        report.add("note", name, "its level of theory is not stated", "import it again with --level")


def _unit_guess(per_atom: float) -> str:
    """Units that would bring a median energy an atom to where atomization or total energies lie."""
    out = [unit for unit, factor in ENERGY.items()
           if factor != 1 and (BOUND[0] < per_atom * factor < BOUND[1] or -40000 < per_atom * factor < -3000)]
    return f"are they in {' or '.join(out)}? import again with --energy" if out else "check the unit, the sign and the kind"


# --- geometry --------------------------------------------------------------------------------------------------------


def _blocks(molecules: Molecules) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Rows, charges (B, n) and distances (B, n, n) Å of molecules of like size; absent atoms are infinitely far."""
    for size in molecules.sizes.unique().tolist():
        rows = (molecules.sizes == size).nonzero().flatten()
        for part in rows.split(BLOCK):
            atoms = molecules.atoms_of(part)
            positions = molecules.positions[atoms].reshape(len(part), size, 3)
            apart = torch.cdist(positions, positions, compute_mode="donot_use_mm_for_euclid_dist")
            yield part, molecules.numbers[atoms].reshape(len(part), size), apart


def _geometry(report: Report, molecules: Molecules) -> bool:
    """Finite, not colliding, not falling apart. Returns whether distances can be trusted at all."""
    if not torch.isfinite(molecules.positions).all():
        rows = molecules.owner[~torch.isfinite(molecules.positions).all(1)].unique()
        report.add("error", "geometry", f"{len(rows):,} molecules have coordinates that are not finite, first: "
                   f"{_named(molecules, rows)}", "remove or repair them")
        return False
    nearest = torch.full((len(molecules),), torch.inf, dtype=torch.float64)
    loneliest = torch.zeros(len(molecules), dtype=torch.float64)
    for rows, _, apart in _blocks(molecules):
        if apart.shape[1] > 1:
            near = apart.diagonal_scatter(torch.full(apart.shape[:2], torch.inf, dtype=apart.dtype), dim1=1, dim2=2)
            near = near.min(-1).values
            nearest[rows], loneliest[rows] = near.min(-1).values, near.max(-1).values
    close, far = (nearest < CLOSEST).nonzero().flatten(), (loneliest > FAR).nonzero().flatten()
    typical = float(nearest[torch.isfinite(nearest)].median()) if torch.isfinite(nearest).any() else float("nan")
    if len(close):
        report.add("error", "geometry", f"{len(close):,} molecules have atoms nearer than {CLOSEST} Å, first: "
                   f"{_named(molecules, close)}", "two atoms on one point: remove or repair them")
    if len(far):
        report.add("warning", "geometry", f"{len(far):,} molecules have an atom more than {FAR} Å from all others, first: "
                   f"{_named(molecules, far)}", "dissociated, or several molecules in one")
    if 1.6 < typical < 3.5:
        report.add("error", "geometry", f"the nearest neighbour is typically {typical:.2f} Å away, expected 0.9 … 1.5",
                   f"are lengths in bohr? import again with --length bohr ({typical * LENGTH['bohr']:.2f} Å then)")
    elif not len(close):
        report.add("ok", "geometry", f"nearest neighbours typically {typical:.2f} Å away, never below "
                   f"{float(nearest.min()):.2f} Å")
    return True


def _named(molecules: Molecules, rows: Tensor) -> str:
    return ", ".join(f"{molecules.names[m]} (row {m})" for m in rows[:5].tolist()) + (" …" if len(rows) > 5 else "")


def fingerprints(molecules: Molecules) -> np.ndarray:
    """(M,) hashes equal for molecules of the same atoms at the same distances to 0.01 Å, in whatever order.

    Per atom the charge-weighted sums of distances and of their squares are rounded and sorted with the charges.
    Mirror images have the same fingerprint.
    """
    out = np.empty(len(molecules), dtype="S16")
    for rows, charges, apart in _blocks(molecules):
        weights = charges.to(torch.float64)[:, None, :]
        first = (apart * weights).sum(-1) / weights.sum(-1)
        second = ((apart**2 * weights).sum(-1) / weights.sum(-1)).sqrt()
        rounded = torch.stack([charges.to(torch.float64), (first * 100).round(), (second * 100).round()], -1)
        key = (rounded * torch.tensor([1e8, 1e4, 1.0], dtype=torch.float64)).sum(-1).sort(-1).values
        for row, line in zip(rows.tolist(), key.numpy()):
            out[row] = hashlib.blake2b(line.tobytes(), digest_size=15).digest().ljust(16, b"\1")
    return out


def _duplicates(report: Report, dataset: Dataset, prints: np.ndarray) -> None:
    _, first, counts = np.unique(prints, return_index=True, return_counts=True)
    again = int((counts - 1).sum())
    if not again:
        report.add("ok", "duplicates", "none (same atoms at the same distances to 0.01 Å)")
        return
    example = int(first[counts > 1][0])
    twins = np.flatnonzero(prints == prints[example])[:2].tolist()
    names = " and ".join(f"{dataset.molecules.names[m]} (row {m})" for m in twins)
    share = again / len(prints)
    report.add("warning" if share > 0.001 else "note", "duplicates", f"{again:,} molecules repeat an earlier one to "
               f"0.01 Å, first: {names}", "mirror images count as equal; remove what is a copy, or keep copies in one part")


def _split(report: Report, name: str, labels: Tensor, prints: np.ndarray) -> None:
    kinds = labels.numpy()
    parts = {part: int((kinds == label).sum()) for part, label in (("train", 0), ("valid", 1), ("test", 2))}
    counts = ", ".join(f"{count:,} {part}" for part, count in parts.items() if count)
    leaked = int(np.isin(prints[kinds == TEST], prints[kinds == TRAIN]).sum())
    if leaked:
        report.add("warning" if leaked > 0.001 * parts["test"] else "note", f"split {name}", f"{counts}; {leaked:,} test "
                   "molecules equal a training molecule to 0.01 Å", "errors on those are not errors on something new")
    else:
        report.add("ok", f"split {name}", f"{counts}; no test molecule is in the training part")


# --- energies and forces ---------------------------------------------------------------------------------------------


def _energy_outliers(report: Report, dataset: Dataset, name: str) -> None:
    """Energies far from a sum of atom energies, in robust standard deviations."""
    molecules = dataset.molecules
    values = dataset.columns[name].values.to(torch.float64)
    counts = molecules.composition(molecules.elements)
    if len(values) < 3 * counts.shape[1] + 10:
        return
    fit = torch.linalg.lstsq(counts, values[:, None], driver="gelsd").solution[:, 0]
    residual = values - counts @ fit
    residual = residual - residual.median()
    spread = 1.4826 * float(residual.abs().median())
    odd = (residual.abs() > OUTLIER * max(spread, 1e-6)).nonzero().flatten()
    if len(odd):
        odd = odd[residual[odd].abs().argsort(descending=True)]
        report.add("note", f"{name} outliers", f"{len(odd):,} energies lie more than {OUTLIER:.0f} spreads of "
                   f"{spread:.1f} kcal/mol from a sum of atom energies, first: {_named(molecules, odd)}",
                   "look at them; strained or exotic molecules are sound, shifted labels are not")
    else:
        report.add("ok", f"{name} outliers", f"none; {spread:.1f} kcal/mol spread around a sum of atom energies")


def _forces(report: Report, dataset: Dataset, name: str) -> None:
    """Between like frames of one molecule, ΔE ≈ −½ (F₁ + F₂)·Δx, up to third order in Δx."""
    molecules = dataset.molecules
    pull = dataset.columns[f"{name}_forces"].values.to(torch.float64)
    net = molecules.sum_atoms(pull).abs().max()
    scale = float(pull.abs().mean())
    if float(net) > 0.05 * max(scale, 1e-9):
        report.add("warning", f"{name}_forces", f"the forces on a molecule add up to {float(net):.3g} kcal/mol/Å, "
                   "expected 0 for an isolated one", "an external field, a fixed atom, or forces of another geometry?")
    pairs = _like_frames(molecules)
    if len(pairs) < 5:
        report.add("note", f"{name}_forces", "too few like frames to hold forces against energies")
        return
    energies = dataset.columns[name].values.to(torch.float64)
    work, rise = [], []
    for a, b in pairs:
        first, second = (slice(int(molecules.offsets[m]), int(molecules.offsets[m + 1])) for m in (a, b))
        step = molecules.positions[second] - molecules.positions[first]
        work.append(float(-0.5 * ((pull[first] + pull[second]) * step).sum()))
        rise.append(float(energies[b] - energies[a]))
    slope = float(np.dot(work, rise) / max(np.dot(work, work), 1e-30))
    fit = float(np.corrcoef(work, rise)[0, 1])
    detail = f"energy differences of {len(pairs)} pairs of like frames are {slope:.3f} × what the forces say (r = {fit:.3f})"
    if abs(fit) < 0.8:
        report.add("warning", f"{name}_forces", detail, "energies and forces do not belong together, or frames are too "
                   "far apart to tell")
    elif abs(slope - 1) < 0.1:
        report.add("ok", f"{name}_forces", detail + ": consistent")
    elif abs(slope + 1) < 0.1:
        report.add("error", f"{name}_forces", detail, "these are gradients, not forces: change their sign")
    else:
        report.add("error", f"{name}_forces", detail, _factor_guess(slope))


def _like_frames(molecules: Molecules, most: int = 400) -> list[tuple[int, int]]:
    """Pairs of frames of one molecule that differ little: each frame with its nearest among a sample of the others."""
    groups: dict[bytes, list[int]] = {}
    bounds = molecules.offsets.tolist()
    for m in range(len(molecules)):
        groups.setdefault(molecules.numbers[bounds[m] : bounds[m + 1]].numpy().tobytes(), []).append(m)
    pairs: list[tuple[int, int]] = []
    for rows in sorted(groups.values(), key=len, reverse=True)[:40]:
        if len(rows) < 2 or len(pairs) >= most:
            continue
        sample = torch.tensor(rows[:: max(1, len(rows) // 2000)])
        places = molecules.positions[molecules.atoms_of(sample)].reshape(len(sample), -1)
        apart = torch.cdist(places, places).fill_diagonal_(torch.inf)
        near, partner = apart.min(1)
        for k in near.argsort()[: min(most, len(sample) // 2 + 1)].tolist():
            if float(near[k]) > 1e-6:
                pairs.append((int(sample[k]), int(sample[partner[k]])))
    return pairs[:most]


def _factor_guess(slope: float) -> str:
    """The unit mistake whose factor is nearest to `slope` (true energies / forces taken as kcal/mol/Å)."""
    factors = {}
    for e_name, energy in ENERGY.items():
        for l_name, length in LENGTH.items():
            factors[f"forces are in {e_name}/{l_name}"] = energy / length
            factors[f"energies are in {e_name} (forces in kcal/mol/{l_name})"] = 1 / (energy * length)
    name, factor = min(factors.items(), key=lambda item: abs(np.log(abs(slope) / item[1])))
    if abs(np.log(abs(slope) / factor)) > 0.1:
        return "energies and forces differ by a factor no unit explains"
    return f"probably {name}" + (", and are gradients" if slope < 0 else "") + "; import again with the right unit"
