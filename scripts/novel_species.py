"""Choose species of four and five heavy atoms to compute: scripts/novel_species.smi.

    python scripts/novel_species.py [--candidates 600] [--seed 0]      # ten minutes on one core
    python scripts/species.py FOLDER --list scripts/novel_species.smi

Molecules grow from the closed shells of species.smi, one heavy atom at a time; radicals have lost
one hydrogen. Those with chains of atoms that hardly exist are left out. A random part is made with
GFN2-xTB, and the shipped model says how novel each is. What it has never seen, phosphorus, is
infinitely novel; of that, only molecules are taken that are half carbon. Three parts are written:

- `ANSWERED` that the model answers, drawn at random among molecules of carbon with one S, Cl or Si,
  which QM9 does not have: what its interval from SMILES is judged on;
- the most novel closed shells, and the most novel radicals. Each must hold a bond that fewer
  than four chosen ones hold, or two chosen radicals. Otherwise a hundred relatives of one strange
  molecule would come first.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rdkit import Chem, RDLogger

from onekcal.errors import InputError, OnekcalError
from onekcal.geometry.conformers import conformers
from onekcal.geometry.species import species
from onekcal.io.smiles_lines import smi_lines
from onekcal.labels.computed import key_of_smiles, shipped
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.molecules import Molecules

HERE = Path(__file__).parent
OUT = HERE / "novel_species.smi"
ANSWERED, NOVEL, RADICALS = 50, 70, 30
ADDED = ("C", "N", "O", "F", "[SiH3]", "P", "S", "Cl")
DOUBLE = ("C", "N", "O", "S")
STRANGE = tuple(
    Chem.MolFromSmarts(pattern)
    for pattern in (
        "[N,O,F,Cl;!$([N+])]~[N,O,F,Cl]~[N,O,F,Cl]",  # chains of atoms with lone pairs
        "[O,F,Cl]~[O,F,Cl]",
        "[N]-[F,Cl]",
        "[r3]=[r3]",
        "[r3]=[!r3]",
        "[!#6;r3]~[!#6;r3]",
        "[r4]=[r4]",
        "*=*=*",
        "[Si,P]=*",
        "[OH]C=C",
        "[OH]C([OH])",
        "[SH,OH][N,O,S]",
    )
)
"""What no candidate may hold: it would hardly exist, or fall apart when it is relaxed."""


class Candidate(NamedTuple):
    """A species, and how novel the model finds it."""

    smiles: str
    novelty: float
    radical: bool


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("--candidates", type=int, default=600)
    ask.add_argument("--seed", type=int, default=0)
    asked = ask.parse_args()
    RDLogger.DisableLog("rdApp.*")
    draw = np.random.default_rng(asked.seed)
    closed = grown(draw)
    model = load_model("g4mp2")
    usual = judged(some(filter(answerable, closed), asked.candidates, draw), model)
    answered = (one.smiles for one in usual if one.novelty <= model.novelty_limit)
    first = list(islice(answered, ANSWERED))
    closed = [one for one in closed if "P" not in one or common(one)]
    pool = some(closed, 2 * asked.candidates // 3, draw)
    pool += some(radicals(pool), asked.candidates // 3, draw)
    made = judged(pool, model)
    rest = sorted((one for one in made if one.smiles not in first), key=lambda one: -one.novelty)
    novel = diverse((one.smiles for one in rest if not one.radical), NOVEL, 4)
    radical = diverse((one.smiles for one in rest if one.radical), RADICALS, 2)
    OUT.write_text(
        "".join(f"{smiles}\n" for smiles in (*first, *novel, *radical)), encoding="utf-8"
    )
    print(f"{len(first)} answered, {len(novel)} novel, {len(radical)} radicals in {OUT.name}")


def grown(draw: np.random.Generator) -> list[str]:
    """Closed shells of four and five heavy atoms, as many of each."""
    lines = (HERE / "species.smi").read_text(encoding="utf-8").splitlines()
    mols = (Chem.MolFromSmiles(line.smiles) for line in smi_lines(lines, "species.smi"))
    three = [
        Chem.MolToSmiles(mol)
        for mol in mols
        if mol is not None and mol.GetNumHeavyAtoms() == 3 and not unpaired(mol)
    ]
    four = sorted({larger for smiles in three for larger in added(smiles)})
    five = sorted({larger for smiles in some(four, 300, draw) for larger in added(smiles)})
    return four + some(five, len(four), draw)


def some(of: Iterable[str], count: int, draw: np.random.Generator) -> list[str]:
    """`count` of them, at random."""
    every = list(of)
    return [every[k] for k in draw.permutation(len(every))[:count]]


def unpaired(mol: Chem.Mol) -> int:
    """Count unpaired electrons."""
    return sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())


def added(smiles: str) -> Iterator[str]:
    """Molecules with one heavy atom more."""
    mol = Chem.MolFromSmiles(smiles)
    for atom in mol.GetAtoms():
        free = atom.GetTotalNumHs()
        bonds = [(one, Chem.BondType.SINGLE) for one in ADDED if free]
        bonds += [(one, Chem.BondType.DOUBLE) for one in DOUBLE if free > 1]
        bonds += [("N", Chem.BondType.TRIPLE)] if free > 2 and atom.GetSymbol() == "C" else []
        if atom.GetSymbol() in ("S", "P") and atom.GetTotalValence() < 4:
            bonds.append(("O", Chem.BondType.DOUBLE))
        for one, bond in bonds:
            larger = joined(mol, atom.GetIdx(), one, bond)
            if larger is not None:
                yield larger


def joined(mol: Chem.Mol, place: int, one: str, bond: Chem.BondType) -> str | None:
    """The molecule with one more atom, None where that is strange."""
    both = Chem.RWMol(Chem.CombineMols(mol, Chem.MolFromSmiles(one)))
    both.AddBond(place, both.GetNumAtoms() - 1, bond)
    for k in (place, both.GetNumAtoms() - 1):
        both.GetAtomWithIdx(k).SetNoImplicit(False)
        both.GetAtomWithIdx(k).SetNumExplicitHs(0)
    try:
        Chem.SanitizeMol(both)
    except (ValueError, Chem.rdchem.MolSanitizeException):
        return None
    if unpaired(both) or any(both.HasSubstructMatch(pattern) for pattern in STRANGE):
        return None
    return Chem.MolToSmiles(both)


def radicals(of: Iterable[str]) -> list[str]:
    """Species that have lost one hydrogen."""
    found = set()
    for smiles in of:
        mol = Chem.MolFromSmiles(smiles)
        for atom in mol.GetAtoms():
            if atom.GetTotalNumHs() and atom.GetSymbol() in ("C", "N", "O", "S"):
                less = Chem.RWMol(mol)
                it = less.GetAtomWithIdx(atom.GetIdx())
                it.SetNumExplicitHs(atom.GetTotalNumHs() - 1)
                it.SetNoImplicit(True)
                it.SetNumRadicalElectrons(1)
                Chem.SanitizeMol(less)
                found.add(Chem.MolToSmiles(less))
    return sorted(found)


def common(smiles: str) -> bool:
    """Whether at least half of it is carbon, and one atom none that QM9 has."""
    symbols = [atom.GetSymbol() for atom in Chem.MolFromSmiles(smiles).GetAtoms()]
    beyond = [one for one in symbols if one not in ("C", "N", "O", "F")]
    return len(beyond) == 1 and 2 * symbols.count("C") >= len(symbols)


def answerable(smiles: str) -> bool:
    """Whether the model may answer it: it has not seen phosphorus."""
    return "P" not in smiles and common(smiles)


def judged(pool: Iterable[str], model: Artefact) -> Iterator[Candidate]:
    """Those of which GFN2-xTB makes a geometry that nobody has computed."""
    for smiles in pool:
        try:
            state = species(smiles)
            known = key_of_smiles(state.smiles, state.charge, state.spin, "g4mp2") in shipped()
            if known or state.charge:
                continue
            lowest = conformers(state, count=1).lowest
        except (OnekcalError, RuntimeError, ValueError) as problem:
            print(f"{smiles}: {' '.join(str(problem).split())}", file=sys.stderr)
            continue
        yield Candidate(state.smiles, novelty(lowest, model), state.spin > 0)


def novelty(molecule: Molecules, model: Artefact) -> float:
    """How novel it is; infinite where the model has never seen one of its elements."""
    try:
        found = model.model.novelty(molecule)
    except InputError:
        return math.inf
    return math.inf if found is None else float(found[0])


def diverse(ordered: Iterable[str], count: int, enough: int) -> list[str]:
    """The first ones that hold a bond that fewer than `enough` before them do."""
    chosen: list[str] = []
    seen: Counter[str] = Counter()
    for smiles in ordered:
        held = set(bonds(smiles))
        if len(chosen) < count and any(seen[one] < enough for one in held):
            chosen.append(smiles)
            seen.update(held)
    return chosen


def bonds(smiles: str) -> Iterator[str]:
    """Its bonds between heavy atoms, as text; a radical's centre is an element of its own."""
    for bond in Chem.MolFromSmiles(smiles).GetBonds():
        ends = (bond.GetBeginAtom(), bond.GetEndAtom())
        names = sorted(one.GetSymbol() + "•" * one.GetNumRadicalElectrons() for one in ends)
        yield f"{bond.GetBondTypeAsDouble()} ".join(names)


if __name__ == "__main__":
    main()
