"""Nuclei, charges and spins that a fitted model knows."""

from __future__ import annotations

from onekcal.models.artefact import Artefact
from onekcal.molecules import SYMBOLS, Molecules


def strange_nuclei(artefact: Artefact, molecule: Molecules) -> list[str]:
    """List what a model has never seen of a molecule, whatever its geometry and its size.

    Parameters
    ----------
    artefact
        The model.
    molecule
        One molecule; its positions are not used.

    Returns
    -------
    list of str
        One reason each: elements, charge, unpaired electrons; empty where all are known.
    """
    reasons = []
    strange = [SYMBOLS[z] for z in molecule.elements if z not in artefact.elements]
    if strange:
        known = ", ".join(SYMBOLS[z] for z in artefact.elements)
        reasons.append(f"the model has never seen {', '.join(strange)}; it knows {known}")
    charge, spin = int(molecule.charges[0]), int(molecule.spins[0])
    odd = not spin and (int(molecule.numbers.sum()) - charge) % 2
    if charge not in artefact.charges:
        reasons.append(f"{_named(charge)}; the model knows {_listed(artefact.charges)}")
    if spin > artefact.unpaired or odd:
        said = f"unpaired electrons: {spin}" if spin else "an odd number of electrons"
        most = artefact.unpaired
        knows = f"up to {most} of them" if most else "closed shells"
        reasons.append(f"a radical ({said}); the model knows {knows}")
    return reasons


def spelt(charges: list[int]) -> str:
    """Write charges as people do: "-1 0 +1".

    Parameters
    ----------
    charges
        In units of e.
    """
    return " ".join(f"{each:+d}" if each else "0" for each in charges)


def _named(charge: int) -> str:
    return f"an ion (charge {charge:+d})" if charge else "a neutral molecule"


def _listed(charges: list[int]) -> str:
    """What a model was fitted to, in words."""
    ions = spelt([each for each in charges if each])
    neutral = ["neutral molecules"] if 0 in charges else []
    return " and ".join([*neutral, *([f"ions of charge {ions}"] if ions else [])])
