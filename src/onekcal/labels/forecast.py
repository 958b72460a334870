"""What a G4(MP2) calculation will cost: seconds of one core, and memory.

Each step is a power of the numbers of functions and electrons, with a factor measured on molecules
of one to five heavy atoms (`scripts/g4mp2_speed.py` measures, `results/g4mp2-speed.json` holds the
times). On another machine, and beside other work, times differ by a factor of two or three.
"""

from __future__ import annotations

from dataclasses import dataclass

from onekcal.errors import InputError
from onekcal.molecules import Molecules
from onekcal.quantum.g4mp2 import frozen_orbitals

FUNCTIONS = {  # of H, of an atom to F, of an atom to Cl, of Br
    "small": (2, 15, 19, 35),
    "b3lyp": (5, 28, 32, 51),
    "large": (10, 39, 59, 77),
    "quadruple": (15, 59, 68, 72),
}
"""Basis functions an atom."""


@dataclass(frozen=True)
class Forecast:
    """The cost of a calculation.

    Parameters
    ----------
    seconds
        On one core, by step.
    memory
        Bytes at the step that needs the most.
    """

    seconds: dict[str, float]
    memory: float

    @property
    def total(self) -> float:
        """Seconds of all steps on one core."""
        return sum(self.seconds.values())


def forecast(molecule: Molecules, variant: str = "g4mp2", exact: bool = False) -> Forecast:
    """Tell what G4(MP2) of a molecule will cost; its positions are not used.

    Parameters
    ----------
    molecule
        One molecule.
    variant
        "g4mp2" or "g4mp2//gfn2".
    exact
        Whether the integrals of Hartree-Fock and MP2 are exact.
    """
    if len(molecule) != 1:
        raise InputError(f"a forecast is of one molecule, got a batch of {len(molecule)}")
    numbers = molecule.numbers.tolist()
    size = {name: sum(functions(z, of) for z in numbers) for name, of in FUNCTIONS.items()}
    electrons = int(molecule.numbers.sum()) - int(molecule.charges[0])
    occupied = (electrons + 1) // 2 - frozen_orbitals(molecule)
    empty = size["small"] - occupied - frozen_orbitals(molecule)
    open_shell = bool(int(molecule.spins[0]))
    amplitudes, twice = (7.0, 1.4) if open_shell else (1.0, 1.0)
    dearer = (23.0, 33.0, 42.0) if exact and len(numbers) > 1 else (1.0, 1.0, 1.0)
    pairs = occupied**2 * empty**4
    seconds = {
        "coupled cluster": 0.15 + amplitudes * pairs * (3.4e-9 + 5.7e-11 * occupied),
        "perturbation": 0.05 + twice * dearer[0] * 3.4e-7 * size["large"] ** 3,
        "triple zeta": 0.02 + twice * dearer[1] * 1.0e-7 * size["large"] ** 3,
        "quadruple zeta": 0.02 + twice * dearer[2] * 1.0e-7 * size["quadruple"] ** 3,
    }
    large, quadruple = size["large"], size["quadruple"]
    memory = 8.0 * max(
        (3.0 if open_shell else 1.0) * (occupied * empty**3 + size["small"] ** 4 / 8),
        (quadruple**4 / 8) if exact else quadruple**2 / 2 * 4.0 * quadruple,
        large**2 / 2 * 4.5 * large,
    )
    if len(numbers) > 1 and variant == "g4mp2":
        count = size["b3lyp"]
        seconds["geometry"] = 0.4 + twice * 2.5e-5 * count**2.6
        seconds["frequencies"] = 0.1 + twice * 5e-5 * len(numbers) * count**2
        memory = max(memory, twice**2 * _of_frequencies(count, (electrons + 1) // 2, len(numbers)))
        memory += min(1.5e9, 1.6e5 * count * len(numbers))  # basis functions on the grid
    return Forecast(seconds, 2.5e8 + memory)


def _of_frequencies(count: int, occupied: int, atoms: int) -> float:
    """Bytes that second derivatives of B3LYP keep: `quantum.coupled_perturbed`."""
    auxiliary = 3.5 * count
    first = 3 * 3 * atoms * auxiliary * occupied**2
    exchange = 3 * (count * occupied) ** 2
    return 8.0 * (first + exchange + auxiliary * count * (count / 2 + 4 * occupied))


def functions(z: int, of: tuple[int, int, int, int]) -> int:
    """Count the functions of an element.

    Parameters
    ----------
    z
        The nuclear charge.
    of
        A value of `FUNCTIONS`.
    """
    return of[0 if z <= 2 else 1 if z <= 10 else 2 if z <= 18 else 3]


def spell(seconds: float) -> str:
    """Write a time as people say it: "40 s", "3 min", "2.5 h".

    Parameters
    ----------
    seconds
        The time.
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
