"""FCHL19 features of atomic environments (kernelforge), padded to one array.

Christensen, Bratholm, Faber, von Lilienfeld, J. Chem. Phys. 152, 044107 (2020). Per atom: two-body radial functions by
neighbour element and three-body radial-angular functions by pair of neighbour elements, each damped by distance. Inside,
kernelforge takes positions in Å; the features have no unit of their own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from onekcal.errors import InputError, OnekcalError
from onekcal.molecules import SYMBOLS, Molecules


class Environments(NamedTuple):
    """Features of every atom, molecule by molecule, padded with zeros; what the local kernels take."""

    features: np.ndarray  # (M, n, d)
    charges: np.ndarray  # (M, n) nuclear charges, int32
    sizes: np.ndarray  # (M,) int32


def environments(molecules: Molecules, elements: list[int], size: int, **settings: Any) -> Environments:
    """FCHL19 features for `elements`, room for `size` atoms; settings such as rcut and acut (Å) go to kernelforge."""
    generate = _generator()
    strange = [SYMBOLS[z] for z in molecules.elements if z not in elements]
    if strange:
        raise InputError(f"FCHL19 features for {', '.join(SYMBOLS[z] for z in elements)} cannot describe "
                         f"{', '.join(strange)}: not in the training data")
    charges, positions = (tensor.numpy() for tensor in molecules.pad(size))
    sizes = molecules.sizes.numpy().astype(np.int32)
    out = None
    for m, count in enumerate(sizes):
        z = charges[m, :count].astype(np.int32)
        block = generate(np.ascontiguousarray(positions[m, :count]), z, elements=elements, **settings)  # (atoms, d)
        if out is None:
            out = np.zeros((len(sizes), size, block.shape[1]))
        out[m, :count] = block
    assert out is not None
    return Environments(out, charges.astype(np.int32), sizes)


def _generator() -> Any:
    try:
        from kernelforge.fchl19_repr import generate_fchl_acsf
    except ImportError as problem:
        raise OnekcalError("the FCHL19 kernel needs kernelforge, which has wheels for Linux only: pip install kernelforge"
                           ) from problem
    return generate_fchl_acsf
