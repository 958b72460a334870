"""G4(MP2) from beginning to end: what a kill loses, atoms, kept geometries, saddle points."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from onekcal.energies import SPINS
from onekcal.errors import InputError
from onekcal.geometry import hessian as differences
from onekcal.labels import g4mp2 as module
from onekcal.labels.computed import Steps, Store
from onekcal.labels.g4mp2 import SCALE, VARIANTS, WAY, Computed, Kept, Variant, g4mp2
from onekcal.molecules import Molecules
from onekcal.quantum.g4mp2 import STEPS as OF_THE_ENERGY
from onekcal.quantum.g4mp2 import G4MP2Energy
from onekcal.quantum.method import Point
from onekcal.quantum.named import method
from onekcal.units import WAVENUMBER
from support.computed import HYDROGEN, computed

EVERY = ("geometry", "frequencies", *OF_THE_ENERGY)
FLAT = Molecules.one(
    ["N", "H", "H", "H"], [[0, 0, 0], [1.0, 0, 0], [-0.5, 0.8660254, 0], [-0.5, -0.8660254, 0]]
)
KILLED = """
import os, signal, sys
from pathlib import Path
from onekcal.labels.computed import Store
from onekcal.labels.g4mp2 import g4mp2
from onekcal.molecules import Molecules

def watch(step):
    print(step, flush=True)
    if step == "triple zeta":
        os.kill(os.getpid(), signal.SIGKILL)

hydrogen = Molecules.one(["H", "H"], [[0, 0, 0], [0, 0, 0.743]])
Store(Path(sys.argv[1])).once("key", lambda steps: g4mp2(hydrogen, kept=steps, watch=watch))
"""


class Killed(BaseException):
    """What ends a process is caught by nobody."""


def until(kept: Kept, last: str, variant: Variant = "g4mp2") -> list[str]:
    """Compute H2 until step `last` begins; return the steps that began."""
    begun: list[str] = []

    def watch(step: str) -> None:
        begun.append(step)
        if step == last:
            raise Killed

    with pytest.raises(Killed):
        g4mp2(HYDROGEN, variant, kept=kept, watch=watch)
    return begun


@pytest.fixture(scope="module")
def hydrogen() -> Computed:
    """H2, computed without interruption."""
    return g4mp2(HYDROGEN)


def distance(molecule: Molecules) -> float:
    return float((molecule.positions[1] - molecule.positions[0]).norm())


# --- energies ---------------------------------------------------------------------------------


def test_hydrogen_has_its_published_energy_geometry_and_frequency(hydrogen: Computed) -> None:
    assert distance(hydrogen.molecule) == pytest.approx(0.7428, abs=5e-4)  # G3/05
    assert hydrogen.waves == pytest.approx([4400.0], abs=80)
    zero_point = 0.9854 * 0.5 * WAVENUMBER * hydrogen.waves[0]
    assert hydrogen.zero_point == pytest.approx(zero_point, rel=1e-9)
    assert hydrogen.energy == pytest.approx(-104.3, abs=0.3)  # experiment −103.27
    assert list(hydrogen.seconds) == list(EVERY)


def test_the_variant_of_gfn2_has_another_geometry(hydrogen: Computed) -> None:
    other = g4mp2(HYDROGEN, "g4mp2//gfn2")
    assert distance(other.molecule) != pytest.approx(distance(hydrogen.molecule), abs=1e-3)
    assert abs(other.energy - hydrogen.energy) < 2
    assert list(other.seconds) == ["geometry", *OF_THE_ENERGY]


def test_an_atom_has_no_geometry_no_vibrations_and_no_energy() -> None:
    begun: list[str] = []
    atom = Molecules.one(["H"], [[0.3, 0.0, 0.0]], spin=SPINS[1])
    done = g4mp2(atom, watch=begun.append)
    assert begun == list(OF_THE_ENERGY)
    assert (done.zero_point, len(done.waves)) == (0.0, 0)
    assert done.energy == pytest.approx(0.0, abs=1e-3)  # 1e-6 Hartree
    assert done.heat == pytest.approx(1.481, abs=1e-3)  # 5/2 RT


def test_a_kept_geometry_is_not_moved(hydrogen: Computed) -> None:
    long = HYDROGEN.moved(HYDROGEN.positions * 1.08)
    begun: list[str] = []
    done = g4mp2(long, keep_geometry=True, watch=begun.append)
    assert "geometry" not in begun
    assert distance(done.molecule) == pytest.approx(1.08 * 0.743, abs=1e-9)
    assert done.waves[0] < hydrogen.waves[0] - 100  # a longer bond is softer
    assert done.terms.total > hydrogen.terms.total


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(InputError, match=f"must be one of {VARIANTS[0]}"):
        g4mp2(HYDROGEN, "g4")  # type: ignore[arg-type]


# --- kills ------------------------------------------------------------------------------------


def test_a_kill_at_every_step_loses_only_that_step(hydrogen: Computed, tmp_path: Path) -> None:
    kept = Steps(tmp_path / "key.steps")
    before = ""
    for step in EVERY:  # each attempt finishes one step more and dies in the next
        assert until(kept, step) == [one for one in (before, step) if one]
        before = step
    begun: list[str] = []
    done = g4mp2(HYDROGEN, kept=Steps(tmp_path / "key.steps"), watch=begun.append)
    assert begun == [EVERY[-1]]
    assert done.total == pytest.approx(hydrogen.total, abs=1e-8)
    assert done.waves == pytest.approx(hydrogen.waves)
    assert set(done.seconds) == set(EVERY)


def test_a_kill_of_the_variant_loses_only_its_step(tmp_path: Path) -> None:
    kept = Steps(tmp_path / "key.steps")
    until(kept, "coupled cluster", "g4mp2//gfn2")
    assert until(kept, "perturbation", "g4mp2//gfn2") == ["coupled cluster", "perturbation"]


def test_what_is_killed_for_real_goes_on_where_it_was(hydrogen: Computed, tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    assert dead.stdout.split("\n")[:-1] == list(EVERY[:5])
    begun: list[str] = []
    store = Store(tmp_path)
    done = store.once("key", lambda steps: g4mp2(HYDROGEN, kept=steps, watch=begun.append))
    assert begun == ["triple zeta", "quadruple zeta"]
    assert done.total == pytest.approx(hydrogen.total, abs=1e-7)
    assert [path.name for path in tmp_path.iterdir()] == ["key.json"]


# --- records ----------------------------------------------------------------------------------


def test_a_computed_molecule_goes_through_json_unchanged() -> None:
    ion = Molecules.one(["O", "H"], [[0, 0, 0], [0, 0, 0.9646]], charge=-1, name="hydroxide")
    there = computed(ion, -140.0, "g4mp2//gfn2", "[OH-]", 0.013, 0.2)
    back = Computed.from_dict(json.loads(json.dumps(there.to_dict())))
    assert back.total == pytest.approx(there.total, abs=2e-8)
    assert back.energy == pytest.approx(-140.0, abs=1e-4)
    assert (back.method, back.smiles, back.name) == ("g4mp2//gfn2", "[OH-]", "hydroxide")
    assert (int(back.molecule.charges[0]), int(back.molecule.spins[0])) == (-1, 0)
    assert back.molecule.positions.numpy() == pytest.approx(ion.positions.numpy(), abs=1e-6)
    assert back.waves == pytest.approx(there.waves, abs=0.05)
    assert back.heat == pytest.approx(there.heat, abs=1e-3)
    assert back.terms.t1 == there.terms.t1
    assert back.seconds == there.seconds


# --- saddle points ----------------------------------------------------------------------------


class Tight:
    """GFN2-xTB with the second derivatives that B3LYP's calculation has: milliseconds."""

    def __init__(self, molecule: Molecules) -> None:
        self.inner = method("gfn2").calculation(molecule)
        self.at = self.inner.at

    def hessian(self, positions: np.ndarray) -> np.ndarray:
        return differences.hessian(self.inner, positions)


@pytest.fixture
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """GFN2-xTB stands for B3LYP, and energies are not computed."""
    terms = G4MP2Energy(-56.4, -0.1, -0.03, 0.0, -0.038, 0.008, 0.0)
    monkeypatch.setattr(module, "VibratingB3LYP", Tight)
    monkeypatch.setattr(module, "g4mp2_energy", lambda *all_: terms)


def height(molecule: Molecules) -> float:
    """Å between nitrogen and the plane of the hydrogens."""
    n, *h = molecule.positions.numpy()
    normal = np.cross(h[1] - h[0], h[2] - h[0])
    return abs(float((n - h[0]) @ normal / np.linalg.norm(normal)))


@pytest.mark.usefixtures("_fast")
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_saddle_point_is_left_downhill(variant: Variant) -> None:
    kept: Kept = {}
    done = g4mp2(FLAT, variant, kept=kept)
    assert height(FLAT) == 0.0
    assert height(done.molecule) > 0.25  # ammonia 0.37
    assert done.waves.min() > 100
    assert kept["geometry"]["positions"] == done.molecule.positions.tolist()


class Dying(Tight):
    """It computes some points and then dies; counts are those of the last one made."""

    left = 10_000
    asked: ClassVar[list[np.ndarray]] = []

    def __init__(self, molecule: Molecules) -> None:
        super().__init__(molecule)
        self.at = self.one

    def one(self, positions: np.ndarray, gradient: bool = True) -> Point:
        if len(Dying.asked) == Dying.left:
            raise Killed
        Dying.asked.append(positions.copy())
        return self.inner.at(positions, gradient)


@pytest.mark.usefixtures("_fast")
def test_a_kill_within_the_geometry_loses_one_step_of_the_relaxation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The geometry of a large molecule takes minutes."""
    monkeypatch.setattr(module, "VibratingB3LYP", Dying)
    start = FLAT.moved(FLAT.positions * 1.2)
    counts: list[int] = []
    kept: Kept = {}
    for left in (10_000, 3, 10_000):
        monkeypatch.setattr(Dying, "left", left)
        monkeypatch.setattr(Dying, "asked", [])
        if left == 3:
            with pytest.raises(Killed):
                g4mp2(start, kept=kept)
            assert list(kept) == [WAY]
            got = kept[WAY]["positions"]
            assert got != start.positions.tolist()
        else:
            done = g4mp2(start, kept=kept if counts else {})
        counts.append(len(Dying.asked))
    assert Dying.asked[0].tolist() == got
    assert counts[2] < counts[0]
    assert WAY not in kept
    assert WAY not in done.seconds


@pytest.mark.usefixtures("_fast")
def test_a_kept_geometry_stays_on_its_saddle_point() -> None:
    done = g4mp2(FLAT, keep_geometry=True)
    assert height(done.molecule) == 0.0
    assert done.waves.min() < -300
    positive = done.waves[done.waves > 0]
    assert done.zero_point == pytest.approx(SCALE * 0.5 * WAVENUMBER * positive.sum())


@pytest.mark.slow
def test_b3lyp_leaves_the_saddle_point_too(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = G4MP2Energy(-56.4, -0.1, -0.03, 0.0, -0.038, 0.008, 0.0)
    monkeypatch.setattr(module, "g4mp2_energy", lambda *all_: terms)
    done = g4mp2(FLAT)
    assert height(done.molecule) == pytest.approx(0.38, abs=0.03)
    assert done.waves.min() > 900  # the umbrella, in G3/05 1087
