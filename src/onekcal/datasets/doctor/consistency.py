"""Whether energies and forces belong together.

Between two near geometries of one molecule, the second turned onto the first (Kabsch),

    E₂ − E₁ = −½ (F₁ + F₂) · (x₂ − x₁) + O(|x₂ − x₁|³)

Where energies and forces belong together, the slope of the left side on the right is 1.
It is −1 where gradients are stored as forces. It is the ratio of two units where one was mistaken
for the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from onekcal.molecules import Molecules
from onekcal.units import BOHR, ENERGY, EV, HARTREE

FORCE_UNITS = {
    f"{e}/{name}": energy / length
    for e, energy in ENERGY.items()
    if e not in ("1/cm",)
    for name, length in (("Å", 1.0), ("bohr", BOHR))
}
"""How many kcal/mol/Å one unit of force is."""


@dataclass(frozen=True)
class Agreement:
    """How the differences of energies follow the forces.

    Parameters
    ----------
    slope
        Differences of energies over what the forces predict; 1 is right.
    correlation
        How well the one follows the other, between −1 and 1.
    pairs
        How many pairs of frames were compared.
    step
        Å, the typical root mean square displacement of an atom in a pair.
    """

    slope: float
    correlation: float
    pairs: int
    step: float


def agreement(
    molecules: Molecules, energies: Tensor, forces: Tensor, most: int = 400
) -> Agreement | None:
    """Compare differences of energies with what the forces say.

    Parameters
    ----------
    molecules
        (M,) frames, of one molecule or of several.
    energies
        (M,) kcal/mol.
    forces
        (A, 3) kcal/mol/Å.
    most
        Pairs of frames that are looked at.

    Returns
    -------
    Agreement or None
        None where there are too few near frames.
    """
    work, rise, steps = [], [], []
    for first, second in _near_frames(molecules, most):
        step, pull = _turned(molecules, forces, first, second)
        work.append(-0.5 * (pull * step).sum((1, 2)))
        rise.append((energies[second] - energies[first]).to(torch.float64))
        steps.append(step.square().sum(2).mean(1).sqrt())
    if not work:
        return None
    w, r, s = (torch.cat(part).numpy() for part in (work, rise, steps))
    nearest = np.argsort(s)[:most]
    w, r, s = w[nearest], r[nearest], s[nearest]
    if len(w) < 5 or not w.any():
        return None
    weight = 1 / (s**3 + np.median(s) ** 3 / 8) ** 2  # the remaining error is of third order
    slope = float((weight * w * r).sum() / (weight * w * w).sum())
    scale = np.sqrt((weight * w * w).sum() * (weight * r * r).sum())
    return Agreement(
        slope,
        float((weight * w * r).sum() / scale) if scale > 0 else 0.0,
        len(w),
        float(np.median(s)),
    )


def _near_frames(
    molecules: Molecules, most: int, groups: int = 40, sample: int = 2000
) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of frames of one molecule, and of the frame whose distances are nearest to each.

    The molecules with most frames come first.
    """
    frames: dict[bytes, list[int]] = {}
    bounds, numbers = molecules.offsets.tolist(), molecules.numbers.numpy()
    for m, (a, b) in enumerate(zip(bounds[:-1], bounds[1:])):
        if b - a > 1:
            frames.setdefault(numbers[a:b].tobytes(), []).append(m)
    for rows in sorted(frames.values(), key=len, reverse=True)[:groups]:
        if len(rows) < 2:
            return
        size = bounds[rows[0] + 1] - bounds[rows[0]]
        few = max(2, min(sample, 10_000_000 // size**2))
        some = torch.tensor(_runs(rows, few))
        places = molecules.positions[molecules.atoms_of(some)].reshape(len(some), size, 3)
        i, j = torch.triu_indices(size, size, 1)
        apart = (places[:, i] - places[:, j]).norm(dim=2)
        unlike = torch.cdist(apart, apart).fill_diagonal_(torch.inf)
        unlike[unlike < 1e-6] = torch.inf  # a copy of the frame tells nothing
        near, partner = unlike.min(1)
        keep = near.argsort()[:most]
        keep = keep[torch.isfinite(near[keep])]
        pairs = torch.stack([some[keep], some[partner[keep]]], 1).sort(1).values.unique(dim=0)
        if len(pairs):
            yield pairs[:, 0], pairs[:, 1]


def _runs(rows: list[int], most: int, run: int = 10) -> list[int]:
    """About `most` rows in evenly spaced runs.

    In a trajectory the next frames in time are near ones.
    """
    stride = run * -(-len(rows) // most)
    return [row for start in range(0, len(rows), stride) for row in rows[start : start + run]]


def _turned(
    molecules: Molecules, forces: Tensor, first: Tensor, second: Tensor
) -> tuple[Tensor, Tensor]:
    """(P, n, 3) Å steps from `first` to `second` turned onto it, and (P, n, 3) sums of forces."""
    size = int(molecules.sizes[first[0]])
    one, two = (molecules.atoms_of(rows) for rows in (first, second))
    a, b = (molecules.positions[atoms].reshape(-1, size, 3) for atoms in (one, two))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    u, _, vt = torch.linalg.svd(b.mT @ a)
    turn = u @ vt  # it may be a mirror image, which has the same energy and mirrored forces
    pull = forces.to(torch.float64)
    return b @ turn - a, pull[one].reshape(-1, size, 3) + pull[two].reshape(-1, size, 3) @ turn


def mistakes(slope: float, tolerance: float = 0.04) -> str:
    """Name the mistakes of units that explain a slope, the likeliest first.

    Parameters
    ----------
    slope
        Of the energies on what the forces say; 1 is right.
    tolerance
        The largest difference of the logarithms.

    Returns
    -------
    str
        "" where no mistake explains the slope.
    """
    size = abs(slope)
    factors: dict[str, float] = {}
    for name, factor in FORCE_UNITS.items():
        factors[f"the forces are in {name}, read as kcal/mol/Å"] = factor
    for name, factor in ENERGY.items():
        factors[f"the energies are in {name}, read as kcal/mol"] = 1 / factor
    factors["the forces are in hartree/bohr, read as ev/Å"] = HARTREE / BOHR / EV
    factors["the forces are in ev/Å, read as hartree/bohr"] = EV * BOHR / HARTREE
    factors["the forces are per bohr, read as per Å"] = 1 / BOHR
    factors["the forces are per Å, read as per bohr"] = BOHR
    for name in ("ev", "hartree", "kj/mol"):
        wrong = f"the factor of {name} was applied the wrong way round"
        factors[f"{wrong}, to the energies or to the forces"] = ENERGY[name] ** 2
        factors[f"{wrong}, to one of them"] = 1 / ENERGY[name] ** 2
        twice = f"were multiplied by the factor from {name} once too often"
        factors[f"the energies {twice}"] = ENERGY[name]
        factors[f"the forces {twice}"] = 1 / ENERGY[name]
    fits = sorted(
        (abs(np.log(size / factor)), k, name)
        for k, (name, factor) in enumerate(factors.items())
        if factor != 1
    )
    fits = [fit for fit in fits if fit[0] < tolerance]
    best = [name for apart, _, name in fits if apart < fits[0][0] + 1e-3]
    return " or ".join(best[:3])
