"""Hartree-Fock and MP2 by occupied orbitals are those of pyscf with the same auxiliary sets."""

from __future__ import annotations

import pytest

from onekcal.quantum.cores import divided, pieces
from onekcal.quantum.fitted_energies import fitted_hartree_fock, projected, unsolved
from onekcal.quantum.fitted_mp2 import fitted_mp2

FIT = "def2-universal-jkfit"
CASES = {
    "water": ("O 0 0 0.1; H 0 0.76 -0.5; H 0.1 -0.7 -0.5", 0),
    "CH2": ("C 0 0 0; H 0 1 0.5; H 0 -1 0.4", 2),
}


@pytest.mark.parametrize(("atoms", "unpaired"), CASES.values(), ids=CASES)
def test_energies_are_those_of_pyscf(atoms: str, unpaired: int) -> None:
    from pyscf import gto
    from pyscf.mp.dfmp2 import DFRMP2
    from pyscf.mp.dfump2 import DFUMP2

    small, large = (
        gto.M(atom=atoms, basis=basis, spin=unpaired, verbose=0) for basis in ("6-31g", "6-31g*")
    )
    before = unsolved(small).run()
    ours = fitted_hartree_fock(large, before, FIT, 1e-10, 1000.0, empty=True)
    theirs = unsolved(large).density_fit(auxbasis=FIT).run(conv_tol=1e-10)
    assert ours.e_tot == pytest.approx(theirs.e_tot, abs=1e-8)
    assert abs(before.e_tot - theirs.e_tot) > 1e-3
    correlation = (DFUMP2 if unpaired else DFRMP2)(theirs, frozen=1).run().e_corr
    assert fitted_mp2(ours, FIT, 1) == pytest.approx(correlation, abs=1e-7)
    assert correlation < -0.05


@pytest.mark.parametrize("unpaired", [0, 1])
def test_functions_that_depend_on_each_other_are_left_out(unpaired: int) -> None:
    """C5H8 in G3MP2LargeXP has such functions."""
    from pyscf import gto

    twice = [*gto.basis.load("6-31g", "H"), [0, [0.3, 1.0]], [0, [0.30003, 1.0]]]
    atoms, charge = ("H 0 0 0; F 0 0 0.92", unpaired)
    small, large = (
        gto.M(atom=atoms, basis={"F": "6-31g", "H": h}, charge=charge, spin=unpaired, verbose=0)
        for h in ("6-31g", twice)
    )
    scf = fitted_hartree_fock(large, unsolved(small).run(), FIT, 1e-9, 1000.0, empty=True)
    orbitals = scf.mo_coeff if unpaired else [scf.mo_coeff]
    assert {c.shape for c in orbitals} == {(large.nao, large.nao - 1)}
    projected(scf, small)  # the next basis begins from it
    assert fitted_mp2(scf, FIT, 1) < -0.05


def test_integrals_beyond_the_memory_are_kept_on_disk() -> None:
    from pyscf import gto

    mol = gto.M(atom="H 0 0 0; F 0 0 0.92", basis="6-31g", verbose=0)
    before = unsolved(mol).run()
    inside, outside = (
        fitted_hartree_fock(mol, before, FIT, 1e-9, memory, empty=False).e_tot
        for memory in (1000.0, 1e-6)
    )
    assert outside == pytest.approx(inside, abs=1e-9)


def test_divided_work_comes_back_in_order() -> None:
    from pyscf import lib

    with lib.with_omp_threads(2):
        assert divided(lambda x: x * x, range(5)) == [0, 1, 4, 9, 16]
        assert [range(7)[piece] for piece in pieces(7)] == [range(3), range(3, 7)]
    with lib.with_omp_threads(1):
        assert pieces(7) == [slice(0, 7)]
