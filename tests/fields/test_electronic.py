"""ρ, τ, LOL and ELF: closed forms, limits, bounds, symmetry, and a second program."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from onekcal.errors import InputError, OnekcalError
from onekcal.fields import fields
from onekcal.fields.compute import of_orbitals, request, sampled
from onekcal.fields.electronic import EPSILON, FLOOR, GAS, by_spin, elf, lol, rho, tau
from onekcal.fields.grid import cube, frames, rotation
from onekcal.fields.kinds import channels
from onekcal.molecules import Molecules
from onekcal.quantum.orbitals.named import orbitals
from onekcal.units import BOHR
from support.densities import homogeneous_gas, hydrogen, nothing


def along_a_ray(*distances: float) -> torch.Tensor:
    return torch.tensor([[0.6 * r, 0.0, 0.8 * r] for r in distances], dtype=torch.float64)


def ethanol() -> Molecules:
    return Molecules.one(
        ["C", "C", "O", "H", "H", "H", "H", "H", "H"],
        [
            [1.17, -0.40, 0.0],
            [0.0, 0.56, 0.0],
            [-1.20, -0.22, 0.0],
            [2.11, 0.14, 0.0],
            [1.13, -1.04, 0.89],
            [1.13, -1.04, -0.89],
            [0.05, 1.20, 0.89],
            [0.05, 1.20, -0.89],
            [-1.95, 0.38, 0.0],
        ],
        name="ethanol",
    )


def test_the_hydrogen_atom_has_its_closed_forms() -> None:
    points = along_a_ray(0.2, 0.5, 1.0, 2.0, 4.0)
    spins = [hydrogen(points), nothing(points)]
    density = torch.exp(-2 * points.norm(dim=1)) / math.pi
    assert torch.allclose(rho(spins), density)
    assert torch.allclose(tau(spins), density / 2)
    # τ/D⁰ = ½ ρ / (0.3 (6π²)^⅔ ρ^(5/3)) = (e^(2r) π)^⅔ / (0.6 (6π²)^⅔)
    ratio = (math.pi / density / math.pi) ** (2 / 3) / (0.6 * (6 * math.pi**2) ** (2 / 3))
    assert torch.allclose(lol(spins), 1 / (1 + ratio))
    # one electron has no Pauli repulsion: ELF is 1, but for ε where the density is thin
    gas = GAS * density ** (5 / 3)
    assert torch.allclose(elf(spins), 1 / (1 + (EPSILON / gas) ** 2), atol=1e-12)
    assert float(elf(spins)[:3].min()) > 0.9999


def test_a_gfn2_hydrogen_atom_is_near_the_exact_one() -> None:
    atom = Molecules.one([1], [[0.3, 0.2, -0.1]], spin=1)
    found = fields(
        atom, ["rho", "rho-alpha", "rho-beta", "elf", "elf-alpha", "lol-beta"], n=10, box=4.0
    )[0]
    assert torch.equal(found[0], found[1])
    assert found[2].abs().max() == 0
    dense = found[0] >= 0.02
    assert torch.allclose(found[3][dense], torch.ones(int(dense.sum())), atol=1e-4)
    assert torch.equal(found[3], found[4])
    assert found[5].abs().max() == 0


def test_the_homogeneous_gas_is_at_one_half_in_both() -> None:
    density = torch.tensor([0.5, 1.0, 50.0], dtype=torch.float64)
    half = torch.full((3,), 0.5, dtype=torch.float64)
    unpolarised = [homogeneous_gas(density), homogeneous_gas(density)]
    assert torch.allclose(lol(unpolarised), half)
    assert torch.allclose(elf(unpolarised), half, atol=1e-5)
    assert torch.allclose(lol(unpolarised[:1]), half)
    partly = [homogeneous_gas(density), homogeneous_gas(0.3 * density)]
    assert torch.allclose(elf(partly), half, atol=1e-5)


def test_a_closed_shell_has_the_familiar_form() -> None:
    found = orbitals(ethanol(), "gfn2").density(cube(8, 6.0) / BOHR)
    assert len(found) == 1
    total = found[0]
    gas = 0.3 * (3 * math.pi**2) ** (2 / 3) * total.rho ** (5 / 3)
    dense = total.rho > FLOOR
    pauli = total.tau - total.gradient.square().sum(1) / (8 * total.rho)
    assert torch.allclose(lol(by_spin(found))[dense], (gas / (gas + total.tau))[dense])
    assert torch.allclose(
        elf(by_spin(found))[dense], (1 / (1 + ((pauli + EPSILON) / gas) ** 2))[dense], atol=1e-9
    )


def test_both_lie_between_zero_and_one_and_vanish_below_the_floor() -> None:
    what = request(["lol", "elf", "rho"], "gfn2", 20, 12.0)
    values = sampled(ethanol(), what)[0]
    assert float(values[:2].min()) == 0
    assert 0.6 < float(values[0].max()) <= 1
    assert 0.9 < float(values[1].max()) <= 1
    thin = values[2] < 0.99 * FLOOR
    assert thin.any()
    assert values[:2, thin].abs().max() == 0
    assert (values[0, ~thin & (values[2] > 1.01 * FLOOR)] > 0).all()


def test_rounding_cannot_take_elf_out_of_its_range() -> None:
    points = along_a_ray(0.5, 1.0)
    exact = hydrogen(points)
    below = exact._replace(tau=exact.tau * (1 - 1e-12))  # τ a rounding error under |∇ρ|²/8ρ
    assert torch.equal(
        elf([below]), elf([exact._replace(tau=exact.tau * (1 - 1e-9))])
    )  # D is 0 in both
    assert float(elf([below]).max()) <= 1


def test_in_empty_space_neither_field_has_a_value() -> None:
    """Without ε, ELF would be 1 behind every hydrogen, up to where it is cut off."""
    rho_, lol_, elf_ = fields(ethanol(), ["rho", "lol", "elf"], n=24, box=12.0)[0]
    thin = (rho_ > FLOOR) & (rho_ < 2 * FLOOR)
    assert thin.any()
    assert float(lol_[thin].max()) < 0.005
    assert float(elf_[thin].max()) < 1e-4


@pytest.mark.parametrize("basis", ["6-31g", "6-31g(2df,p)"])
def test_density_fitting_hardly_changes_a_field(basis: str) -> None:
    pytest.importorskip("pyscf")
    plain, fitted, other = (
        fields(ethanol(), ["lol"], density, 10)
        for density in (f"hf/{basis}", f"hf/{basis} df", "gfn2")
    )
    assert 0 < float((plain - fitted).abs().max()) < 2e-4
    assert float((plain - other).abs().max()) > 0.01  # another level of theory does


def test_a_frozen_core_is_seen_at_the_nuclei_alone() -> None:
    one = ethanol()
    bare, whole = (fields(one, ["rho"], density, 24)[0, 0] for density in ("gfn2", "gfn2+core"))
    apart = (
        (cube(24)[:, None] - frames(one).placed(one).positions[one.numbers > 1])
        .norm(dim=-1)
        .amin(1)
        .reshape(bare.shape)
    )
    assert float((whole - bare).abs()[apart > 1.2].max()) < 0.005
    assert float((whole - bare)[apart < 0.3].min()) > 0.05
    with pytest.raises(InputError, match="has its cores already"):
        fields(one, ["rho"], "hf/6-31g+core")


def test_fields_turn_with_the_molecule_and_its_grid() -> None:
    one = ethanol()
    turned = one.moved(one.positions @ rotation(1).T + 2.0)
    kinds = ["lol", "elf", "rho", "esp"]
    first, second = fields(Molecules.concatenate([one, turned]), kinds, n=8)
    assert (first - second).abs().max() < 2e-4  # the SCF stops at 1e-6 Hartree
    # the grid alone, or the molecule alone, would not do
    cubes = frames(one)
    elsewhere = sampled(turned, request(kinds, "gfn2", 8), cubes=cubes)[0]
    assert (first - elsewhere).abs().max() > 0.1


def test_an_open_shell_has_fields_of_each_spin() -> None:
    radical = Molecules.one([8, 1], [[0, 0, 0], [0, 0, 0.97]], spin=1, name="hydroxyl")
    found = fields(
        radical, ["rho", "rho-alpha", "rho-beta", "lol-alpha", "lol-beta", "lol"], n=8, box=4.0
    )[0]
    assert torch.allclose(found[0], found[1] + found[2], atol=1e-6)
    assert (found[3] - found[4]).abs().max() > 0.01
    low, high = torch.minimum(found[3], found[4]), torch.maximum(found[3], found[4])
    dense = found[2] > 2 * FLOOR  # either spin is above the floor
    assert ((low - 1e-6 <= found[5]) & (found[5] <= high + 1e-6))[dense].all()


def test_an_odd_number_of_electrons_is_refused_by_name() -> None:
    radical = Molecules.one([8, 1], [[0, 0, 0], [0, 0, 0.97]], name="hydroxyl")
    with pytest.raises(InputError, match=r"9 electrons|unpaired is impossible"):
        fields(radical, ["lol"])
    assert fields(radical, ["nep"]).shape == (1, 1, 14, 14, 14)


def test_an_unknown_density_or_field_is_met_with_the_nearest() -> None:
    with pytest.raises(OnekcalError, match="did you mean 'lol'"):
        request(["loll"])
    with pytest.raises(OnekcalError, match="no method"):
        request(["lol"], "gnf3")
    assert request(["nep"], "gnf3").density == ""  # not needed, not looked at
    with pytest.raises(InputError, match="twice"):
        request(["lol", "LOL"])
    with pytest.raises(InputError, match="no field"):
        request([])
    assert request(["lol"], "GFN2-xTB").density == "gfn2"


def test_another_program_finds_the_same(tmp_path: Path) -> None:
    """pyscf's basis functions, densities and integrals, from the same orbitals."""
    pytest.importorskip("pyscf")
    from pyscf import dft, gto

    one = Molecules.one([8, 1, 1], [[0, 0, 0.117], [0, 0.757, -0.469], [0, -0.757, -0.469]])
    source = orbitals(one, "hf/6-31g")
    mol = gto.M(
        atom=[[z, r] for z, r in zip((8, 1, 1), one.positions.tolist())], basis="6-31g", verbose=0
    )
    points = cube(7, 5.0) / BOHR
    matrix = ((source.coefficients[0] * source.occupations[0]) @ source.coefficients[0].T).numpy()
    assert np.trace(matrix @ mol.intor("int1e_ovlp")) == pytest.approx(10)
    values = dft.numint.eval_ao(mol, points.numpy(), deriv=1)
    density, dx, dy, dz, kinetic = dft.numint.eval_rho(
        mol, values, matrix, xctype="MGGA", with_lapl=False
    )
    gas = 0.3 * (3 * np.pi**2) ** (2 / 3) * density ** (5 / 3)
    pauli = kinetic - (dx**2 + dy**2 + dz**2) / (8 * density)
    dense = density > FLOOR
    expected = {
        "rho": density,
        "tau": kinetic,
        "lol": dense * gas / (gas + kinetic),
        "elf": dense / (1 + ((pauli + 1e-5) / gas) ** 2),
    }
    away = np.linalg.norm(points.numpy()[:, None] - mol.atom_coords(), axis=2)
    electrons = np.einsum("pij,ij->p", mol.intor("int1e_grids", grids=points.numpy()), matrix)
    expected["esp"] = (mol.atom_charges() / np.maximum(away, 0.2 / BOHR)).sum(1) - electrons
    found = of_orbitals(source, points, channels(list(expected))).numpy()
    for row, (name, values) in zip(found, expected.items()):
        assert (np.abs(row - values) / np.maximum(1, np.abs(values))).max() < 1e-5, name
    assert np.abs(found[2] - found[3]).max() > 0.1
