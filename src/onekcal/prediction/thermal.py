"""Wavenumbers of an answer, and what temperature and pressure add to its energy."""

from __future__ import annotations

from dataclasses import replace

import numpy.typing as npt

from onekcal.geometry.minimum import minimum
from onekcal.molecules import Molecules
from onekcal.prediction.answers import Answer
from onekcal.thermo.free_energies import PRESSURE, thermochemistry
from onekcal.thermo.frequencies import TEMPERATURE, frequencies

RIGID = "rigid rotor"


def wavenumbers_of(answer: Answer) -> tuple[Molecules, npt.ArrayLike, str]:
    """Find the harmonic wavenumbers of an answer's molecule.

    Parameters
    ----------
    answer
        One with a molecule.

    Returns
    -------
    tuple
        The geometry they belong to, the wavenumbers (1/cm), and where they come from: the answer,
        where it was computed, and else GFN2-xTB.
    """
    molecule = answer.molecule
    assert molecule is not None
    if len(molecule.numbers) == 1:
        return molecule, [], "ideal monatomic gas with its electronic levels"
    if answer.waves is not None:
        return molecule, answer.waves, f"wavenumbers of the computed answer, {RIGID}"
    relaxed, _ = minimum(molecule, "gfn2", force=0.002, keep_bonds=False)
    waves = frequencies(relaxed.molecule, "gfn2").wavenumbers
    return relaxed.molecule, waves, f"GFN2-xTB harmonic frequencies, {RIGID}"


def with_thermochemistry(
    answer: Answer, temperature: float = TEMPERATURE, pressure: float = PRESSURE
) -> Answer:
    """Add entropy, heat capacity, H(T) − H(0) and G(T) − H(0) to an answer.

    Parameters
    ----------
    answer
        An answer; one without a molecule stays as it is.
    temperature
        K.
    pressure
        bar.
    """
    if answer.problem or answer.molecule is None:
        return answer
    molecule, waves, source = wavenumbers_of(answer)
    thermal = thermochemistry(molecule, waves, temperature, pressure)
    return replace(answer, thermochemistry=thermal, thermal_source=source)
