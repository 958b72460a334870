r"""What GFN2-xTB knows of each atom: thirteen numbers from its density and its Fock matrix.

In Löwdin's orthogonal functions, L = S^½ C, with occupations n and levels ε:

    P = L n Lᵀ,   F = L ε Lᵀ,   M_a = Σ_k n_k ε_k² Σ_{μ∈a} L_μk²

P_ss, tr P_pp, tr P_dd, F_ss and tr F_pp / 3 belong to one atom. So do the traceless parts D of
P_pp and G of F_pp, and the vectors v = P_sp and u = F_sp, which turn with the molecule:

    |D|,  tr D³,  |v|²,  v·D·v,  |G|,  u·v,  tr DG

are the same in every orientation. They tell lone pairs, π systems, hybrids and strained bonds
apart. The names are in `NAMES`. Atomic units.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from onekcal.molecules import Molecules
from onekcal.quantum.gfn2 import Levels, TightBinding
from onekcal.quantum.named import method
from onekcal.system.threads import one_thread

NAMES = (
    *("P_ss", "tr P_pp", "tr P_dd", "F_ss", "tr F_pp / 3"),
    *("|D|", "tr D³", "|v|²", "v·D·v", "|G|", "u·v", "tr DG", "M"),
)
SMOOTH = 1e-6
"""Added under the roots of |D| and |G|, so that they are smooth at 0."""

KEPT = 150_000
"""Molecules whose numbers are kept, 3 kB each. GFN2-xTB takes milliseconds, and the steps of a fit,
the members of a blend and the signals of doubt ask for the same molecules."""


def electrons(molecules: Molecules) -> Tensor:
    """Return the numbers of every atom.

    Parameters
    ----------
    molecules
        Molecules with A atoms in all, positions in Å.

    Returns
    -------
    Tensor
        (A, 13) float64, atomic units; without the gradient graph of the positions.
    """
    out = [torch.zeros(0, len(NAMES), dtype=torch.float64)]
    with one_thread():
        for one in molecules:
            numbers, positions = one.numbers.numpy(), one.positions.detach().double().numpy()
            state = int(one.charges[0]), int(one.spins[0])
            out.append(torch.from_numpy(_known(numbers.tobytes(), positions.tobytes(), *state)))
    return torch.cat(out)


@lru_cache(maxsize=KEPT)
def _known(numbers: bytes, positions: bytes, charge: int, spin: int) -> np.ndarray:
    """(n, 13) of one molecule; the bytes are those of its tensors."""
    places = np.frombuffer(positions).reshape(-1, 3).copy()
    molecule = Molecules.one(np.frombuffer(numbers, np.int64).tolist(), places, charge, spin)
    return of_atoms(TightBinding(method("gfn2"), molecule).levels(places), len(places))


def of_atoms(levels: Levels, count: int) -> np.ndarray:
    """Return the numbers of the atoms of one molecule.

    Parameters
    ----------
    levels
        Its levels.
    count
        Its atoms, n.

    Returns
    -------
    ndarray
        (n, 13).
    """
    squares, vectors = np.linalg.eigh(levels.overlap)
    own = (vectors * np.sqrt(squares)) @ vectors.T @ levels.coefficients  # L
    density = (own * levels.occupations) @ own.T
    fock = (own * levels.energies) @ own.T
    moment = own**2 @ (levels.occupations * levels.energies**2)  # of each function
    out = np.zeros((count, len(NAMES)))
    for column, diagonal, angular in (
        *((k, density.diagonal(), k) for k in range(3)),
        *((3 + k, fock.diagonal() / (2 * k + 1), k) for k in range(2)),
    ):
        kept = levels.angular == angular
        out[:, column] = np.bincount(levels.atoms[kept], diagonal[kept], count)
    out[:, 12] = np.bincount(levels.atoms, moment, count)
    p = np.flatnonzero(levels.angular == 1).reshape(-1, 3)  # functions of each p shell
    places = levels.atoms[p[:, 0]]
    s = np.array([np.flatnonzero((levels.atoms == a) & (levels.angular == 0))[0] for a in places])
    out[:, [5, 9]] = np.sqrt(SMOOTH)
    if len(p):
        out[places, 5:12] = _turning(density, fock, s.astype(int), p)
    return out


def _turning(density: np.ndarray, fock: np.ndarray, s: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(shells, 7) what is left of P and F in every orientation; s (shells,), p (shells, 3)."""
    shape, field = (_traceless(a[p[:, :, None], p[:, None]]) for a in (density, fock))
    v, u = density[s[:, None], p], fock[s[:, None], p]
    return np.stack(
        [
            np.sqrt((shape**2).sum((1, 2)) + SMOOTH),
            np.einsum("aij,ajk,aki->a", shape, shape, shape),
            (v * v).sum(1),
            np.einsum("ai,aij,aj->a", v, shape, v),
            np.sqrt((field**2).sum((1, 2)) + SMOOTH),
            (u * v).sum(1),
            (shape * field).sum((1, 2)),
        ],
        1,
    )


def _traceless(blocks: np.ndarray) -> np.ndarray:
    """(shells, 3, 3) less a third of the trace on the diagonal."""
    return blocks - np.trace(blocks, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
