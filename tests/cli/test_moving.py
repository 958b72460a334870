"""`onekcal relax`, `frequencies` and `md` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onekcal.io import read
from support.command import onekcal

WATER = "3\nwater\nO 0 0 0.117\nH 0 0.757 -0.469\nH 0 -0.757 -0.469\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "water.xyz").write_text(WATER)
    (tmp_path / "two.xyz").write_text(WATER + WATER)
    return tmp_path


def test_molecules_are_relaxed_and_written_and_a_bad_one_is_named(folder: Path) -> None:
    done = onekcal("relax", "water.xyz", "C1CC", "N", "-o", "out.extxyz", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "water (H2O)" in done.stdout
    assert "atomization energy in kcal/mol (gfn2-xtb)" in done.stdout
    assert done.stderr.count("C1CC") == 1
    written = read(folder / "out.extxyz")
    assert written.molecules.formulas == ["H2O", "H3N"]
    told = json.loads(onekcal("relax", "water.xyz", "--json", cwd=folder).stdout)
    assert told[0]["energy_kcal_per_mol"] == pytest.approx(
        float(written.columns["energy"].values[0]), abs=1e-3
    )
    assert f"{told[0]['energy_kcal_per_mol']:.2f}"[:-1] in done.stdout


def test_vibrations_are_printed_and_the_model_that_ships_refuses_them(folder: Path) -> None:
    done = onekcal("frequencies", "water.xyz", cwd=folder)
    assert "0 imaginary: a minimum" in done.stdout
    (told,) = json.loads(onekcal("frequencies", "water.xyz", "--json", cwd=folder).stdout)
    assert len(told["wavenumbers"]) == 3
    assert f"{told['wavenumbers'][0]:.1f}" in done.stdout
    for verb in (["relax", "O"], ["frequencies", "O"], ["md", "O"]):
        refused = onekcal(*verb, "--model", "g4mp2", cwd=folder)
        assert refused.returncode == 2
        assert "is no force: its energies hold zero-point energy" in refused.stderr
    assert not list(folder.glob("*.extxyz"))


def test_radicals_ions_and_atoms_are_made_in_their_ground_states(folder: Path) -> None:
    done = onekcal("frequencies", "[OH]", "[OH-]", "[He]", "--json", cwd=folder)
    told = json.loads(done.stdout)
    assert [len(one["wavenumbers"]) for one in told] == [1, 1, 0]
    assert abs(told[0]["wavenumbers"][0] - told[1]["wavenumbers"][0]) > 10


def test_a_trajectory_ends_with_its_drift_and_goes_on(folder: Path) -> None:
    words = ("md", "water.xyz", "-o", "w.extxyz", "--steps")
    done = onekcal(*words, "40", cwd=folder)
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.strip().splitlines()
    assert "40 steps of 0.5 fs (0.02 ps), NVE" in first
    assert last.startswith("energy drift ")
    assert "kcal/mol/ps (whole molecule)" in last
    assert len(read(folder / "w.extxyz")) == 5
    again = onekcal(*words, "40", cwd=folder)
    assert again.returncode == 2
    assert "--resume goes on with it" in again.stderr
    longer = onekcal(*words, "60", "--resume", "--json", cwd=folder)
    assert json.loads(longer.stdout)["steps"] == 60
    assert len(read(folder / "w.extxyz")) == 7
    thermostat = onekcal(*words, "60", "--resume", "--langevin", cwd=folder)
    assert "friction: 0.0 then, 5.0 now" in thermostat.stderr


def test_a_trajectory_is_of_one_molecule(folder: Path) -> None:
    done = onekcal("md", "two.xyz", cwd=folder)
    assert done.returncode == 2
    assert "two.xyz holds 2 molecules; a trajectory is of one" in done.stderr
