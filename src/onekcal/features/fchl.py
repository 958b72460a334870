"""FCHL19 features of atomic environments (kernelforge), padded to one array.

Christensen, Bratholm, Faber, von Lilienfeld, J. Chem. Phys. 152, 044107 (2020). An atom has
two-body radial functions for each neighbour element, and three-body radial-angular functions for
each pair of neighbour elements. Distance damps each of them. kernelforge takes positions in Å. The
features have no unit, and their gradients are per Å.
"""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import numpy as np

from onekcal.errors import OnekcalError
from onekcal.features.known_elements import check_elements
from onekcal.molecules import Molecules


class Environments(NamedTuple):
    """Features of every atom of M molecules, padded with zeros; the local kernels take them.

    Parameters
    ----------
    features
        (M, n, d) features.
    charges
        (M, n) nuclear charges, int32.
    sizes
        (M,) numbers of atoms, int32.
    """

    features: np.ndarray
    charges: np.ndarray
    sizes: np.ndarray


def environments(
    molecules: Molecules, elements: list[int], size: int, **settings: float
) -> Environments:
    """Compute the FCHL19 features of molecules.

    Parameters
    ----------
    molecules
        The molecules.
    elements
        Nuclear charges that the features tell apart.
    size
        Atoms that a molecule has room for.
    **settings
        Settings of kernelforge, such as rcut and acut (Å).
    """
    generate = _kernelforge().generate_fchl_acsf
    charges, positions, sizes = _padded(molecules, elements, size)
    out = np.zeros((len(sizes), size, width(len(elements))))
    for m, n in enumerate(sizes):
        out[m, :n] = generate(
            positions[m, :n], charges[m, :n], elements=elements, **settings
        )  # (atoms, d)
    return Environments(out, charges, sizes)


def environments_and_gradients(
    molecules: Molecules, elements: list[int], size: int, **settings: float
) -> tuple[Environments, np.ndarray]:
    """Compute the FCHL19 features of molecules and their derivatives by all coordinates.

    Parameters
    ----------
    molecules, elements, size, **settings
        As in `environments`.

    Returns
    -------
    tuple
        The features, and their derivatives (M, size, d, 3 · size) in Å⁻¹.
    """
    generate = _kernelforge().generate_fchl_acsf_and_gradients
    charges, positions, sizes = _padded(molecules, elements, size)
    out = np.zeros((len(sizes), size, width(len(elements))))
    gradients = np.zeros((*out.shape, 3 * size))
    for m, n in enumerate(sizes):
        out[m, :n], slope = generate(
            positions[m, :n], charges[m, :n], elements=elements, **settings
        )
        gradients[m, :n, :, : 3 * n] = slope.reshape(n, -1, 3 * n)  # (atoms, d, atoms, 3)
    return Environments(out, charges, sizes), gradients


def width(elements: int) -> int:
    """Return d, the number of features of an atom.

    There are 24 radial functions an element and 20 × 2 radial-angular ones a pair of elements.

    Parameters
    ----------
    elements
        How many elements there are.
    """
    return 24 * elements + 20 * 2 * elements * (elements + 1) // 2


def _padded(
    molecules: Molecules, elements: list[int], size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    check_elements(molecules, elements, "FCHL19 features")
    charges, positions = (tensor.numpy() for tensor in molecules.pad(size))
    return charges.astype(np.int32), positions, molecules.sizes.numpy().astype(np.int32)


def _kernelforge() -> ModuleType:
    try:
        from kernelforge import fchl19_repr
    except ImportError as problem:
        raise OnekcalError(
            "the FCHL19 kernel needs kernelforge, which has wheels for Linux only: pip install "
            "kernelforge"
        ) from problem
    return fchl19_repr
