"""Where a molecule stands, how it is turned and how its atoms are numbered changes no energy.

A batch is no more than its molecules, the same question has the same answer, and the answer does
not hang on the last digits of single precision.

The limit is 0.01 kcal/mol: a hundredth of what matters, and more than the rounding of a network in
single precision.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor

from onekcal.battery.check import Check, Measured, Patient
from onekcal.models.blend import Blend
from onekcal.models.model import Model
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.networks.model import NetworkModel

LIMIT = 0.01
"""kcal/mol."""
FAR = (10.0, -20.0, 30.0)
"""Å."""
SAME = 1e-9
"""kcal/mol; sums of one order are the same to the last digit."""


def _largest(patient: Patient, changed: Molecules) -> float:
    return _apart(patient.energies(changed), patient.energies(patient.molecules))


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference; a number that is not one is infinitely far."""
    return float(np.nan_to_num(np.abs(one - other), nan=np.inf).max())


def _turned(molecules: Molecules) -> Tensor:
    """(A, 3) positions turned about the origin; they have digits beyond single precision."""
    draw = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=draw, dtype=torch.float64)).Q
    return molecules.positions @ (turn * torch.linalg.det(turn))


def _rotation(patient: Patient) -> Measured:
    return _moved(patient, _turned(patient.molecules))


def _translation(patient: Patient) -> Measured:
    return _moved(patient, patient.molecules.positions + torch.tensor(FAR))


def _reflection(patient: Patient) -> Measured:
    return _moved(patient, patient.molecules.positions * torch.tensor([-1.0, 1.0, 1.0]))


def _moved(patient: Patient, positions: Tensor) -> Measured:
    return Measured(_largest(patient, patient.molecules.moved(positions)), _of(patient))


def _of(patient: Patient) -> str:
    return f"the largest of {len(patient.molecules)} molecules"


def _permutation(patient: Patient) -> Measured:
    draw, out = np.random.default_rng(0), []
    for molecule in patient.molecules:
        order = torch.from_numpy(draw.permutation(len(molecule.numbers)))
        out.append(
            Molecules.one(
                molecule.numbers[order].tolist(),
                molecule.positions[order].numpy(),
                int(molecule.charges[0]),
                int(molecule.spins[0]),
            )
        )
    return Measured(_largest(patient, Molecules.concatenate(out)), _of(patient))


def _batch(patient: Patient) -> Measured:
    alone = np.concatenate([patient.energies(molecule) for molecule in patient.molecules])
    return Measured(_apart(alone, patient.energies(patient.molecules)), _of(patient))


def _repeat(patient: Patient) -> Measured:
    return Measured(_largest(patient, patient.molecules), _of(patient))


def _precision(patient: Patient) -> Measured:
    molecules = patient.molecules.moved(_turned(patient.molecules))
    rounded = molecules.moved(molecules.positions.float().double())
    with torch.no_grad():
        exact = doubled(patient.artefact.model).energies(molecules).double().numpy()
    return Measured(_apart(exact, patient.energies(rounded)), _of(patient))


def doubled(model: Stack) -> Stack:
    """Make a model of the same weights that computes in float64.

    Parameters
    ----------
    model
        The model; it stays as it is.

    Returns
    -------
    Stack
        Another one.
    """
    return Stack([_doubled(stage) for stage in model.stages])


def _doubled(stage: Model) -> Model:
    if isinstance(stage, NetworkModel):
        one = copy.copy(stage)
        one.dtype = torch.float64
        one.networks = [copy.deepcopy(network).double() for network in stage.networks]
        return one
    if isinstance(stage, Blend):
        blend = copy.copy(stage)
        blend.members = [doubled(member) for member in stage.members]
        return blend
    return stage


ROTATION = Check("energy of a molecule that is turned", "kcal/mol", LIMIT, _rotation)
TRANSLATION = Check("energy of a molecule that is moved", "kcal/mol", LIMIT, _translation)
REFLECTION = Check("energy of the mirror image", "kcal/mol", LIMIT, _reflection)
PERMUTATION = Check("energy with the atoms in another order", "kcal/mol", LIMIT, _permutation)
BATCH = Check("energy in a batch against alone", "kcal/mol", LIMIT, _batch)
REPEAT = Check("energy asked twice", "kcal/mol", SAME, _repeat)
PRECISION = Check("energy in single against double precision", "kcal/mol", LIMIT, _precision)
