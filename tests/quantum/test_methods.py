"""Quantum methods: names, energies against stored ones, forces, impossible input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal.energies import FREE_ATOMS, SPINS
from onekcal.errors import InputError, MissingExtra
from onekcal.labels.labelling import label
from onekcal.molecules import Molecules
from onekcal.quantum.free_atoms import _computed, cache_path, free_atoms_of
from onekcal.quantum.gfn2 import GFN2_ATOMS
from onekcal.quantum.method import LabelError
from onekcal.quantum.named import method, single_point
from onekcal.units import HARTREE

STEP = 1e-3  # Å


def force_error(molecule: Molecules, how: str, atom: int, axis: int) -> float:
    """kcal/mol/Å between the analytic force and central differences along one coordinate."""
    shift = torch.zeros_like(molecule.positions)
    shift[atom, axis] = STEP
    up, down = (
        single_point(molecule.moved(molecule.positions + sign * shift), how).total
        for sign in (1, -1)
    )
    forces = single_point(molecule, how, forces=True).forces
    assert forces is not None
    return abs(-(up - down) / (2 * STEP) - forces[atom, axis])


def test_gfn2_energies_agree_with_the_stored_ones(real_data: Path) -> None:
    with np.load(real_data / "qm9.npz") as q, np.load(real_data / "qm9_gfn2.npz") as g:
        offsets, numbers, positions, stored = q["offsets"], q["Z"], q["R"], g["E_Ha"]
    for m in np.random.default_rng(3).choice(len(stored), 50, replace=False):
        span = slice(offsets[m], offsets[m + 1])
        total = single_point(Molecules.one(numbers[span], positions[span]), "gfn2").total
        assert total == pytest.approx(stored[m] * HARTREE, abs=1e-6 * HARTREE)


def test_embedded_gfn2_atoms_are_those_of_the_program() -> None:
    for z, energy in GFN2_ATOMS.items():
        atom = Molecules.one([z], [[0, 0, 0]], spin=SPINS[z])
        assert energy == pytest.approx(
            method("gfn2").calculation(atom).at(np.zeros((1, 3))).energy, abs=1e-8
        )


def test_embedded_gfn2_atoms_are_those_of_the_stored_table(real_data: Path) -> None:
    with np.load(real_data / "qm9_gfn2.npz") as g:
        stored = dict(zip(g["atom_Z"].tolist(), g["atom_E"].tolist()))
    assert pytest.approx({z: stored[z] for z in GFN2_ATOMS}, abs=1e-8) == GFN2_ATOMS


@pytest.mark.parametrize("how", ["gfn2", "gfn1"])
def test_a_free_atom_has_no_energy(how: str) -> None:
    for z in (1, 6, 8, 16):
        atom = Molecules.one([z], [[0.3, 0, 0]], spin=SPINS[z])
        assert single_point(atom, how).energy == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("how", ["gfn2", "gfn1"])
def test_tight_binding_forces_are_the_slope_of_the_energy(water: Molecules, how: str) -> None:
    # SCF noise 1e-8 Hartree over 2e-3 Å is 0.003 kcal/mol/Å; forces here are several kcal/mol/Å
    assert force_error(water, how, 1, 2) < 0.02


def test_a_gradient_passed_as_a_force_would_be_found(water: Molecules) -> None:
    forces = single_point(water, "gfn2", forces=True).forces
    assert forces is not None
    assert (
        abs(forces[1, 2]) > 1.0
    )  # twice this would be the error, far above the tolerance of the test before


def test_charges_sum_to_the_charge_and_bond_orders_count_bonds(water: Molecules) -> None:
    point = single_point(water, "gfn2")
    assert point.charges is not None
    assert point.bond_orders is not None
    assert point.charges.sum() == pytest.approx(0.0, abs=1e-6)
    assert point.charges[0] < -0.3
    assert point.bond_orders[0, 1] == pytest.approx(0.92, abs=0.1)  # a single bond, polar
    assert point.bond_orders[1, 2] < 0.1
    hydronium_like = Molecules.one([8, 1], [[0, 0, 0], [0, 0, 0.97]], charge=-1)
    ion = single_point(hydronium_like, "gfn2")
    assert ion.charges is not None
    assert ion.charges.sum() == pytest.approx(-1.0, abs=1e-6)


def test_spin_changes_the_energy() -> None:
    oxygen = [[0, 0, 0], [0, 0, 1.21]]
    triplet = single_point(Molecules.one([8, 8], oxygen, spin=2), "gfn2").total
    singlet = single_point(Molecules.one([8, 8], oxygen), "gfn2").total
    assert triplet != pytest.approx(singlet, abs=0.1)


def test_what_is_restarted_agrees_with_what_is_fresh(water: Molecules) -> None:
    calculation = method("gfn2").calculation(water)
    start = water.positions.numpy()
    calculation.at(start)
    moved = start + np.array([[0, 0, 0.02], [0, 0, 0], [0, 0.01, 0]])
    again = calculation.at(moved).energy
    assert again == pytest.approx(method("gfn2").calculation(water).at(moved).energy, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gnf2", "did you mean 'gfn2'"),
        ("b3lyp", "b3lyp/6-31g"),
        ("b3lip/6-31g", "did you mean 'b3lyp'"),
        ("b3lyp/nothing", "no basis set 'nothing'"),
        ("b3lyp/6-31g xx", "no method"),
    ],
)
def test_a_misspelt_method_is_met_with_the_nearest(name: str, says: str) -> None:
    pytest.importorskip("pyscf")
    with pytest.raises(InputError, match=says.replace("(", r"\(")):
        method(name)


def test_spellings_of_one_method_are_one_method() -> None:
    assert method("GFN2-xTB") == method(" gfn2 ")
    pytest.importorskip("pyscf")
    assert method("B3LYP/6-31G(2df,p)").level == "b3lyp/6-31g(2df,p)"
    assert method("b3lyp/6-31g df").density_fitting


def test_impossible_electrons_are_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match="9 electrons: 0 unpaired is impossible; say `spin`"):
        single_point(Molecules.one([8, 1], [[0, 0, 0], [0, 0, 0.97]]), "gfn2")


def test_colliding_nuclei_are_refused() -> None:
    with pytest.raises(InputError, match="apart"):
        single_point(Molecules.one([8, 1, 1], [[0, 0, 0], [0, 0, 0.05], [0, 1, 0]]), "gfn2")


def test_without_pyscf_a_method_is_named_but_not_computed(
    water: Molecules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyscf", None)
    how = method("b3lyp/6-31g")
    assert how.level == "b3lyp/6-31g"
    with pytest.raises(MissingExtra, match=r"onekcal\[dft\]"):
        single_point(water, how)
    with pytest.raises(MissingExtra, match=r"onekcal\[dft\]"):  # not a failure of every molecule
        label(water, tmp_path / "out.h5", how)
    with pytest.raises(InputError, match="no method"):
        method("b3lyp")


@pytest.mark.parametrize("command", ["list", "check"])
def test_suites_are_read_without_pyscf(command: str) -> None:
    code = (
        "import sys; sys.modules['pyscf'] = None; sys.argv[1:] = ['bench', sys.argv[1]]; "
        "from onekcal.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code, command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- density functionals ----------------------------------------------------------------------


def test_b3lyp_atoms_and_molecules_are_those_of_qm9() -> None:
    pytest.importorskip("pyscf")
    level = "b3lyp/6-31g(2df,p)"
    for z in (1, 7, 8):
        atom = Molecules.one([z], [[0, 0, 0]], spin=SPINS[z])
        energy = method(level).calculation(atom).at(np.zeros((1, 3)), gradient=False).energy
        assert energy == pytest.approx(FREE_ATOMS[level].hartree[z], abs=3e-6)  # printed to 1e-6
    water = [
        [-0.03436, 0.97754, 0.007602],
        [0.064766, 0.020572, 0.001535],
        [0.87179, 1.300792, 0.000693],
    ]  # QM9's third
    molecule = Molecules.one([8, 1, 1], water)
    electronic = -76.404702 - 0.021375  # its U0 and zero-point energy
    assert single_point(molecule, level).total / HARTREE == pytest.approx(electronic, abs=3e-6)


def test_the_program_s_own_basis_of_that_name_is_another() -> None:
    pyscf = pytest.importorskip("pyscf")
    mol = pyscf.gto.M(atom="O 0 0 0", spin=2, basis="6-31g(2df,p)", verbose=0)
    scf = pyscf.dft.UKS(mol)
    scf.xc = "b3lyp"
    assert abs(scf.kernel() - FREE_ATOMS["b3lyp/6-31g(2df,p)"].hartree[8]) > 1e-3


@pytest.mark.parametrize(
    "how", ["hf/sto-3g", "b3lyp/6-31g", "b3lyp/6-31g df", "b3lyp/6-31g(2df,p)"]
)
def test_dft_forces_are_the_slope_of_the_energy(water: Molecules, how: str) -> None:
    pytest.importorskip("pyscf")
    # the grid moves with the nuclei, which the gradient leaves out: 0.05 kcal/mol/Å at the standard
    # grid
    assert force_error(water, how, 1, 2) < 0.15


def test_hartree_fock_of_water_is_the_textbook_value() -> None:
    pytest.importorskip("pyscf")
    # Szabo & Ostlund: minimal-basis water at 0.95 Å and 104.5° is near −74.96 Hartree
    r, half = 0.95, np.radians(104.5 / 2)
    positions = [
        [0, 0, 0],
        [0, r * np.sin(half), r * np.cos(half)],
        [0, -r * np.sin(half), r * np.cos(half)],
    ]
    total = single_point(Molecules.one([8, 1, 1], positions), "hf/sto-3g").total / HARTREE
    assert total == pytest.approx(-74.963, abs=2e-3)


def test_free_atoms_of_a_slow_method_are_kept(water: Molecules) -> None:
    pytest.importorskip("pyscf")
    how = method("hf/3-21g")
    first = free_atoms_of(how, [1, 8])
    assert "hf/3-21g | O" in cache_path().read_text()
    assert free_atoms_of(how, [1, 8]).hartree == first.hartree
    cache_path().write_text(cache_path().read_text().replace(str(first.hartree[8]), "-70.0"))
    _computed.cache_clear()  # as in another process
    assert free_atoms_of(how, [1, 8]).hartree == {1: first.hartree[1], 8: -70.0}
    cache_path().write_text("{ half written")
    assert free_atoms_of(method("hf/sto-3g"), [1]).hartree[1] == pytest.approx(-0.466582, abs=1e-5)


def test_an_scf_that_will_not_converge_says_so(
    water: Molecules, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyscf")
    from onekcal.quantum.dft import DensityFunctional

    plain = DensityFunctional._scf

    def impatient(self: DensityFunctional, mol: object) -> object:
        scf = plain(self, mol)
        scf.max_cycle = 1
        return scf

    monkeypatch.setattr(DensityFunctional, "_scf", impatient)
    with pytest.raises(LabelError, match="did not converge, neither by DIIS nor by second-order"):
        DensityFunctional(method("hf/sto-3g"), water).at(water.positions.numpy())
