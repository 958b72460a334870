"""What was computed becomes a data set that is read again and learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal import datasets
from onekcal.datasets.access import import_file
from onekcal.errors import ConfigError, DataError, InputError
from onekcal.labels import computed as store_module
from onekcal.labels.b3lyp import Minima, Minimum
from onekcal.labels.computed import Store, key_of_smiles
from onekcal.labels.export import export, exported
from onekcal.molecules import Molecules
from onekcal.runs.experiment import parse
from onekcal.runs.run import run
from support.command import onekcal
from support.computed import HYDROGEN, computed
from support.molecules import wobbly

METHYL = Molecules.one(
    [6, 1, 1, 1], [[0, 0, 0], [1.08, 0, 0], [-0.54, 0.94, 0], [-0.54, -0.94, 0]], spin=1
)
HYDROXIDE = Molecules.one([8, 1], [[0, 0, 0], [0, 0, 0.964]], charge=-1)


@pytest.fixture
def _full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with hydrogen at two levels, a radical, an ion, and a minimum of B3LYP alone."""
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path / "home"))
    ships = {key_of_smiles("N#N", 0, 0, "g4mp2"): nitrogen().to_dict()}
    monkeypatch.setattr(store_module, "shipped", lambda: ships)
    store, minima = Store(), Minima()
    store.once("1", lambda steps: computed(smiles="[H][H]"))
    store.once("2", lambda steps: computed(METHYL, -289.0, smiles="[CH3]"))
    store.once("3", lambda steps: computed(HYDROXIDE, -142.0, "g4mp2//gfn2", smiles="[OH-]"))
    minima.once("1", lambda steps: Minimum(HYDROGEN, -1.175, smiles="[H][H]"))
    minima.once("4", lambda steps: Minimum(HYDROGEN.moved(1.1 * HYDROGEN.positions), -1.17))


def nitrogen():
    return computed(Molecules.one([7, 7], [[0, 0, 0], [0, 0, 1.1]]), -225.0, smiles="N#N")


pytestmark = pytest.mark.usefixtures("_full")


def test_every_molecule_at_every_geometry_is_a_row() -> None:
    data = exported()
    assert data.molecules.names.tolist() == ["[H][H]", "[CH3]", "[OH-]", "N#N", ""]
    assert data.molecules.charges.tolist() == [0, 0, -1, 0, 0]
    assert data.molecules.spins.tolist() == [0, 1, 0, 0, 0]
    levels = {name: column.level for name, column in data.columns.items()}
    assert levels["g4mp2"] == "g4mp2"
    assert levels["g4mp2//gfn2"] == "g4mp2//gfn2"
    assert levels["b3lyp"] == "b3lyp/6-31g(2df,p)"
    assert data.columns["g4mp2"].at == "0 K"
    assert data.columns["b3lyp"].at == "electronic"
    known = {name: torch.isfinite(data.columns[name].values).tolist() for name in levels}
    assert known["g4mp2"] == [True, True, False, True, False]
    assert known["g4mp2//gfn2"] == [False, False, True, False, False]
    assert known["b3lyp"] == [True, False, False, False, True]
    assert data.columns["source"].values.tolist() == [0, 0, 0, 1, 0]
    assert data.columns["g4mp2"].values[0] == pytest.approx(-104.2, abs=1e-4)


def test_one_level_is_the_target_and_shipped_species_may_stay_out() -> None:
    data = exported(level="g4mp2", ships=False)
    assert data.target == "g4mp2"
    assert data.molecules.names.tolist() == ["[H][H]", "[CH3]"]
    assert exported(level="b3lyp").energies.isfinite().all()


def test_a_molecule_computed_here_comes_before_the_one_that_ships() -> None:
    key = key_of_smiles("N#N", 0, 0, "g4mp2")
    path = Store().folder / f"{key}.json"
    Store().once("5", lambda steps: replace(nitrogen(), smiles="own"))
    (Store().folder / "5.json").rename(path)
    names = exported().molecules.names.tolist()
    assert "own" in names
    assert "N#N" not in names


@pytest.mark.parametrize("ending", ["npz", "h5", "extxyz"])
def test_what_is_written_is_read_again(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"computed.{ending}"
    level = "g4mp2" if ending == "extxyz" else None
    written = export(out, level=level)
    read = datasets.load(str(out)).dataset
    if ending != "extxyz":
        assert set(read.columns) == set(written.columns)
        assert read.columns["source"].note == written.columns["source"].note
    again = read.molecules
    (column,) = (one for one in read.columns.values() if one.level == "g4mp2" and one.at == "0 K")
    assert again.names.tolist() == written.molecules.names.tolist()
    assert again.charges.tolist() == written.molecules.charges.tolist()
    assert again.spins.tolist() == written.molecules.spins.tolist()
    assert again.positions.numpy() == pytest.approx(written.molecules.positions.numpy(), abs=1e-6)
    assert (column.level, column.kind, column.at) == ("g4mp2", "atomization", "0 K")
    was = written.columns["g4mp2"].values.numpy()
    assert column.values.numpy() == pytest.approx(was, abs=1e-6, nan_ok=True)


def test_what_is_written_can_be_imported_and_learned_from(tmp_path: Path) -> None:
    for m, molecule in enumerate(wobbly(30).molecules):
        energy = -100.0 * len(molecule.numbers)
        Store().once(f"w{m:02}", lambda steps, one=molecule, e=energy: computed(one, e))  # type: ignore[misc]
    export(tmp_path / "computed.npz", level="g4mp2", ships=False)
    import_file(tmp_path / "computed.npz", "mine", False)
    chosen = {"set": "mine", "target": "g4mp2", "train": 20, "valid": 2, "test": 5}
    done = run(parse({"data": chosen, "stages": ["dressed_atoms"]}, "here"), tmp_path / "run")
    assert done.metrics["count"] == 5
    assert np.isfinite(done.metrics["mae"])


def test_without_a_level_a_file_of_one_energy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds one energy a molecule: give `level`"):
        export(tmp_path / "computed.extxyz")
    with pytest.raises(ConfigError, match="no level"):
        exported(level="g4")  # type: ignore[arg-type]
    for level in ("g4mp2", None):
        with pytest.raises(InputError, match="format to write"):
            export(tmp_path / "computed.doc", level=level)  # type: ignore[arg-type]
    assert not list(tmp_path.glob("computed*"))


def test_an_empty_store_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing was computed yet .*--rung g4mp2"):
        exported(tmp_path / "nowhere", ships=False)
    with pytest.raises(DataError, match="nothing was computed with b3lyp .*--rung b3lyp"):
        exported(tmp_path / "nowhere", level="b3lyp")


def test_a_damaged_file_of_the_store_is_named() -> None:
    (Store().folder / "1.json").write_text("{}")
    with pytest.raises(DataError, match=r"1\.json should hold a computed molecule but is damaged"):
        exported()


def test_the_command_exports(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    done = onekcal("data", "export", "out.npz", cwd=tmp_path, ONEKCAL_HOME=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("out.npz: 5 molecules with g4mp2, g4mp2//gfn2, b3lyp")
    done = onekcal(
        "data", "export", "out.extxyz", "--level", "g4mp2", "--no-ships",
        cwd=tmp_path, ONEKCAL_HOME=home,
    )  # fmt: skip
    assert done.stdout.startswith("out.extxyz: 2 molecules with g4mp2;")
    assert "level=g4mp2" in (tmp_path / "out.extxyz").read_text()
