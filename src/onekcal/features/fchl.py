"""FCHL19 features of atomic environments (kernelforge), padded to one array.

Christensen, Bratholm, Faber, von Lilienfeld, J. Chem. Phys. 152, 044107 (2020). Per atom: two-body
radial functions by neighbour element and three-body radial-angular functions by pair of neighbour
elements, each damped by distance. Inside, kernelforge takes positions in Å; the features have no
unit of their own, their gradients are per Å.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from onekcal.errors import InputError, OnekcalError
from onekcal.molecules import SYMBOLS, Molecules


class Environments(NamedTuple):
    """Features of every atom, molecule by molecule, padded with zeros; what the local
    kernels take.
    """

    features: np.ndarray  # (M, n, d)
    charges: np.ndarray  # (M, n) nuclear charges, int32
    sizes: np.ndarray  # (M,) int32


def environments(
    molecules: Molecules, elements: list[int], size: int, **settings: Any
) -> Environments:
    """FCHL19 features for `elements`, room for `size` atoms; rcut and acut (Å) and other settings
    go to kernelforge.
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
    molecules: Molecules, elements: list[int], size: int, **settings: Any
) -> tuple[Environments, np.ndarray]:
    """The same features, and their derivatives by every coordinate of the molecule, (M, size, d,
    3·size) Å⁻¹.
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
    """d: 24 radial functions an element, 20 × 2 radial-angular ones a pair of elements."""
    return 24 * elements + 20 * 2 * elements * (elements + 1) // 2


def _padded(
    molecules: Molecules, elements: list[int], size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    strange = [SYMBOLS[z] for z in molecules.elements if z not in elements]
    if strange:
        raise InputError(
            f"FCHL19 features for {', '.join(SYMBOLS[z] for z in elements)} cannot describe "
            f"{', '.join(strange)}: not in the training data"
        )
    charges, positions = (tensor.numpy() for tensor in molecules.pad(size))
    return charges.astype(np.int32), positions, molecules.sizes.numpy().astype(np.int32)


def _kernelforge() -> Any:
    try:
        from kernelforge import fchl19_repr
    except ImportError as problem:
        raise OnekcalError(
            "the FCHL19 kernel needs kernelforge, which has wheels for Linux only: pip install "
            "kernelforge"
        ) from problem
    return fchl19_repr
