"""Other programs: what they answer, what they refuse, and what is said where they are absent."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch

from onekcal.bench.experiments import experiment
from onekcal.bench.programs import aimnet2
from onekcal.bench.programs.program import Program
from onekcal.bench.programs.registry import PROGRAMS
from onekcal.errors import InputError, MissingExtra
from onekcal.geometry.conformers import conformers
from onekcal.molecules import Molecules

EACH = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.package)


def _asked(program: Program, molecule: Molecules) -> float:
    """ΔfH(298 K), kcal/mol; the test is skipped where the program is not installed."""
    if program.lacking():
        pytest.skip(program.lacking())
    return program.formation(molecule)


@pytest.fixture(scope="module")
def ethanol() -> Molecules:
    return conformers("CCO", count=1).lowest


@EACH
def test_a_program_that_is_not_installed_is_told_in_one_line(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, program.module, None)
    aimnet2.network.cache_clear()
    told = program.lacking()
    assert told.endswith(
        f"needs {program.package}, which is not installed: pip install 'onekcal[peers]'"
    )
    assert "\n" not in told
    with pytest.raises(MissingExtra, match="onekcal\\[peers\\]"):
        program.formation(Molecules.one("OHH", [[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]))


def test_programs_have_names_of_their_own() -> None:
    assert len({program.name for program in PROGRAMS}) == len(PROGRAMS)


@EACH
def test_methanol_is_near_experiment(program: Program) -> None:
    measured = {row["smiles"]: float(row["formation_298_kcal_per_mol"]) for row in experiment()}
    found = _asked(program, conformers("CO", count=1).lowest)
    assert abs(found - measured["CO"]) < 2.0  # both are wrong by about 1


@EACH
def test_a_turned_copy_has_the_same_heat_of_formation(program: Program, ethanol: Molecules) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turned = ethanol.moved(ethanol.positions @ torch.from_numpy(turn) + 1.0)
    isomer = conformers("COC", count=1).lowest
    found = _asked(program, ethanol)
    # relaxations end within the tolerance of forces; that is worth 0.01 kcal/mol
    assert abs(program.formation(turned) - found) < 0.1
    assert abs(program.formation(isomer) - found) > 5.0


@EACH
def test_a_radical_is_refused_in_one_line(program: Program) -> None:
    methyl = conformers("[CH3]", count=1, open_shells=True).lowest
    with pytest.raises(InputError, match="closed shells") as refusal:
        _asked(program, methyl)
    assert "\n" not in str(refusal.value)


@EACH
def test_an_ion_is_answered(program: Program) -> None:
    ammonium = conformers("[NH4+]", count=1, open_shells=True).lowest
    assert math.isclose(_asked(program, ammonium), 151.0, abs_tol=10.0)


@EACH
def test_an_element_without_parameters_is_refused_in_one_line(program: Program) -> None:
    with pytest.raises(InputError) as refusal:
        _asked(program, Molecules.one(["Rn", "F", "F"], [[0, 0, 0], [0, 0, 2.1], [0, 0, -2.1]]))
    assert "\n" not in str(refusal.value)
    assert "RnF2" in str(refusal.value) or "F2Rn" in str(refusal.value)


def test_hydrazine_is_not_in_an_excited_state() -> None:
    (pm7,) = (program for program in PROGRAMS if program.name == "PM7")
    found = _asked(pm7, conformers("NN", count=1).lowest)
    assert abs(found - 22.8) < 20.0  # the restricted solution alone lies at 260
