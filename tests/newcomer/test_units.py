"""`train` stops where energies are in another unit, or of another kind, than they are taken for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from onekcal import datasets
from onekcal.data.dataset import Column, Dataset
from onekcal.datasets.card import Stored
from onekcal.datasets.store import save
from onekcal.energies import FREE_ATOMS
from onekcal.molecules import SYMBOLS
from onekcal.runs.experiment import parse
from onekcal.units import EV, HARTREE, KJ
from support.command import Done, onekcal

STAGES = ["dressed_atoms", {"regression": {"estimator": "ridge"}}]


def small() -> Dataset:
    """60 molecules with B3LYP atomization energies, kcal/mol."""
    return datasets.load("qm9-small").dataset.aimed("b3lyp")[list(range(0, 1200, 20))]


def extxyz(path: Path, energies: torch.Tensor, key: str = "energy", extra: str = "") -> None:
    """A file as other programs write it: numbers without a word about their unit or kind."""
    frames = []
    for molecule, energy in zip(small().molecules, energies.tolist()):
        lines = [
            f"{len(molecule.numbers)}\n{key}={energy:.8f} {extra}Properties=species:S:1:pos:R:3"
        ]
        symbols = [SYMBOLS[int(z)] for z in molecule.numbers]
        lines += [
            f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in zip(symbols, molecule.positions)
        ]
        frames.append("\n".join(lines) + "\n")
    path.write_text("".join(frames))


def totals() -> torch.Tensor:
    """(60,) Hartree."""
    data = small()
    free = FREE_ATOMS["b3lyp/6-31g(2df,p)"]
    return data.energies / HARTREE + free.energies(data.molecules) / HARTREE


def train(folder: Path, *changes: str, data: dict | None = None) -> Done:
    content = {"name": "x", "data": data or {"set": "own.extxyz", "target": "energy"}}
    (folder / "e.yaml").write_text(json.dumps({**content, "stages": STAGES}))
    words = [word for change in changes for word in ("--set", change)]
    return onekcal("train", "e.yaml", "--json", *words, cwd=folder)


@pytest.mark.parametrize(("unit", "factor"), [("ev", EV), ("hartree", HARTREE), ("kj/mol", KJ)])
def test_atomization_energies_in_another_unit_stop_the_training(
    in_empty_folder: Path, unit: str, factor: float
) -> None:
    extxyz(in_empty_folder / "own.extxyz", small().energies / factor)
    done = train(in_empty_folder, "data.kind=atomization")
    assert done.returncode == 3
    assert "energy of own.extxyz is taken for atomization energy" in done.stderr
    assert f"data.energy: {unit}" in done.stderr
    assert f"(--energy {unit})" in done.stderr
    assert not (in_empty_folder / "runs" / "x").exists()
    said = train(in_empty_folder, f"data.energy={unit}", "data.kind=atomization")
    assert json.loads(said.stdout)["count"] == 6


def test_the_wrong_kind_stops_the_training(in_empty_folder: Path) -> None:
    """An extxyz file that says nothing is taken for total energies."""
    extxyz(in_empty_folder / "own.extxyz", small().energies)
    done = train(in_empty_folder)
    assert done.returncode == 3
    assert "is taken for total energy" in done.stderr
    assert "look like atomization energies in kcal/mol" in done.stderr
    assert "data.kind: atomization" in done.stderr


def test_totals_in_hartree_stop_the_training_until_it_is_said(in_empty_folder: Path) -> None:
    extxyz(in_empty_folder / "own.extxyz", totals())
    done = train(in_empty_folder)
    assert done.returncode == 3
    assert "look like total energies in hartree" in done.stderr
    assert json.loads(train(in_empty_folder, "data.energy=hartree").stdout)["mae"] < 100


def test_totals_given_as_atomization_energies_stop_the_training(in_empty_folder: Path) -> None:
    extxyz(in_empty_folder / "own.extxyz", totals() * HARTREE)
    done = train(in_empty_folder, "data.kind=atomization")
    assert done.returncode == 3
    assert "data.kind: total" in done.stderr


def test_a_stored_set_is_to_be_imported_again(in_empty_folder: Path) -> None:
    data = small()
    save(in_empty_folder / "own.h5", Stored(data.with_column("pbe", Column(data.energies / EV))))
    done = train(in_empty_folder, data={"set": "own.h5", "target": "pbe"})
    assert done.returncode == 3
    assert "import it again with --energy ev --kind atomization" in done.stderr
    wrong = train(in_empty_folder, "data.energy=eV", data={"set": "own.h5", "target": "pbe"})
    assert "own.h5 is stored with its units and meaning" in wrong.stderr


def test_strange_energies_are_learned_if_the_user_says_so(in_empty_folder: Path) -> None:
    extxyz(in_empty_folder / "own.extxyz", small().energies / EV)
    words = ("data.kind=atomization", "data.check=false")
    assert train(in_empty_folder, *words).returncode == 0


def test_right_energies_are_learned_without_a_word(in_empty_folder: Path) -> None:
    extxyz(in_empty_folder / "own.extxyz", small().energies, extra="kind=atomization ")
    done = train(in_empty_folder)
    assert (done.returncode, done.stderr) == (0, "")


def test_gradients_in_place_of_forces_stop_the_training(in_empty_folder: Path) -> None:
    data = datasets.load("mini-frames").dataset
    pull = data.columns["b3lyp_forces"]
    turned = Column(-pull.values, "forces", pull.level, unit=pull.unit)
    save(in_empty_folder / "own.h5", Stored(data.with_column("b3lyp_forces", turned)))
    done = train(in_empty_folder, data={"set": "own.h5", "target": "b3lyp"})
    assert done.returncode == 3
    assert "these are gradients, not forces" in done.stderr


def test_the_energies_of_a_file_may_stand_under_any_name(in_empty_folder: Path) -> None:
    extxyz(in_empty_folder / "own.extxyz", small().energies, "REF", "kind=atomization ")
    data = {"set": "own.extxyz", "target": "REF"}
    assert train(in_empty_folder, data=data).returncode == 0
    lost = train(in_empty_folder, "name=y")
    assert "own.extxyz has no 'energy'" in lost.stderr or "no column" in lost.stderr


def test_keys_that_came_later_leave_old_digests_as_they_were() -> None:
    data = {"set": "mini", "target": "b3lyp"}
    before = "a0a5cb73"
    assert parse({"data": data, "stages": ["dressed_atoms"]}).digest.startswith(before)
    said = {**data, "check": False}
    assert not parse({"data": said, "stages": ["dressed_atoms"]}).digest.startswith(before)
