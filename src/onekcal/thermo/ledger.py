"""The energy ledger, from a total energy to the heat of formation. Every term is a line.

    ΔfH(0 K)      = E(relative to free atoms, 0 K) + Σ_atoms ΔfH(atom, 0 K)
    ΔfH(298.15 K) = ΔfH(0 K) + [H(298) − H(0)](molecule)
                    − Σ_atoms [H(298) − H(0)](element in its standard state)

Curtiss, Raghavachari, Redfern, Pople, J. Chem. Phys. 106, 1063 (1997). G4(MP2) was fitted with
their experimental atomic values, so these are used here even where newer ones exist (C: 170.03 in
the Active Thermochemical Tables). An electronic energy holds no zero-point energy, which then is a
term of its own. G4(MP2) and QM9's U0 hold it already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from onekcal.energies import At, FreeAtoms
from onekcal.errors import InputError
from onekcal.geometry.minimum import minimum
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.thermo import groups
from onekcal.thermo.free_energies import thermochemistry
from onekcal.thermo.frequencies import frequencies

HeatFrom = Literal["auto", "gfn2", "regression"]
Section = Literal["atomization", "formation 0 K", "formation 298 K", "remark"]
SUMMED: tuple[Section, ...] = ("atomization", "formation 0 K", "formation 298 K")
CURTISS_1997 = "Curtiss et al., J. Chem. Phys. 106, 1063 (1997)"
CODATA_1989 = "Cox, Wagman, Medvedev, CODATA key values for thermodynamics (1989)"

# fmt: off
ATOM_FORMATION = {
    1: 51.63, 3: 37.69, 4: 76.48, 5: 136.2, 6: 169.98, 7: 112.53, 8: 58.99, 9: 18.47,
    11: 25.69, 12: 34.87, 13: 78.23, 14: 106.6, 15: 75.42, 16: 65.66, 17: 28.59,
    35: 28.19,
}
"""kcal/mol, experimental ΔfH(0 K) of gaseous atoms (Curtiss 1997; Br: CODATA)."""
ATOM_FORMATION_ERROR = {
    1: 0.001, 3: 0.2, 4: 1.2, 5: 0.2, 6: 0.1, 7: 0.02, 8: 0.02, 9: 0.07,
    11: 0.17, 12: 0.2, 13: 1.0, 14: 1.9, 15: 0.2, 16: 0.06, 17: 0.002, 35: 0.03,
}
"""kcal/mol, the uncertainties of these values."""
ELEMENT_HEAT = {
    1: 1.01, 3: 1.10, 4: 0.46, 5: 0.29, 6: 0.25, 7: 1.04, 8: 1.04, 9: 1.05,
    11: 1.54, 12: 1.19, 13: 1.08, 14: 0.76, 15: 1.28, 16: 1.05, 17: 1.10,
    35: 2.93,
}
"""kcal/mol an atom, H(298 K) − H(0) of the element in its standard state (Curtiss 1997; Br:
CODATA).
"""
# fmt: on
ELECTRON_HEAT = 1.481
"""kcal/mol, H(298 K) − H(0) of an electron gas: what the thermal-electron convention adds to a
cation's ΔfH(298 K) for each electron, and subtracts from an anion's.
"""

ITSELF = "G4(MP2) against experiment"
G4MP2_ERROR = 1.04
"""kcal/mol, G4(MP2)'s mean absolute deviation from the 454 experimental energies of G3/05."""
G4MP2_SOURCE = (
    "mean absolute deviation on G3/05 (Curtiss, Redfern, Raghavachari, J. Chem. Phys. 127, 124105, "
    "2007); 0.79 for the heats of formation of 459 molecules of QM9 (Narayanan et al., "
    "doi:10.1039/c9sc02834j, 2019)"
)


@dataclass(frozen=True)
class Term:
    """One line of the ledger.

    Parameters
    ----------
    label
        What it is.
    value
        kcal/mol.
    uncertainty
        ± kcal/mol, in the sense that `source` says. None where it is not known.
    source
        Where the value comes from.
    section
        The part of the ledger that it belongs to.
    """

    label: str
    value: float
    uncertainty: float | None
    source: str
    section: Section = "atomization"


@dataclass(frozen=True)
class Ledger:
    """Every term from the energy to the heat of formation. The results are sums of the lines.

    Parameters
    ----------
    formula
        Hill formula of the molecule.
    terms
        The lines, kcal/mol.
    """

    formula: str
    terms: tuple[Term, ...]

    def _sum(self, *sections: Section) -> float:
        return sum(term.value for term in self.terms if term.section in sections)

    @property
    def atomization(self) -> float:
        """Energy relative to free atoms at 0 K, kcal/mol, with zero-point energy; bound is < 0."""
        return self._sum("atomization")

    @property
    def formation_0(self) -> float:
        """ΔfH(0 K), kcal/mol."""
        return self._sum("atomization", "formation 0 K")

    @property
    def formation_298(self) -> float:
        """ΔfH(298.15 K), kcal/mol."""
        return self._sum(*SUMMED)

    @property
    def totals(self) -> dict[str, float]:
        """The three results by name, kcal/mol."""
        return {
            "atomization energy (0 K)": self.atomization,
            "ΔfH(0 K)": self.formation_0,
            "ΔfH(298.15 K)": self.formation_298,
        }

    def rows(self) -> list[Term]:
        """Return the lines of a table: all terms, each result below its terms, and remarks last."""
        out: list[Term] = []
        for section, (label, value) in zip(SUMMED, self.totals.items()):
            out += [term for term in self.terms if term.section == section]
            out.append(Term(label, value, None, "sum of the lines above", section))
        return out + [term for term in self.terms if term.section == "remark"]

    def __repr__(self) -> str:
        heat = f"ΔfH(298.15 K) {self.formation_298:.2f} kcal/mol"
        return f"Ledger({self.formula}: {heat}, {len(self.terms)} terms)"

    def __str__(self) -> str:
        lines = [f"{self.formula}   (kcal/mol)"]
        for term in self.rows():
            error = "" if term.uncertainty is None else f" ± {term.uncertainty:.2f}"
            mark = "=" if term.source == "sum of the lines above" else " "
            lines.append(f"{mark} {term.label:<44}{term.value:>14.2f}{error:<9}  {term.source}")
        return "\n".join(lines)


def ledger(
    molecule: Molecules,
    energy: float,
    level: str,
    uncertainty: float | None = None,
    meaning: str = "",
    at: At = "0 K",
    thermal: Term | HeatFrom = "auto",
    zero_point: Term | None = None,
) -> Ledger:
    """Return the ledger of one molecule from its energy relative to free atoms.

    Parameters
    ----------
    molecule
        One neutral molecule.
    energy
        kcal/mol relative to free atoms, negative when bound.
    level
        Level of theory of the energy.
    uncertainty
        ± kcal/mol of the energy. None where it is not known.
    meaning
        What the uncertainty is: "90 % interval against G4(MP2)".
    at
        "0 K": the energy holds its zero-point energy. "electronic": it does not, and `zero_point`
        is needed.
    thermal
        H(298 K) − H(0) of the molecule. A term of your own, "gfn2" (frequencies), "regression", or
        "auto": the regression where it knows the molecule's groups, frequencies otherwise.
    zero_point
        The zero-point energy of an electronic energy.

    Raises
    ------
    InputError
        It is no single neutral molecule, an element has no experimental value here, or `at` and
        `zero_point` contradict each other.
    """
    _check(molecule)
    terms = [
        Term(
            f"energy relative to free atoms, {at}",
            energy,
            uncertainty,
            " – ".join(filter(None, (level, meaning))),
        )
    ]
    terms += _zero_point_terms(at, zero_point)
    terms += _atom_terms(molecule)
    if len(molecule.numbers) == 1:
        terms.append(atom_heat(molecule))
    else:
        terms.append(thermal if isinstance(thermal, Term) else molecule_heat(molecule, thermal))
    terms += _element_terms(molecule)
    charge = int(molecule.charges[0])
    if charge:
        terms.append(
            Term(
                f"ion convention: {charge:+d} electrons at rest are 0",
                0.0,
                None,
                f"the thermal-electron convention adds {charge * ELECTRON_HEAT:+.2f} to ΔfH(298 K)",
                "remark",
            )
        )
    if level.lower() in ("g4mp2", "g4(mp2)"):
        terms.append(Term(ITSELF, 0.0, G4MP2_ERROR, G4MP2_SOURCE, "remark"))
    return Ledger(molecule.formulas[0], tuple(terms))


def from_total(
    molecule: Molecules,
    total: float,
    atoms: FreeAtoms,
    uncertainty: float | None = None,
    meaning: str = "",
    at: At = "0 K",
    thermal: Term | HeatFrom = "auto",
    zero_point: Term | None = None,
) -> Ledger:
    """Return the ledger of one molecule from its total energy.

    The total energy and the free atoms of each element are lines of their own.

    Parameters
    ----------
    molecule
        One neutral molecule.
    total
        kcal/mol.
    atoms
        The free atoms at the same level of theory.
    uncertainty, meaning, at, thermal, zero_point
        As in `ledger`.
    """
    per_atom = {
        z: float(atoms.energies(Molecules.one([z], [[0.0, 0.0, 0.0]]))[0])
        for z in molecule.elements
    }
    terms = [
        Term(
            f"total energy, {at}",
            total,
            uncertainty,
            " – ".join(filter(None, (atoms.level, meaning))),
        )
    ]
    for z, count in _counts(molecule).items():
        terms.append(
            Term(
                f"− {count} free {SYMBOLS[z]} at {per_atom[z]:.2f}",
                -count * per_atom[z],
                None,
                atoms.source,
            )
        )
    rest = ledger(molecule, 0.0, atoms.level, at=at, thermal=thermal, zero_point=zero_point)
    return Ledger(rest.formula, (*terms, *rest.terms[1:]))


def molecule_heat(molecule: Molecules, how: HeatFrom = "auto") -> Term:
    """Return H(298 K) − H(0) of a molecule as a line of the ledger.

    Parameters
    ----------
    molecule
        One molecule.
    how
        "gfn2" (frequencies), "regression", or "auto": the regression where it knows the molecule's
        groups, frequencies otherwise.
    """

    if how not in ("auto", "gfn2", "regression"):
        raise InputError(f"`thermal` must be 'auto', 'gfn2' or 'regression', got {how!r}")
    known = groups.knows(molecule)
    if how == "regression" or (how == "auto" and known):
        error, source = (
            (groups.ERROR, groups.SOURCE) if known else (None, f"extrapolated: {groups.SOURCE}")
        )
        return Term("H(298 K) − H(0)", groups.heat(molecule), error, source, "formation 298 K")
    relaxed, _ = minimum(molecule, "gfn2", force=0.002, keep_bonds=False)
    vibrations = frequencies(relaxed.molecule, "gfn2")
    return Term(
        "H(298 K) − H(0)",
        vibrations.thermal.total,
        groups.GFN2_ERROR,
        "GFN2-xTB harmonic frequencies, rigid rotor",
        "formation 298 K",
    )


def atom_heat(atom: Molecules) -> Term:
    """Return H(298 K) − H(0) of a lone atom, 5/2 RT and its electronic part, as a line.

    Parameters
    ----------
    atom
        One atom or atomic ion.
    """
    heat = thermochemistry(atom, []).enthalpy
    source = "ideal monatomic gas with its electronic levels"
    return Term("H(298 K) − H(0)", heat, 0.0, source, "formation 298 K")


def _check(molecule: Molecules) -> None:
    if len(molecule) != 1:
        raise InputError(f"a ledger belongs to one molecule, got a batch of {len(molecule)}")
    strange = [SYMBOLS[z] for z in molecule.elements if z not in ATOM_FORMATION]
    if strange:
        raise InputError(
            f"no experimental atomic heat of formation of {', '.join(strange)} here; available: "
            f"{', '.join(SYMBOLS[z] for z in ATOM_FORMATION)}"
        )


def _zero_point_terms(at: At, zero_point: Term | None) -> list[Term]:
    if at == "298 K":
        raise InputError(
            "the ledger starts at 0 K; an energy at 298 K holds thermal energy already"
        )
    if at == "electronic" and zero_point is None:
        raise InputError(
            "an electronic energy needs its zero-point energy for a heat of formation: give "
            "`zero_point`, for example from onekcal.thermo.frequencies"
        )
    if at == "0 K" and zero_point is not None:
        raise InputError(
            "the energy at 0 K holds its zero-point energy already; leave `zero_point` out"
        )
    return [] if zero_point is None else [zero_point]


def _counts(molecule: Molecules) -> dict[int, int]:
    return {z: int((molecule.numbers == z).sum()) for z in molecule.elements}


def _atom_terms(molecule: Molecules) -> list[Term]:
    return [
        Term(
            f"+ ΔfH(0 K) of {count} {SYMBOLS[z]} at {ATOM_FORMATION[z]}",
            count * ATOM_FORMATION[z],
            count * ATOM_FORMATION_ERROR[z],
            f"experiment, {_source(z)}",
            "formation 0 K",
        )
        for z, count in _counts(molecule).items()
    ]


def _source(z: int) -> str:
    """Where the experimental values of an atom come from."""
    return CODATA_1989 if z == 35 else CURTISS_1997


def _element_terms(molecule: Molecules) -> list[Term]:
    return [
        Term(
            f"− [H(298 K) − H(0)] of {count} {SYMBOLS[z]} at {ELEMENT_HEAT[z]}",
            -count * ELEMENT_HEAT[z],
            None,
            f"element in its standard state, {_source(z)}",
            "formation 298 K",
        )
        for z, count in _counts(molecule).items()
    ]
