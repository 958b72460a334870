"""What happens far away: no jump at a cut-off, energies that add up, atoms at the end of a bond.

Two molecules slide past the cut-off of every model. Where the energy E is smooth, its second
difference E(r − h) − 2E(r) + E(r + h) is h² times a curvature, below 0.001 kcal/mol from 3 Å on. A
jump stands in it whole.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from onekcal.battery.check import Check, Floats, Measured, NotAsked, Patient
from onekcal.errors import OnekcalError
from onekcal.geometry.species import species
from onekcal.molecules import SYMBOLS, Molecules

NEAR, BEYOND, APART = 3.0, 16.0, 0.02
"""Å: where the slide begins and ends, and its steps h."""
JUMP = 0.02
"""kcal/mol."""
FAR = 100.0
"""Å; the dipoles of two molecules have 1e-4 kcal/mol in common there."""
TOGETHER = 0.02
"""kcal/mol."""
ATOM = 1.0
"""kcal/mol."""
HOLE, ENDS = 1.0, 10.0
"""kcal/mol."""
BONDS = (("[H][H]", 0.74), ("N#N", 1.10), ("O=O", 1.21), ("C", 1.09))
"""Molecules that are pulled apart, and their bond lengths (Å)."""
SQUEEZED, PULLED, POINTS = 0.7, 8.0, 60
"""From this share of the bond length to this distance (Å), in so many points."""
AROUND = 0.15
"""The minimum lies within this share of the bond length."""


def together(one: Molecules, other: Molecules, shift: float) -> Molecules:
    """Put two molecules side by side as one.

    Parameters
    ----------
    one, other
        A molecule each.
    shift
        How far the other one stands from the first along x, from edge to edge, Å.

    Returns
    -------
    Molecules
        One molecule.
    """
    edge = one.positions[:, 0].max() - other.positions[:, 0].min() + shift
    moved = other.positions + torch.tensor([1.0, 0.0, 0.0]) * edge
    numbers = torch.cat([one.numbers, other.numbers])
    return Molecules.one(numbers.tolist(), torch.cat([one.positions, moved]).numpy())


def _pair(patient: Patient) -> tuple[Molecules, Molecules]:
    return patient.smallest(3), patient.smallest(5)


def _cutoff(patient: Patient) -> Measured:
    one, other = _pair(patient)
    shifts = np.arange(NEAR, BEYOND, APART)
    energies = patient.energies(
        Molecules.concatenate([together(one, other, shift) for shift in shifts])
    )
    bends = np.nan_to_num(np.abs(np.diff(energies, 2)), nan=np.inf)
    at = shifts[1 + int(bends.argmax())]
    names = f"{one.formulas[0]} and {other.formulas[0]}"
    return Measured(float(bends.max()), f"{names}, the largest at {at:.2f} Å")


def _additive(patient: Patient) -> Measured:
    one, other = _pair(patient)
    both = patient.energies(together(one, other, FAR))[0]
    apart = patient.energies(Molecules.concatenate([one, other])).sum()
    names = f"{one.formulas[0]} and {other.formulas[0]}"
    return Measured(abs(float(both - apart)), f"{names}, {FAR:g} Å apart")


def _needs_free_atoms(patient: Patient) -> None:
    if patient.artefact.kind != "atomization":
        raise NotAsked(f"{patient.artefact.kind} energies are not relative to free atoms")


def _atoms(patient: Patient) -> Measured:
    _needs_free_atoms(patient)
    worst, whose = 0.0, ""
    for z in patient.artefact.elements:
        atom = f"[{SYMBOLS[z]}]"
        energy = abs(float(patient.energies(species(atom).nuclei(atom))[0]))
        if not energy <= worst:  # the first, a larger one, or not a number
            worst, whose = energy if math.isfinite(energy) else math.inf, SYMBOLS[z]
    return Measured(worst, f"the largest is {whose}" if whose else "all elements it knows")


def stretched(smiles: str, length: float) -> tuple[Floats, Molecules]:
    """Pull one atom off a molecule.

    Parameters
    ----------
    smiles
        Two equal atoms, or methane.
    length
        The length of the bond, Å.

    Returns
    -------
    tuple
        (POINTS,) the length of the bond (Å), and the molecule with each of them.
    """
    nuclei = species(smiles).nuclei(smiles)
    lengths = np.concatenate([[length], np.linspace(SQUEEZED * length, PULLED, POINTS - 1)])
    lengths.sort()
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / math.sqrt(3)
    out = []
    for pulled in lengths:
        places = length * np.vstack([np.zeros(3), corners])[: len(nuclei.numbers)]
        places[1] = pulled * corners[0]
        out.append(nuclei.moved(torch.from_numpy(places)))
    return lengths, Molecules.concatenate(out)


def _known(patient: Patient) -> list[tuple[str, float]]:
    known = set(patient.artefact.elements)
    out = []
    for smiles, length in BONDS:
        if set(species(smiles).nuclei(smiles).elements) <= known:
            out.append((smiles, length))
    if not out:
        raise NotAsked("knows none of H2, N2, O2 and CH4")
    return out


def _holes(patient: Patient) -> Measured:
    deepest, whose, told, lost = 0.0, "", [], []
    for smiles, length in _known(patient):
        lengths, molecules = stretched(smiles, length)
        energies, name = _where_it_answers(patient, molecules), molecules.formulas[0]
        near = np.abs(lengths - length) <= AROUND * length
        answered = np.isfinite(energies)
        if answered.sum() < POINTS:
            lost.append(f"{POINTS - answered.sum()} of {POINTS} points of {name}")
        if not (answered & near).any() or not (answered & ~near).any():
            continue
        told.append(name)
        least = np.where(answered & ~near, energies, np.inf)
        depth = float(energies[answered & near].min() - least.min())
        if depth > deepest:
            deepest, whose = depth, f"{name} at {lengths[least.argmin()]:.2f} Å"
    if not told:
        raise NotAsked(f"gives no energies at {', '.join(lost)}")
    without = f"; no energies at {', '.join(lost)}" if lost else ""
    return Measured(deepest, (whose or ", ".join(told)) + without)


def _where_it_answers(patient: Patient, molecules: Molecules) -> Floats:
    """(M,) energies; not a number where the model has none, as a baseline does not converge."""
    out = []
    for molecule in molecules:
        try:
            out.append(float(patient.energies(molecule)[0]))
        except OnekcalError:
            out.append(math.nan)
    return np.array(out)


def _ends(patient: Patient) -> Measured:
    _needs_free_atoms(patient)
    told, worst = [], 0.0
    for smiles, length in _known(patient):
        _, molecules = stretched(smiles, length)
        last = molecules[[len(molecules) - 1]]
        if len(last.numbers) > 2:
            continue  # what is left of methane is no atom
        energy = float(patient.energies(last)[0])
        told.append(f"{last.formulas[0]} {energy:+.1f}".replace("-", "−"))
        worst = max(worst, abs(energy) if math.isfinite(energy) else math.inf)
    if not told:
        raise NotAsked("knows none of H2, N2 and O2")
    return Measured(worst, f"at {PULLED:g} Å: {', '.join(told)}")


CUTOFF = Check("jump of the energy as two molecules part", "kcal/mol", JUMP, _cutoff)
ADDITIVE = Check("energy of two far molecules against their sum", "kcal/mol", TOGETHER, _additive)
ATOMS = Check("energy of a free atom by the model itself, which is 0", "kcal/mol", ATOM, _atoms)
HOLES = Check("depth below the minimum as a bond is pulled or squeezed", "kcal/mol", HOLE, _holes)
BROKEN = Check("energy of H2, N2 and O2 pulled apart, which is 0", "kcal/mol", ENDS, _ends)
