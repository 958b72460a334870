"""Mistakes of units that explain a slope of energies on forces."""

from __future__ import annotations

import numpy as np

from onekcal.units import BOHR, ENERGY, EV, HARTREE

FORCE_UNITS = {
    f"{e}/{name}": energy / length
    for e, energy in ENERGY.items()
    if e not in ("1/cm",)
    for name, length in (("Å", 1.0), ("bohr", BOHR))
}
"""How many kcal/mol/Å one unit of force is."""


def mistakes(slope: float, tolerance: float = 0.04) -> str:
    """Name the mistakes of units that explain a slope, the likeliest first.

    Parameters
    ----------
    slope
        Of the energies on what the forces say; 1 is right.
    tolerance
        The largest difference of the logarithms.

    Returns
    -------
    str
        "" where no mistake explains the slope.
    """
    size = abs(slope)
    factors: dict[str, float] = {}
    for name, factor in FORCE_UNITS.items():
        factors[f"the forces are in {name}, read as kcal/mol/Å"] = factor
    for name, factor in ENERGY.items():
        factors[f"the energies are in {name}, read as kcal/mol"] = 1 / factor
    factors["the forces are in hartree/bohr, read as ev/Å"] = HARTREE / BOHR / EV
    factors["the forces are in ev/Å, read as hartree/bohr"] = EV * BOHR / HARTREE
    factors["the forces are per bohr, read as per Å"] = 1 / BOHR
    factors["the forces are per Å, read as per bohr"] = BOHR
    for name in ("ev", "hartree", "kj/mol"):
        wrong = f"the factor of {name} was applied the wrong way round"
        factors[f"{wrong}, to the energies or to the forces"] = ENERGY[name] ** 2
        factors[f"{wrong}, to one of them"] = 1 / ENERGY[name] ** 2
        twice = f"were multiplied by the factor from {name} once too often"
        factors[f"the energies {twice}"] = ENERGY[name]
        factors[f"the forces {twice}"] = 1 / ENERGY[name]
    fits = sorted(
        (abs(np.log(size / factor)), k, name)
        for k, (name, factor) in enumerate(factors.items())
        if factor != 1
    )
    fits = [fit for fit in fits if fit[0] < tolerance]
    best = [name for apart, _, name in fits if apart < fits[0][0] + 1e-3]
    return " or ".join(best[:3])
