"""The Coulomb matrix: values by hand, invariances, and wrong versions that fail."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from onekcal.features.coulomb import (
    RandomlySortedCoulomb,
    SortedCoulomb,
    SortedEigenvalues,
    coulomb_matrix,
    packed,
    sorted_by_norm,
    sorted_columns_only,
    sorted_eigenvalues,
    unpacked,
)
from onekcal.molecules import Molecules
from onekcal.units import BOHR
from support.molecules import wobbly


def reversed_atoms(molecule: Molecules) -> Molecules:
    return Molecules.one(molecule.numbers.flip(0).tolist(), molecule.positions.flip(0).numpy())


def test_hydrogen_molecule_by_hand() -> None:
    """C_11 = ½·1^2.4 = 0.5; C_12 = 1·1/1.4 Bohr; eigenvalues 0.5 ± 1/1.4."""
    matrix = coulomb_matrix(Molecules.one([1, 1], [[0, 0, 0], [0, 0, 1.4 * BOHR]]))[0]
    assert torch.allclose(
        matrix, torch.tensor([[0.5, 1 / 1.4], [1 / 1.4, 0.5]], dtype=torch.float64), atol=1e-12
    )
    values = sorted_eigenvalues(matrix[None])[0]
    assert values.tolist() == pytest.approx([0.5 + 1 / 1.4, 1 / 1.4 - 0.5], abs=1e-12)


def test_a_lone_atom_has_its_self_term_only() -> None:
    matrix = coulomb_matrix(Molecules.one([8], [[1.0, 2.0, 3.0]]), size=3)[0]
    assert float(matrix[0, 0]) == pytest.approx(0.5 * 8**2.4)
    assert float(matrix.abs().sum()) == pytest.approx(0.5 * 8**2.4)


def test_two_far_molecules_have_the_eigenvalues_of_both() -> None:
    water, methane = wobbly(4).molecules[0], wobbly(4).molecules[2]
    far = Molecules.one(
        torch.cat([water.numbers, methane.numbers]).tolist(),
        torch.cat([water.positions, methane.positions + 1e8]).numpy(),
    )
    together = sorted_eigenvalues(coulomb_matrix(far))[0]
    alone = (
        torch.cat([sorted_eigenvalues(coulomb_matrix(m))[0] for m in (water, methane)])
        .sort(descending=True)
        .values
    )
    assert torch.allclose(together, alone, atol=1e-5)


def test_eigenvalues_and_sorted_matrix_do_not_depend_on_atom_order_but_the_raw_matrix_does() -> (
    None
):
    molecule = wobbly(4).molecules[3]
    one, other = coulomb_matrix(molecule), coulomb_matrix(reversed_atoms(molecule))
    assert torch.allclose(sorted_eigenvalues(one), sorted_eigenvalues(other), atol=1e-9)
    assert torch.allclose(sorted_by_norm(one), sorted_by_norm(other), atol=1e-12)
    assert not torch.allclose(one, other, atol=1e-3)


def test_sorting_rows_alone_would_not_keep_the_matrix_symmetric() -> None:
    matrix = coulomb_matrix(reversed_atoms(wobbly(4).molecules[3]))
    sorted_both = sorted_by_norm(matrix)
    assert torch.equal(sorted_both, sorted_both.transpose(1, 2))
    norms = sorted_both.norm(dim=-1)[0]
    assert (norms.diff() <= 0).all()
    rows_only = matrix[:, matrix[0].norm(dim=-1).argsort(descending=True)]
    assert not torch.allclose(rows_only, rows_only.transpose(1, 2), atol=1e-3)


def test_padding_adds_zeros_and_nothing_else() -> None:
    molecule = wobbly(1).molecules
    small, large = coulomb_matrix(molecule), coulomb_matrix(molecule, size=7)
    assert torch.equal(large[:, :3, :3], small)
    assert float(large[:, 3:].abs().max()) == 0.0


def test_the_matrix_is_differentiable_even_where_padded() -> None:
    molecules = wobbly(4).molecules
    positions = molecules.positions.clone().requires_grad_(True)
    matrix = coulomb_matrix(molecules.moved(positions))
    (gradient,) = torch.autograd.grad(matrix.sum(), positions)
    assert torch.isfinite(gradient).all()
    step = 1e-6
    moved = positions.detach().clone()
    moved[5, 2] += step
    rise = (coulomb_matrix(molecules.moved(moved)).sum() - matrix.detach().sum()) / step
    assert float(gradient[5, 2]) == pytest.approx(float(rise), rel=1e-4)


def test_packing_and_unpacking_are_inverse_and_any_length_is_valid() -> None:
    matrix = coulomb_matrix(wobbly(3).molecules)
    assert torch.equal(unpacked(packed(matrix)), matrix)
    assert unpacked(torch.ones(2, 4, dtype=torch.float64)).shape == (2, 3, 3)


def test_random_sorting_keeps_the_eigenvalues_and_changes_the_order_with_the_seed() -> None:
    table = packed(coulomb_matrix(wobbly(8).molecules)).numpy()
    first, second = (
        RandomlySortedCoulomb(noise=20.0, random_state=s).fit_transform(table) for s in (0, 1)
    )
    assert not np.allclose(first, second)
    assert np.allclose(
        SortedEigenvalues().fit_transform(first),
        SortedEigenvalues().fit_transform(table),
        atol=1e-9,
    )
    still = RandomlySortedCoulomb(noise=0.0).fit_transform(table)
    assert np.array_equal(still, SortedCoulomb().fit_transform(table))


def test_random_sorting_does_not_depend_on_atom_order_because_it_sorts_first() -> None:
    molecule = wobbly(4).molecules[3]
    one, other = (packed(coulomb_matrix(m)) for m in (molecule, reversed_atoms(molecule)))
    shuffle = RandomlySortedCoulomb(noise=20.0, random_state=3)
    assert np.allclose(
        shuffle.fit_transform(one.numpy()), shuffle.fit_transform(other.numpy()), atol=1e-12
    )
    noise = 20.0 * torch.randn(
        1, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )
    direct = [packed(sorted_by_norm(unpacked(rows), noise)) for rows in (one, other)]
    assert not torch.allclose(direct[0], direct[1], atol=1e-3)


def test_random_sorting_loses_no_entry_of_a_row_whose_length_is_not_triangular() -> None:
    row = np.arange(1.0, 5.0)[None]  # four numbers: the start of a 3 × 3 matrix
    for seed in range(5):
        out = RandomlySortedCoulomb(noise=5.0, random_state=seed).fit_transform(row)
        assert sorted(out[0][out[0] > 0]) == [1.0, 2.0, 3.0, 4.0]


def test_sorting_columns_alone_mixes_atoms_while_sorting_both_does_not() -> None:
    """Row sums and row norms order hydroxyl-like hydrogens differently, so half a sort breaks the
    symmetry.
    """
    matrix = torch.tensor(
        [[[4.0, 1.0, 1.2], [1.0, 3.0, 2.9], [1.2, 2.9, 2.0]]], dtype=torch.float64
    )
    half, whole = sorted_columns_only(matrix), sorted_by_norm(matrix)
    assert torch.equal(whole, whole.transpose(1, 2))
    assert not torch.equal(half, half.transpose(1, 2))
    assert (half.norm(dim=1).diff(dim=-1) <= 0).all()
    assert torch.equal(half.flatten().sort().values, matrix.flatten().sort().values)
