"""The store of computed molecules: computed once, found again, refused where it is not sound."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from onekcal.errors import DataError
from onekcal.geometry.species import species
from onekcal.labels import computed as store_module
from onekcal.labels.computed import (
    FORMAT,
    WAIT,
    Steps,
    Store,
    key_of_geometry,
    key_of_smiles,
    shipped,
)
from onekcal.labels.g4mp2 import Computed
from onekcal.molecules import Molecules
from support.computed import computed

ETHANOL = (
    "CCO", "OCC", "C(C)O", "C(O)C", "O(CC)", "C-C-O", "[CH3][CH2][OH]", "[H]OCC",
    "OC([H])([H])C", "[CH3]CO",
)  # fmt: skip
KEY = key_of_smiles("hydrogen, for these tests", 0, 0, "g4mp2")  # nothing ships under it

WAITING = """
import sys
from pathlib import Path
from onekcal.labels.computed import Store

def compute(steps):
    print("computed a second time", flush=True)
    raise SystemExit(7)

store = Store(Path(sys.argv[1]))
print("asking", flush=True)
print(store.once(sys.argv[2], compute, lambda: print("waiting", flush=True)).energy)
"""


def never(steps: Steps) -> Computed:
    raise AssertionError("computed again")


def key(smiles: str) -> str:
    state = species(smiles)
    return key_of_smiles(state.smiles, state.charge, state.spin, "g4mp2")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "computed")


# --- keys -------------------------------------------------------------------------------------


def test_ten_spellings_of_a_smiles_are_one_molecule() -> None:
    assert len(set(ETHANOL)) == 10
    assert len({key(smiles) for smiles in ETHANOL}) == 1
    assert key("COC") != key("CCO")


def test_another_spin_charge_or_method_is_another_molecule() -> None:
    told = [
        ("O=O", 0, 2, "g4mp2"),
        ("O=O", 0, 0, "g4mp2"),
        ("O=O", 1, 1, "g4mp2"),
        ("O=O", 0, 2, "g4mp2//gfn2"),
        ("O=O", 0, 2, "g4mp2 exact"),
    ]
    assert len({key_of_smiles(*one) for one in told}) == len(told)


def test_geometries_are_one_to_rounding(water: Molecules) -> None:
    same = water.moved(water.positions + 1e-6)
    assert key_of_geometry(water, "g4mp2") == key_of_geometry(same, "g4mp2")
    others = [
        water.moved(water.positions + 1e-3),
        Molecules.one([8, 1, 1], water.positions, charge=2),
        Molecules.one([8, 1, 1], water.positions, spin=2),
        Molecules.one([16, 1, 1], water.positions),
    ]
    keys = {key_of_geometry(one, "g4mp2") for one in (water, *others)}
    assert len(keys | {key_of_geometry(water, "g4mp2//gfn2")}) == 6


# --- the folder -------------------------------------------------------------------------------


def test_a_molecule_is_computed_once(store: Store) -> None:
    assert store.find(KEY) is None
    first = store.once(KEY, lambda steps: computed(smiles="[H][H]"))
    again = Store(store.folder).once(KEY, never)
    assert again.energy == pytest.approx(first.energy, abs=1e-4)
    assert [one.smiles for one in store] == ["[H][H]"]


def test_finished_steps_survive_a_failure_and_go_with_success(store: Store) -> None:
    def dies(steps: Steps) -> Computed:
        steps["coupled cluster"] = {"ccsdt": -1.17}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.once(KEY, dies)
    assert store.find(KEY) is None

    def goes_on(steps: Steps) -> Computed:
        assert dict(steps) == {"coupled cluster": {"ccsdt": -1.17}}
        return computed()

    store.once(KEY, goes_on)
    assert [path.name for path in store.folder.iterdir()] == [f"{KEY}.json"]


def test_steps_of_a_newer_version_are_not_gone_on_from(store: Store) -> None:
    steps = Steps(store.folder / f"{KEY}.steps")
    steps["coupled cluster"] = {"ccsdt": -1.17}
    (path,) = steps.folder.iterdir()
    path.write_text(path.read_text().replace(f'"format": {FORMAT}', '"format": 99'))
    with pytest.raises(DataError, match=r"newer version of onekcal \(format 99.*update"):
        store.once(KEY, lambda steps: computed(energy=steps["coupled cluster"]["ccsdt"]))  # type: ignore[arg-type]


def test_two_processes_compute_a_molecule_once(store: Store) -> None:
    words = [sys.executable, "-c", WAITING, str(store.folder), KEY]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other:

        def compute(steps: Steps) -> Computed:
            assert other.stdout is not None
            assert other.stdout.readline() == "asking\n"
            assert other.stdout.readline() == "waiting\n"  # it says so, once
            time.sleep(2 * WAIT)
            assert other.poll() is None
            return computed()

        store.once(KEY, compute)
        said, _ = other.communicate(timeout=60)
    assert other.returncode == 0, said
    assert float(said) == pytest.approx(computed().energy, abs=1e-3)


# --- files that cannot be used ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-40], "damaged .*remove"),
        (lambda text: "[1, 2]", "damaged .*remove it, and it is computed again"),
        (lambda text: "[]", "damaged .*remove it, and it is computed again"),
        (lambda text: text.replace('"terms"', '"names"'), "damaged .*remove it, and it is comp"),
        (lambda text: text.replace('"ccsdt"', '"ccsd"'), "damaged .*remove it, and it is computed"),
        (
            lambda text: text.replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}'),
            rf"newer version of onekcal \(format {FORMAT + 1}, this one reads {FORMAT}\); update",
        ),
    ],
    ids=["cut", "a list", "an empty list", "without terms", "another term", "newer"],
)
def test_a_file_that_cannot_be_used_is_named_with_the_remedy(
    store: Store, change: object, message: str
) -> None:
    assert callable(change)
    store.once(KEY, lambda steps: computed())
    path = store.folder / f"{KEY}.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=message) as refusal:
        store.once(KEY, never)
    assert str(path) in str(refusal.value)
    with pytest.raises(DataError, match=message):
        list(store)


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_computed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path, parents: bool, exist_ok: bool) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    with pytest.raises(DataError, match=r"Permission denied\).*set ONEKCAL_HOME") as refusal:
        store.once(KEY, never)
    assert str(store.folder) in str(refusal.value)


def test_a_full_disk_is_said_with_the_remedy(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module, "write_json", full)
    for compute in (lambda steps: steps.update({"geometry": {}}), lambda steps: computed()):
        with pytest.raises(DataError, match=r"No space left on device\); free space, or set"):
            store.once(KEY, compute)


def test_a_sound_file_of_this_version_is_not_refused(store: Store) -> None:
    store.once(KEY, lambda steps: computed())
    record = json.loads((store.folder / f"{KEY}.json").read_text())
    assert record["format"] == FORMAT
    assert store.find(KEY) is not None


# --- species that ship ------------------------------------------------------------------------


@pytest.fixture
def _ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package ships H2 and nothing else."""
    (tmp_path / "shipped").mkdir()
    record = replace(computed(smiles="[H][H]"), name="hydrogen").to_dict()
    (tmp_path / "shipped" / "species.json").write_text(json.dumps([record]))
    monkeypatch.setattr(store_module.resources, "files", lambda package: tmp_path)
    shipped.cache_clear()
    yield
    shipped.cache_clear()


@pytest.mark.usefixtures("_ships")
def test_shipped_species_are_found_and_computing_is_not_needed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "pyscf"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "pyscf", None)
    assert store.once(key("[H][H]"), never).energy == pytest.approx(-104.2, abs=1e-3)
    assert store.find(key("O=O")) is None
    assert not store.folder.exists()


@pytest.mark.usefixtures("_ships")
def test_a_molecule_computed_here_comes_before_the_one_that_ships(store: Store) -> None:
    store.folder.mkdir(parents=True)
    own = computed(energy=-100.0).to_dict()
    (store.folder / f"{key('[H][H]')}.json").write_text(json.dumps(own))
    assert store.once(key("[H][H]"), never).energy == pytest.approx(-100.0, abs=1e-3)


def test_without_a_file_nothing_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module.resources, "files", lambda package: tmp_path)
    shipped.cache_clear()
    assert shipped() == {}
    shipped.cache_clear()
