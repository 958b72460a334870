"""Single bonds and what it takes to break them: dissociation enthalpies at 298.15 K.

    D(298 K) = ΔfH(298 K, first radical) + ΔfH(298 K, second radical) − ΔfH(298 K, molecule)

Bonds in rings are left out: breaking one leaves a diradical. Equal bonds are listed once, with
their number. The radicals are answered by G4(MP2), and the molecule by it too where it is stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack, overload

from onekcal.errors import InputError
from onekcal.geometry.species import species
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import DEFAULT, load_model
from onekcal.prediction.answer_table import Results
from onekcal.prediction.answers import Answer
from onekcal.prediction.chosen import chosen
from onekcal.prediction.estimate import SLUGS, Unit, estimated, per_kcal
from onekcal.prediction.options import DEFAULTS, OptionKeywords, Options
from onekcal.prediction.prediction import answer
from onekcal.prediction.questions import Question
from onekcal.prediction.rungs import Watch, elapsed

if TYPE_CHECKING:
    from rdkit.Chem import Bond, Mol


@dataclass(frozen=True)
class BrokenBond:
    """One single bond, or several equal ones.

    Parameters
    ----------
    bond
        Its atoms: "C–H".
    count
        How many bonds of the molecule are equal to it.
    fragments
        The SMILES of the two radicals.
    enthalpy
        D(298.15 K), kcal/mol.
    half
        Half width of the interval (kcal/mol): the errors of the three species as if independent.
    problem
        Why there is no value; empty where there is one.
    unit
        The unit that energies are told in. The fields above stay in kcal/mol.
    learned
        The SMILES of the radicals that the model answered.
    """

    bond: str
    count: int
    fragments: tuple[str, str]
    enthalpy: float = math.nan
    half: float = math.inf
    problem: str = ""
    unit: Unit = "kcal/mol"
    learned: tuple[str, ...] = ()

    def __repr__(self) -> str:
        told = self.problem or estimated(self.enthalpy, self.half, self.unit)
        return f"BrokenBond({self.count} × {self.bond}, {' + '.join(self.fragments)}: {told})"

    def cells(self) -> dict[str, str | float | None]:
        """Return one flat row of a table. Names hold the unit; what is unknown is None."""
        end, scale = SLUGS[self.unit], per_kcal(self.unit)
        known = not self.problem
        return {
            "bond": self.bond,
            "count": self.count,
            "fragments": " + ".join(self.fragments),
            f"dissociation_298K_{end}": self.enthalpy * scale if known else None,
            f"half_width_{end}": self.half * scale if known and math.isfinite(self.half) else None,
            "learned": " + ".join(self.learned) or None,
            "problem": self.problem or None,
        }

    def to_dict(self) -> dict[str, object]:
        """Return everything, for JSON; what is unknown is None."""
        return dict(self.cells())

    def to_row(self) -> dict[str, object]:
        """Return `cells`, for CSV; what is unknown is empty."""
        return {key: "" if cell is None else cell for key, cell in self.cells().items()}


class BrokenBonds(Results[BrokenBond]):
    """The kinds of bonds of a molecule: a list that is also a table."""

    plural = "kinds of bonds"

    def blank(self) -> BrokenBond:
        """Return a bond of nothing, which has every heading."""
        return BrokenBond("", 0, ("", ""), problem="none")


@overload
def bonds(
    smiles: str,
    model: str | Path | Artefact = ...,
    options: Options = ...,
    watch: Watch = ...,
    *,
    stream: Literal[False] = ...,
    **settings: Unpack[OptionKeywords],
) -> BrokenBonds: ...
@overload
def bonds(
    smiles: str,
    model: str | Path | Artefact = ...,
    options: Options = ...,
    watch: Watch = ...,
    *,
    stream: Literal[True],
    **settings: Unpack[OptionKeywords],
) -> Iterator[BrokenBond]: ...
def bonds(
    smiles: str,
    model: str | Path | Artefact = DEFAULT,
    options: Options = DEFAULTS,
    watch: Watch = lambda molecule, step: None,
    *,
    stream: bool = False,
    **settings: Unpack[OptionKeywords],
) -> BrokenBonds | Iterator[BrokenBond]:
    """List the single bonds of a molecule with their dissociation enthalpies.

    Parameters
    ----------
    smiles
        One molecule without unpaired electrons.
    model
        A model that ships, a run folder, a model file, or what `load_model` returned.
    options
        How the species are answered; a radical is computed where its forecast is within the budget.
    watch
        Called with the molecule and the step whenever a step of a computation begins.
    stream
        Compute each bond when it is asked for.
    **settings
        Fields of `Options` one by one, such as `unit="kJ/mol"`.

    Returns
    -------
    BrokenBonds or iterator of BrokenBond
        One for each kind of single bond outside rings, in the order of the SMILES: a list that is
        also a table, or with `stream` an iterator.

    Raises
    ------
    InputError
        An option has no meaning; or the SMILES cannot be read, has unpaired electrons or no such
        bond, or the molecule has no answer.
    """
    options = chosen(options, settings)
    state = species(smiles)
    if state.spin:
        raise InputError(
            f"{smiles!r} has unpaired electrons; bonds are broken in closed shells only"
        )
    kinds = _kinds(state.mol)
    if not kinds:
        raise InputError(f"{smiles!r} has no single bond outside rings")
    artefact = model if isinstance(model, Artefact) else load_model(model)
    desk = _Desk(artefact, options, watch)
    whole = desk.answered(state.smiles)
    if whole.problem or whole.ledger is None:
        raise InputError(whole.problem or f"{smiles!r} has no heat of formation")
    found = (desk.broken(replace(kind, unit=options.unit), whole) for kind in kinds)
    return found if stream else BrokenBonds(found)


class _Desk:
    """Answers each species once: from the store where it is there; a radical whose forecast is
    within the budget by G4(MP2); others by the lowest rung.
    """

    def __init__(self, artefact: Artefact, options: Options, watch: Watch) -> None:
        self.artefact, self.watch = artefact, watch
        self.options = replace(options, route="atomization")
        self.known: dict[str, Answer] = {}

    def answered(self, smiles: str) -> Answer:
        if smiles not in self.known:
            question = Question(smiles, smiles=smiles)
            stored = replace(self.options, rung="g4mp2", compute=False)
            found = answer(question, self.artefact, stored, may_compute=False)
            if found.problem:
                options = self.options
                if options.rung == "auto" and _worth_computing(smiles, found, options):
                    options = replace(options, rung="g4mp2")
                found = answer(question, self.artefact, options, True, self.watch)
            self.known[smiles] = found
        return self.known[smiles]

    def broken(self, kind: BrokenBond, whole: Answer) -> BrokenBond:
        parts = [self.answered(fragment) for fragment in kind.fragments]
        for part in parts:
            if part.problem or part.ledger is None:
                return replace(kind, problem=part.problem or f"{part.label}: no heat of formation")
        assert whole.ledger is not None
        sum_of_parts = sum(part.ledger.formation_298 for part in parts if part.ledger)
        halves = [one.heat_half for one in (*parts, whole)]
        return replace(
            kind,
            enthalpy=sum_of_parts - whole.ledger.formation_298,
            half=math.sqrt(sum(half**2 for half in halves)),
            learned=tuple(
                smiles
                for smiles, part in zip(kind.fragments, parts)
                if part.rung == "learned" and part.half
            ),
        )


def _worth_computing(smiles: str, found: Answer, options: Options) -> bool:
    """Whether a species is a radical, which models know least, and its forecast within budget."""
    cheap = found.forecast is not None and elapsed(found.forecast) <= options.budget
    return cheap and species(smiles).spin > 0


def _kinds(mol: Mol) -> list[BrokenBond]:
    """The single bonds outside rings by the radicals they leave."""
    from rdkit import Chem

    found: dict[tuple[str, ...], BrokenBond] = {}
    for bond in mol.GetBonds():
        if bond.GetBondType() != Chem.BondType.SINGLE or bond.IsInRing():
            continue
        fragments = _radicals(mol, bond)
        key = tuple(sorted(fragments))
        names = "–".join((bond.GetBeginAtom().GetSymbol(), bond.GetEndAtom().GetSymbol()))
        before = found.get(key)
        count = 1 if before is None else before.count + 1
        found[key] = BrokenBond(names if before is None else before.bond, count, fragments)
    return list(found.values())


def _radicals(mol: Mol, bond: Bond) -> tuple[str, str]:
    """The canonical SMILES of the two radicals a bond leaves, the larger first.

    Opposite charges of the two atoms go with the bond: N⁺–O⁻ leaves N and O.
    """
    from rdkit import Chem, rdBase

    open_mol = Chem.RWMol(mol)
    ends = (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
    open_mol.RemoveBond(*ends)
    atoms = [open_mol.GetAtomWithIdx(index) for index in ends]
    between = {atom.GetFormalCharge() for atom in atoms} == {1, -1}
    for atom in atoms:
        charge = atom.GetFormalCharge() if between else 0
        atom.SetFormalCharge(atom.GetFormalCharge() - charge)
        atom.SetNumRadicalElectrons(atom.GetNumRadicalElectrons() + 1 - charge)
        atom.SetNoImplicit(True)
    with rdBase.BlockLogs():
        parts = [Chem.RemoveHs(part) for part in Chem.GetMolFrags(open_mol, asMols=True)]
    one, other = (species(Chem.MolToSmiles(part)).smiles for part in parts)
    return (one, other) if len(one) >= len(other) else (other, one)
