r"""From a saddle point downhill: a relaxation that ends in a minimum.

A geometry with a mirror plane or an axis feels no force across it, so a relaxation may end on a
barrier: eclipsed ethane stays eclipsed, planar ammonia planar. Whether it did is asked of the
lowest eigenpair of the Hessian H, relative to Lindh's model of it, P, among all displacements V
that are neither translation nor rotation:

    VᵀHV y = λ VᵀPV y   by Lanczos' method, each product Hv by central differences of the gradient

P ≈ H for bonds and angles, so λ ≈ 1 for all but a few directions, and ten or so products find the
lowest. If it leads downhill more steeply than `STEEP`, both ways along it are relaxed and the lower
one taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from scipy.linalg import cholesky, eigh_tridiagonal, solve_triangular

from onekcal.geometry.hessian import ELECTRON_MASSES, MASSES, internal
from onekcal.geometry.model_hessian import model_hessian
from onekcal.geometry.relax import FORCE, Relaxation, relax
from onekcal.molecules import Molecules
from onekcal.quantum.method import Calculation, LabelError, Method
from onekcal.quantum.named import method
from onekcal.units import BOHR, HARTREE, WAVENUMBER

PRODUCTS = 24
"""Hessian-vector products at most; the residual wanted is met after about ten."""
RESIDUAL = 0.05
"""Of λ, which is near 1 for a bond."""
PROBE, PUSH = 0.01, 0.3
"""Å; the largest movement of an atom in a central difference, and off a saddle point."""
ROUNDS = 4
STEEP = 50.0
"""1/cm, imaginary; what falls less is within what a relaxation leaves undone, or a methyl group on
its barrier.
"""


def minimum(
    molecule: Molecules, how: Method | str = "gfn2", force: float = FORCE, keep_bonds: bool = True
) -> tuple[Relaxation, int]:
    """Relax one molecule to a minimum, and say how many saddle points were left behind on the way.

    Raises `LabelError` where every way down ends in another saddle point.
    """
    how = method(how) if isinstance(how, str) else how
    calculation = how.calculation(molecule)
    found = relax(molecule, how, force, keep_bonds=keep_bonds, calculation=calculation)
    for left in range(ROUNDS):
        way = downhill(calculation, found.molecule)
        if way is None:
            return found, left
        ends = [
            relax(
                molecule.moved(found.molecule.positions + torch.from_numpy(sign * PUSH * way)),
                how,
                force,
                keep_bonds=keep_bonds,
                calculation=calculation,
            )
            for sign in (1, -1)
        ]
        lower = min(ends, key=lambda end: end.point.energy)
        found = replace(lower, steps=found.steps + sum(end.steps for end in ends))
    raise LabelError(
        f"no minimum was found with {how.name}: {ROUNDS} saddle points one after another; start "
        "from another geometry"
    )


def downhill(calculation: Calculation, molecule: Molecules) -> np.ndarray | None:
    """(n, 3) the way off a stationary point, its largest movement 1; none where no direction falls
    steeply enough.
    """
    numbers, positions = molecule.numbers.numpy(), molecule.positions.numpy()
    if len(numbers) == 1 or any(int(z) not in MASSES for z in numbers):
        return None
    space = internal(np.ones(len(numbers)), positions)  # (3n, 3n − 6)
    factor = cholesky(space.T @ model_hessian(numbers, positions / BOHR) @ space, lower=True)

    def moved(y: np.ndarray) -> np.ndarray:
        return space @ solve_triangular(factor, y, trans="T", lower=True)

    def product(y: np.ndarray) -> np.ndarray:
        return solve_triangular(
            factor, space.T @ curvature(calculation, positions, moved(y)), lower=True
        )

    way = moved(_lowest(product, space.shape[1]))
    masses = np.repeat([MASSES[int(z)] * ELECTRON_MASSES for z in numbers], 3)
    square = (
        way @ curvature(calculation, positions, way) / (way @ (masses * way))
    )  # Hartree/(electron mass · Bohr²)
    if square > -((STEEP * WAVENUMBER / HARTREE) ** 2):
        return None
    way = way.reshape(-1, 3)
    return way / np.linalg.norm(way, axis=1).max()


def curvature(calculation: Calculation, positions: np.ndarray, along: np.ndarray) -> np.ndarray:
    """(3n,) H·`along`, Hartree/Bohr² times its unit."""
    shift = along.reshape(-1, 3)
    step = PROBE / np.linalg.norm(shift, axis=1).max()
    up, down = (calculation.at(positions + sign * step * shift).gradient for sign in (1, -1))
    assert up is not None
    assert down is not None
    return (up - down).ravel() / (2 * step / BOHR)


def _lowest(product: Callable[[np.ndarray], np.ndarray], size: int) -> np.ndarray:
    """The lowest eigenvector of a symmetric operator on (size,), by Lanczos' method with all
    vectors kept orthogonal.
    """
    vector = np.random.default_rng(0).normal(size=size)
    basis = [vector / np.linalg.norm(vector)]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        image = product(basis[-1])
        diagonal.append(float(basis[-1] @ image))
        known = np.array(basis)
        rest = image - known.T @ (known @ image)
        rest -= known.T @ (known @ rest)
        norm = float(np.linalg.norm(rest))
        _, weights = eigh_tridiagonal(diagonal, beside, select="i", select_range=(0, 0))
        if len(basis) == min(size, PRODUCTS) or norm * abs(weights[-1, 0]) < RESIDUAL:
            return known.T @ weights[:, 0]
        basis.append(rest / norm)
        beside.append(norm)
