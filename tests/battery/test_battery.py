"""Every check passes a model that does everything right, and fails one that breaks it."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from torch import Tensor

from onekcal.battery.check import Check, Measured, Outcome, Patient, checked
from onekcal.battery.run import CHECKS, battery, kept, patient_of
from onekcal.data.dataset import Columns
from onekcal.errors import InputError
from onekcal.molecules import Molecules
from support.bonds_model import Bonds, artefact_of


class Turned(Bonds):
    def energy(self, molecule: Molecules) -> Tensor:
        return super().energy(molecule) + 0.1 * molecule.positions[:, 0].std()


class Moved(Bonds):
    def energy(self, molecule: Molecules) -> Tensor:
        return super().energy(molecule) + 0.01 * molecule.positions[0, 0]


class Mirrored(Bonds):
    def energy(self, molecule: Molecules) -> Tensor:
        a, b, c = (molecule.positions - molecule.positions[0])[[1, 2, -1]]
        return super().energy(molecule) + torch.dot(a, torch.linalg.cross(b, c))


class Numbered(Bonds):
    def energy(self, molecule: Molecules) -> Tensor:
        return super().energy(molecule) + 0.1 * molecule.numbers[0]


class Crowded(Bonds):
    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        return super().energies(molecules) + 0.1 * len(molecules)


class Moody(Bonds):
    asked = 0

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        self.asked += 1
        return super().energies(molecules) + 0.1 * self.asked


class LastDigits(Bonds):
    def energy(self, molecule: Molecules) -> Tensor:
        digits = molecule.positions - molecule.positions.float().double()
        return super().energy(molecule) + 1e6 * digits.sum()


class WithoutForces(Bonds):
    def forces(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        return torch.zeros_like(molecules.positions)


class Whirling(Bonds):
    """Its forces also turn the molecule about z: they are the slope of no energy."""

    def energies_and_forces(
        self, molecules: Molecules, columns: Columns | None = None
    ) -> tuple[Tensor, Tensor]:
        energies, forces = super().energies_and_forces(molecules, columns)
        x, y, z = (molecules.positions - molecules.positions.mean(0)).T
        return energies, forces + 5.0 * torch.stack([-y, x, 0 * z], 1)


class Cut(Bonds):
    def bonds(self, molecule: Molecules) -> Tensor:
        r = torch.nn.functional.pdist(molecule.positions)
        return super().bonds(molecule) - torch.where(r < 6.0, 5.0 / r, 0.0)


class Crossed(Bonds):
    def energy(self, molecule: Molecules) -> Tensor:
        return super().energy(molecule) + 1e-3 * molecule.numbers.sum() ** 2


class Dressed(Bonds):
    def energy(self, molecule: Molecules) -> Tensor:
        return super().energy(molecule) + 5.0 * len(molecule.numbers)


class Hollow(Bonds):
    def bonds(self, molecule: Molecules) -> Tensor:
        r = torch.nn.functional.pdist(molecule.positions)
        return super().bonds(molecule) - 500.0 * torch.exp(-((r - 4.0) ** 2))


class Stuck(Bonds):
    def bonds(self, molecule: Molecules) -> Tensor:
        r = torch.nn.functional.pdist(molecule.positions)
        return super().bonds(molecule) + 50.0 * torch.tanh(r)


BROKEN: dict[str, type[Bonds]] = {
    "rotation": Turned,
    "translation": Moved,
    "reflection": Mirrored,
    "permutation": Numbered,
    "batch": Crowded,
    "repeat": Moody,
    "precision": LastDigits,
    "forces": WithoutForces,
    "drift": Whirling,
    "cut-off": Cut,
    "far apart": Crossed,
    "free atoms": Dressed,
    "holes": Hollow,
    "broken bonds": Stuck,
    "spellings": Moody,
}


@cache
def patient(model: type[Bonds]) -> Patient:
    return Patient(artefact_of(model()), patient_of(artefact_of(Bonds())).molecules)


def test_every_check_has_a_model_that_fails_it() -> None:
    assert set(BROKEN) == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_model_that_does_everything_right_passes(name: str) -> None:
    found = checked(name, CHECKS[name], patient(Bonds))
    assert found.passed, found
    assert found.value is not None
    # a tenth of the limit: the check can tell right from wrong
    assert found.value <= 0.1 * found.limit


@pytest.mark.parametrize("name", CHECKS)
def test_a_model_that_breaks_it_fails(name: str) -> None:
    found = checked(name, CHECKS[name], patient(BROKEN[name]))
    assert found.passed is False, found
    assert found.value is not None
    assert found.value > 2 * found.limit


def test_what_is_not_a_number_fails() -> None:
    broken = Check("nothing", "kcal/mol", 1.0, lambda asked: Measured(math.nan))
    assert checked("x", broken, patient(Bonds)).passed is False


def test_a_model_that_cannot_answer_was_not_asked_and_says_why() -> None:
    def refuse(asked: Patient) -> Measured:
        raise InputError("needs the column\n'b3lyp'")

    found = checked("x", Check("nothing", "", 1.0, refuse), patient(Bonds))
    assert (found.passed, found.value) == (None, None)
    assert found.note == "needs the column 'b3lyp'"
    of_minima = artefact_of(Bonds(), at="0 K")
    (drift,) = battery(of_minima, ["drift"])
    assert "its gradient is no force" in drift.note


def test_molecules_have_every_element_that_the_model_knows() -> None:
    molecules = patient_of(artefact_of(Bonds())).molecules
    assert molecules.elements == [1, 6, 7, 8]
    assert len(set(molecules.sizes.tolist())) > 3
    with pytest.raises(InputError, match="no molecule of Si alone"):
        battery(_of_silicon(), [])
    with pytest.raises(InputError, match="energies of molecules"):
        patient_of(artefact_of(Bonds(), unit="eV"))


def _of_silicon() -> object:
    artefact = artefact_of(Bonds())
    artefact.elements = [14]
    return artefact


def test_the_card_keeps_outcomes_without_times() -> None:
    heard: list[Outcome] = []
    outcomes = battery(artefact_of(Bonds()), ["rotation", "free atoms"], heard.append)
    assert heard == outcomes
    told = kept(outcomes)
    assert [row["name"] for row in told["checks"]] == ["rotation", "free atoms"]
    assert all("seconds" not in row for row in told["checks"])
