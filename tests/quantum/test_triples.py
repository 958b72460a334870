"""The triples of CCSD(T) are those of pyscf's own loops, for closed and for open shells."""

from __future__ import annotations

import pytest

from onekcal.quantum.triples import triples

SINGLE = 1e-7
"""Hartree; ten times what single precision changes in molecules of five heavy atoms."""
CASES = {
    "water": ("O 0 0 0.1; H 0 0.76 -0.5; H 0.1 -0.7 -0.5", 0),
    "CH2": ("C 0 0 0; H 0 1 0.5; H 0 -1 0.4", 2),
}


@pytest.mark.parametrize(("atoms", "unpaired"), CASES.values(), ids=CASES)
def test_triples_are_those_of_pyscf(atoms: str, unpaired: int) -> None:
    from pyscf import cc, gto, scf

    mol = gto.M(atom=atoms, basis="6-31g(d)", spin=unpaired, verbose=0)
    solved = (scf.UHF if unpaired else scf.RHF)(mol)
    solved.chkfile = solved._chkfile = None
    coupled = (cc.UCCSD if unpaired else cc.RCCSD)(solved.run(conv_tol=1e-10), frozen=1)
    integrals = coupled.ao2mo()
    coupled.kernel(eris=integrals)
    expected = float(coupled.ccsd_t(eris=integrals))
    found = triples(coupled, integrals)
    assert found == pytest.approx(expected, abs=SINGLE)
    assert expected < -1e-3  # four orders above the tolerance
