"""Relaxation of a geometry by quasi-Newton steps in Cartesian coordinates.

The first Hessian is Lindh's model or one that is given. Each step minimises the quadratic model
within a trust radius. BFGS updates the Hessian. A step that raises the energy is taken back, and
the radius shrinks. The relaxation ends when no atom feels more than `force` (0.02 eV/Å by default).
Forces that would move or turn the whole molecule, an error of integration grids, are left out.

A symmetric start may end in a saddle point, where forces vanish too. `minimum` goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from onekcal.errors import InputError
from onekcal.geometry.bonds import bond_changes
from onekcal.geometry.inertia import internal
from onekcal.geometry.model_hessian import model_hessian
from onekcal.molecules import Molecules
from onekcal.quantum.method import Calculation, LabelError, Method, Point, formula_of
from onekcal.quantum.named import method
from onekcal.units import BOHR, EV, HARTREE

FORCE = 0.02
"""eV/Å, the largest force on an atom of a relaxed geometry."""
STEPS = 300
RADIUS, WIDEST, NARROWEST = 0.4, 0.8, 1e-3
"""Bohr, the trust radius at the start, at most and at least. It limits how far an atom moves."""
NOISE = 1e-7
"""Hartree. A smaller rise is within the noise of the SCF."""
SOFTEST = 0.005
"""Hartree/Bohr², the least resistance of a given Hessian."""


class FallsApart(LabelError):
    """The bonds of a relaxed geometry are not those that it had before."""


@dataclass(frozen=True)
class Relaxation:
    """A relaxed molecule.

    Parameters
    ----------
    molecule
        The molecule at its relaxed geometry.
    point
        The result of the method there, in atomic units.
    steps
        How many energies and gradients were computed.
    force
        eV/Å, the largest force on an atom that is left.
    changes
        Bonds broken or formed. It is empty where the molecule is still the same.
    """

    molecule: Molecules
    point: Point
    steps: int
    force: float
    changes: list[str]


def relax(
    molecule: Molecules,
    how: Method | str = "gfn2",
    force: float = FORCE,
    steps: int = STEPS,
    keep_bonds: bool = True,
    calculation: Calculation | None = None,
    hessian: np.ndarray | None = None,
    watch: Callable[[np.ndarray], None] = lambda positions: None,
) -> Relaxation:
    """Relax one molecule.

    Parameters
    ----------
    molecule
        One molecule.
    how
        The quantum method or its name.
    force
        eV/Å, the largest force on an atom at the end.
    steps
        How many energies and gradients are computed at most.
    keep_bonds
        Whether broken or formed bonds are an error. Otherwise the result lists them.
    calculation
        A calculation of this molecule that goes on. None begins a new one.
    hessian
        (3n, 3n) Hartree/Bohr², the first Hessian; negative and small eigenvalues are replaced. None
        takes Lindh's model.
    watch
        Called with the positions (n, 3) Å of each step that is kept.

    Raises
    ------
    FallsApart
        Bonds were broken or formed.
    LabelError
        The forces are still too large after `steps`.
    """
    if not force > 0:
        raise InputError(f"`force` must be positive (eV/Å), got {force}")
    how = method(how) if isinstance(how, str) else how
    calculation = calculation or how.calculation(molecule)
    numbers, start = molecule.numbers.numpy(), molecule.positions.numpy()
    target = force * EV / HARTREE * BOHR  # Hartree/Bohr
    positions, point, count = _minimise(calculation, numbers, start, target, steps, hessian, watch)
    left = _largest(point.gradient)
    if left > target:
        raise LabelError(
            f"{formula_of(molecule)} did not relax with {how.name} in {steps} steps: "
            f"the largest force is still {left / target * force:.3f} eV/Å and should be {force}; "
            "start from a better geometry"
        )
    changes = bond_changes(numbers, start, positions)
    if changes and keep_bonds:
        raise FallsApart(
            f"{formula_of(molecule)} falls apart on relaxation with {how.name}: "
            f"{', '.join(changes)}"
        )
    relaxed = molecule.moved(torch.from_numpy(positions))
    return Relaxation(relaxed, point, count, left / target * force, changes)


def _largest(gradient: np.ndarray | None) -> float:
    """The largest force on an atom, Hartree/Bohr."""
    assert gradient is not None
    return float(np.linalg.norm(gradient, axis=1).max())


def _minimise(
    calculation: Calculation,
    numbers: np.ndarray,
    start: np.ndarray,
    target: float,
    steps: int,
    hessian: np.ndarray | None,
    watch: Callable[[np.ndarray], None],
) -> tuple[np.ndarray, Point, int]:
    """Return positions (Å), the point there, and how many points were computed."""
    x = start / BOHR
    point = _inner(calculation.at(start), x)
    if len(numbers) == 1 or _largest(point.gradient) <= target:
        return start.copy(), point, 1
    hessian = model_hessian(numbers, x) if hessian is None else stiffened(hessian)
    radius = RADIUS
    for count in range(2, steps + 1):
        assert point.gradient is not None
        gradient = point.gradient.ravel()
        step = _step(hessian, gradient, radius)
        predicted = gradient @ step + 0.5 * step @ hessian @ step
        new = x + step.reshape(-1, 3)
        there = _inner(calculation.at(new * BOHR), new)
        assert there.gradient is not None
        rise = there.energy - point.energy
        hessian = _bfgs(hessian, step, there.gradient.ravel() - gradient)
        moved = float(np.linalg.norm(step.reshape(-1, 3), axis=1).max())
        radius = _radius(radius, moved, rise, predicted)
        if rise <= NOISE or moved <= NARROWEST:
            x, point = new, there
            watch(x * BOHR)
            if _largest(point.gradient) <= target:
                return x * BOHR, point, count
    return x * BOHR, point, steps


def _inner(point: Point, positions: np.ndarray) -> Point:
    """The same point without net force and torque."""
    assert point.gradient is not None
    if len(positions) == 1:
        return point
    space = internal(np.ones(len(positions)), positions)  # (3n, vibrations)
    inner = space @ (space.T @ point.gradient.ravel())
    return replace(point, gradient=inner.reshape(-1, 3))


def stiffened(hessian: np.ndarray, least: float = SOFTEST) -> np.ndarray:
    """Return a Hessian without negative and small eigenvalues.

    Parameters
    ----------
    hessian
        (3n, 3n) Hartree/Bohr².
    least
        Hartree/Bohr²; a smaller size of an eigenvalue is replaced by it.

    Returns
    -------
    ndarray
        (3n, 3n) Hartree/Bohr², positive definite.
    """
    values, vectors = np.linalg.eigh(hessian)
    return (vectors * np.maximum(np.abs(values), least)) @ vectors.T


def _step(hessian: np.ndarray, gradient: np.ndarray, radius: float) -> np.ndarray:
    """Return the quasi-Newton step, shortened so that no atom moves by more than `radius` Bohr."""
    step = -np.linalg.solve(hessian, gradient)
    moved = np.linalg.norm(step.reshape(-1, 3), axis=1).max()
    return step * min(1.0, radius / moved)


def _radius(radius: float, moved: float, rise: float, predicted: float) -> float:
    """Widen the radius after a step that the model foresaw, narrow it after another one."""
    if rise > NOISE:
        return max(0.3 * moved, NARROWEST)
    agreement = rise / predicted if predicted < 0 else 0.0
    if agreement > 0.6 and moved > 0.8 * radius:
        return min(2.0 * radius, WIDEST)
    return max(0.5 * radius, NARROWEST) if agreement < 0.2 and -predicted > NOISE else radius


def _bfgs(hessian: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Update the Hessian by damped BFGS (Powell); it stays positive definite in any case."""
    hs = hessian @ step
    shs = step @ hs
    curvature = step @ change
    if curvature < 0.2 * shs:
        mix = 0.8 * shs / (shs - curvature)
        change = mix * change + (1 - mix) * hs
        curvature = step @ change
    return hessian + np.outer(change, change) / curvature - np.outer(hs, hs) / shs
