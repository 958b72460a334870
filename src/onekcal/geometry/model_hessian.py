"""A guess of the Hessian from a force field. With it a relaxation takes 10 steps instead of 30.

Lindh, Bernhardsson, Karlström, Malmqvist, Chem. Phys. Lett. 241, 423 (1995):

    H = Σ_pairs 0.45 ρ_ij ∇r∇rᵀ + Σ_angles 0.15 ρ_ij ρ_jk ∇θ∇θᵀ
      + Σ_dihedrals 0.005 ρ_ij ρ_jk ρ_kl ∇τ∇τᵀ
    ρ_ij = exp(α_ij (r̄_ij² − r_ij²)),   all in atomic units, α and r̄ by rows of the periodic table

Deviations: terms whose strength is below a threshold are left out. An angle near 180° is replaced
by its two perpendicular bends, and dihedrals around it are left out.
"""

from __future__ import annotations

import numpy as np

ALPHA = np.array([[1.0000, 0.3949, 0.3949], [0.3949, 0.2800, 0.2800], [0.3949, 0.2800, 0.2800]])
LENGTH = np.array([[1.35, 2.10, 2.53], [2.10, 2.87, 3.40], [2.53, 3.40, 3.40]])
"""α in Bohr⁻², r̄ in Bohr, by rows of the periodic table (H–He, Li–Ne, Na and beyond)."""
STRETCH, BEND, TORSION = 0.45, 0.15, 0.005
WEAKEST_STRETCH, WEAKEST_BEND, WEAKEST_TORSION = 1e-3, 1e-3, 1e-4
LINEAR = 0.15
"""Three atoms count as linear where sin θ is smaller."""
FLOOR = 0.012
"""Hartree/Bohr². It is added on the diagonal so that every direction has some resistance."""


def model_hessian(numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Guess the second derivatives of the energy.

    Parameters
    ----------
    numbers
        (n,) nuclear charges.
    positions
        (n, 3) Bohr.

    Returns
    -------
    ndarray
        (3n, 3n) Hartree/Bohr², positive definite.
    """
    n = len(numbers)
    row = np.digitize(numbers, [3, 11])
    apart = positions[:, None] - positions[None]  # (n, n, 3)
    r = np.linalg.norm(apart, axis=-1)
    rho = np.exp(ALPHA[row[:, None], row] * (LENGTH[row[:, None], row] ** 2 - r**2))
    np.fill_diagonal(rho, 0.0)
    unit = apart / (r + np.eye(n))[..., None]  # (n, n, 3) from j to i
    rows, weights = [], []
    for derivatives, strengths in (
        _stretches(rho, unit),
        _bends(rho, unit, r),
        _torsions(rho, unit, r),
    ):
        rows.append(derivatives.reshape(len(strengths), 3 * n))
        weights.append(strengths)
    b = np.concatenate(rows)  # (terms, 3n)
    return (b * np.concatenate(weights)[:, None]).T @ b + FLOOR * np.eye(3 * n)


def _scatter(n: int, *parts: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return (terms, n, 3) from pairs of the atom of each term and the derivative there."""
    terms = len(parts[0][0])
    out = np.zeros((terms, n, 3))
    for atoms, derivative in parts:
        out[np.arange(terms), atoms] += derivative
    return out


def _stretches(rho: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    i, j = np.nonzero(np.triu(rho) > WEAKEST_STRETCH)
    return _scatter(len(rho), (i, unit[i, j]), (j, -unit[i, j])), STRETCH * rho[i, j]


def _bends(rho: np.ndarray, unit: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = len(rho)
    strength = rho[:, :, None] * rho[None]  # (i, j, k) with j in the middle: ρ_ij ρ_jk
    i, j, k = np.nonzero(strength > WEAKEST_BEND)
    keep = i < k
    i, j, k = i[keep], j[keep], k[keep]
    u, v = unit[i, j], unit[k, j]
    cosine = (u * v).sum(1)
    sine = np.sqrt(np.clip(1 - cosine**2, 0, None))
    bent = sine > LINEAR
    safe = np.where(bent, sine, 1.0)[:, None]
    di = (cosine[:, None] * u - v) / safe / r[i, j][:, None]
    dk = (cosine[:, None] * v - u) / safe / r[k, j][:, None]
    first, second = _perpendicular(u)
    parts, strengths = [], []
    for chosen, a, c in (
        (bent, di, dk),
        (~bent, first / r[i, j][:, None], first / r[k, j][:, None]),
        (~bent, second / r[i, j][:, None], second / r[k, j][:, None]),
    ):
        a, c = a[chosen], c[chosen]
        parts.append(_scatter(n, (i[chosen], a), (j[chosen], -a - c), (k[chosen], c)))
        strengths.append(BEND * strength[i, j, k][chosen])
    return np.concatenate(parts), np.concatenate(strengths)


def _perpendicular(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors perpendicular to each row of `u` (terms, 3) and to each other."""
    axis = np.eye(3)[np.abs(u).argmin(1)] if len(u) else u
    first = np.cross(u, axis)
    first /= np.linalg.norm(first, axis=1, keepdims=True) if len(u) else 1.0
    return first, np.cross(u, first)


def _torsions(rho: np.ndarray, unit: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = len(rho)
    near = np.where(rho > 0.05, rho, 0.0)  # distant atoms make many dihedrals of no strength
    strength = near[:, :, None, None] * near[None, :, :, None] * near[None, None]  # (i, j, k, l)
    i, j, k, m = np.nonzero(strength > WEAKEST_TORSION / TORSION * 0.1)
    keep = (j < k) & (i != k) & (j != m) & (i != m)
    i, j, k, m = i[keep], j[keep], k[keep], m[keep]
    u, w, v = unit[i, j], unit[k, j], unit[m, k]
    cos_u, cos_v = (u * w).sum(1), -(v * w).sum(1)
    sin_u, sin_v = np.sqrt(np.clip(1 - cos_u**2, 0, None)), np.sqrt(np.clip(1 - cos_v**2, 0, None))
    bent = (sin_u > LINEAR) & (sin_v > LINEAR)
    i, j, k, m, u, w, v = i[bent], j[bent], k[bent], m[bent], u[bent], w[bent], v[bent]
    cos_u, cos_v, sin_u, sin_v = cos_u[bent], cos_v[bent], sin_u[bent], sin_v[bent]
    di = np.cross(u, w) / (r[i, j] * sin_u**2)[:, None]
    dm = np.cross(w, v) / (r[m, k] * sin_v**2)[:, None]
    along_i = (r[i, j] * cos_u / r[j, k])[:, None]
    along_m = (r[m, k] * cos_v / r[j, k])[:, None]
    dj = -(1 - along_i) * di - along_m * dm
    dk = -(1 - along_m) * dm - along_i * di
    return _scatter(n, (i, di), (j, dj), (k, dk), (m, dm)), TORSION * strength[i, j, k, m]
