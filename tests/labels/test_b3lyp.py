"""B3LYP minima: their steps are G4(MP2)'s, and what cannot be computed says why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onekcal.energies import FREE_ATOMS
from onekcal.errors import DataError, InputError
from onekcal.labels import b3lyp
from onekcal.labels.b3lyp import LEVEL, STEP, Minima, Minimum, b3lyp_minimum, cost
from onekcal.labels.computed import FORMAT, Steps
from onekcal.labels.g4mp2 import Computed
from onekcal.molecules import Molecules
from onekcal.quantum.method import LabelError
from onekcal.units import HARTREE
from support.computed import HYDROGEN, computed

KEY = "0" * 32


@pytest.fixture
def minima(tmp_path: Path) -> Minima:
    return Minima(tmp_path / "computed")


def never(steps: Steps) -> Minimum:
    raise AssertionError("computed again")


def test_energies_are_relative_to_the_free_atoms_of_qm9() -> None:
    atoms = 2 * FREE_ATOMS[LEVEL].hartree[1]
    assert Minimum(HYDROGEN, atoms - 0.1).energy == pytest.approx(-0.1 * HARTREE)


def test_a_minimum_is_kept_and_read_again(minima: Minima) -> None:
    done = Minimum(HYDROGEN, -1.17, 3.0, (0.0, 0.7), "[H][H]", "hydrogen")
    minima.once(KEY, lambda steps: done)
    again = Minima(minima.above.folder).once(KEY, never)
    assert (again.electronic, again.relative, again.smiles) == (-1.17, (0.0, 0.7), "[H][H]")
    assert again.molecule.positions.numpy() == pytest.approx(HYDROGEN.positions.numpy())
    assert list(minima.above) == []  # it is no G4(MP2)


def test_g4mp2_goes_on_from_the_geometry_of_b3lyp(minima: Minima) -> None:
    def relaxes(steps: Steps) -> Minimum:
        steps["geometry"] = {"positions": HYDROGEN.positions.tolist()}
        return Minimum(HYDROGEN, -1.17)

    minima.once(KEY, relaxes)

    def goes_on(steps: Steps) -> Computed:
        assert list(steps) == ["geometry"]
        return computed()

    minima.above.once(KEY, goes_on)
    assert not minima.steps(KEY).folder.exists()  # nobody needs them any more


def test_frequencies_are_taken_from_g4mp2_only_at_the_same_geometry(minima: Minima) -> None:
    here = Minimum(HYDROGEN, -1.17)
    elsewhere = Minimum(HYDROGEN.moved(1.1 * HYDROGEN.positions), -1.17)
    assert minima.waves(KEY, here) is None
    steps = minima.steps(KEY)
    steps["geometry"] = {"positions": HYDROGEN.positions.tolist()}
    assert minima.waves(KEY, here) is None
    steps["frequencies"] = {"waves": [4450.0]}
    assert minima.waves(KEY, here) == pytest.approx([4450.0])
    assert minima.waves(KEY, elsewhere) is None
    minima.above.once(KEY, lambda steps: computed())
    assert minima.waves(KEY, here) == pytest.approx(computed().waves)
    assert minima.waves(KEY, elsewhere) is None


def test_a_minimum_of_a_newer_version_is_named_with_the_remedy(minima: Minima) -> None:
    minima.once(KEY, lambda steps: Minimum(HYDROGEN, -1.17))
    path = minima.folder / f"{KEY}.json"
    path.write_text(path.read_text().replace(f'"format": {FORMAT}', '"format": 99'))
    with pytest.raises(DataError, match=r"newer version of onekcal \(format 99.*update") as refusal:
        minima.once(KEY, never)
    assert str(path) in str(refusal.value)
    path.write_text(path.read_text().replace('"electronic"', '"energy"').replace("99", "1"))
    with pytest.raises(DataError, match="damaged .*remove it, and it is computed again"):
        minima.find(KEY)


def test_only_the_steps_that_are_left_are_computed() -> None:
    """Hydrogen relaxes to B3LYP's bond length; with a kept geometry one energy is computed."""
    pytest.importorskip("pyscf")
    steps: dict = {}
    told: list[str] = []
    done = b3lyp_minimum(HYDROGEN, kept=steps, watch=told.append)
    assert told == ["geometry", "energy"]
    length = float(np.linalg.norm(np.diff(done.molecule.positions.numpy(), axis=0)))
    assert length == pytest.approx(0.743, abs=0.002)
    assert done.energy == pytest.approx(-111.70, abs=0.1)  # fitting and grid: 0.02 at most
    again = b3lyp_minimum(HYDROGEN, kept=steps, watch=told.append)
    assert told == ["geometry", "energy"]
    assert again.electronic == done.electronic
    told.clear()
    stretched = HYDROGEN.moved(1.2 * HYDROGEN.positions)
    kept = b3lyp_minimum(stretched, keep_geometry=True, watch=told.append)
    assert told == ["energy"]
    assert kept.energy > done.energy + 5


def test_an_energy_that_was_kept_before_a_kill_is_not_computed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(b3lyp, "relax_b3lyp", None)
    monkeypatch.setattr(b3lyp, "DensityFunctional", None)
    kept = {
        "geometry": {"positions": HYDROGEN.positions.tolist()},
        STEP: {"electronic": -1.17},
    }
    assert b3lyp_minimum(HYDROGEN, kept=kept).electronic == -1.17


def test_what_cannot_be_computed_says_why() -> None:
    pytest.importorskip("pyscf")
    with pytest.raises(InputError, match="0 unpaired is impossible; say `spin`"):
        b3lyp_minimum(Molecules.one(["O", "H"], [[0, 0, 0], [0, 0, 0.97]]))
    with pytest.raises(LabelError, match="cannot be set up"):
        b3lyp_minimum(Molecules.one(["Xe", "F"], [[0, 0, 0], [0, 0, 2.0]], spin=1))


def test_an_energy_costs_less_than_a_geometry_and_both_grow() -> None:
    methane = Molecules.one([6, 1, 1, 1, 1], np.eye(5, 3))
    hexane = Molecules.one([6] * 6 + [1] * 14, np.eye(20, 3))
    assert cost(methane, geometry=False).total < cost(methane).total < cost(hexane).total
    assert cost(methane).memory < cost(hexane).memory < 2**33
