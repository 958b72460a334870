"""A kernel written as loops, to compare with."""

from __future__ import annotations

import numpy as np

from onekcal.features.fchl import environments
from onekcal.molecules import Molecules


def brute_force(molecules: Molecules, sigma: float) -> np.ndarray:
    """K(A, B) = Σ δ(Z_a, Z_b) exp(−|x_a − x_b|² / 2σ²), written as loops."""
    found = environments(
        molecules, molecules.elements, int(molecules.sizes.max()), rcut=6.0, acut=6.0
    )
    kernel = np.zeros((len(molecules), len(molecules)))
    for a in range(len(molecules)):
        for b in range(len(molecules)):
            for i in range(found.sizes[a]):
                for j in range(found.sizes[b]):
                    if found.charges[a, i] == found.charges[b, j]:
                        apart = np.sum((found.features[a, i] - found.features[b, j]) ** 2)
                        kernel[a, b] += np.exp(-apart / (2 * sigma**2))
    return kernel
