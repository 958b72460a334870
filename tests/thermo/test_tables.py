"""The tables of the ledger, typed a second time (a changed entry was noticed by no test)."""

from __future__ import annotations

import pytest

from onekcal.molecules import Molecules
from onekcal.thermo.ledger import ATOM_FORMATION, ATOM_FORMATION_ERROR, ELEMENT_HEAT, ledger

TABLE = """
H 51.63 0.001 1.01    Li 37.69 0.2 1.10    Be 76.48 1.2 0.46    B 136.2 0.2 0.29
C 169.98 0.1 0.25     N 112.53 0.02 1.04   O 58.99 0.02 1.04    F 18.47 0.07 1.05
Na 25.69 0.17 1.54    Mg 34.87 0.2 1.19    Al 78.23 1.0 1.08    Si 106.6 1.9 0.76
P 75.42 0.2 1.28      S 65.66 0.06 1.05    Cl 28.59 0.002 1.10  Br 28.19 0.03 2.93
"""
"""Element, ΔfH(0 K) of the atom, its uncertainty, H(298 K) − H(0) of the element; kcal/mol."""
WORDS = TABLE.split()
ROWS = [tuple(WORDS[k : k + 4]) for k in range(0, len(WORDS), 4)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_entry_is_the_published_one_and_is_cited(row: tuple[str, ...]) -> None:
    symbol, formation, error, heat = row
    atom = Molecules.one([symbol], [[0.0, 0.0, 0.0]])
    z = int(atom.numbers[0])
    kept = (ATOM_FORMATION[z], ATOM_FORMATION_ERROR[z], ELEMENT_HEAT[z])
    assert kept == (float(formation), float(error), float(heat))
    lines = [
        t for t in ledger(atom, 0.0, "invented").terms if "298" in t.section or "0 K" in t.section
    ]
    cited = [t.source for t in lines if t.label.startswith(("+ ΔfH", "− [H"))]
    assert len(cited) == 2
    assert all(("CODATA" in source) == (symbol == "Br") for source in cited)


def test_there_are_no_others() -> None:
    assert len(ROWS) == len(ATOM_FORMATION) == len(ATOM_FORMATION_ERROR) == len(ELEMENT_HEAT) == 16
