r"""Bond separations: a molecule as a sum of small ones with the same bonds.

The connectivity-based hierarchy (Sengupta & Raghavachari, J. Chem. Phys. 134, 114108, 2011) writes
a molecule M as small molecules, which are its pieces with hydrogen at each cut:

    rung 1   M ≈ Σ_bonds b  −  Σ_atoms (d − 1) a                    (bond separation, isodesmic)
    rung 2   M ≈ Σ_atoms (a with its neighbours)  −  Σ_bonds b      (hypohomodesmotic)

a is a heavy atom, b a bond between two of them, and d the number of heavy neighbours of an atom.
M and the pieces with a minus sign stand on one side of a reaction, the others on the other side.
Both sides have the same bonds (rung 1) or atoms with the same neighbours (rung 2). So errors that
belong to a bond or to an atom with its neighbours cancel.

Rings are cut open like chains. Aromatic ones are written with alternating bonds (Kekulé) first. A
group with formal charges, such as NO₂, stays whole and counts as one atom. Unpaired electrons stay
on their atom.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from onekcal.errors import InputError
from onekcal.geometry.species import species
from onekcal.prediction.balance import missing

if TYPE_CHECKING:
    from rdkit.Chem import Bond, Mol

HierarchyRung = Literal[1, 2]
NAMES: dict[HierarchyRung, str] = {1: "bond separation", 2: "neighbour separation"}
"""What the rungs of the hierarchy are called."""


@dataclass(frozen=True)
class Separation:
    """A molecule as a sum of others.

    Parameters
    ----------
    smiles
        The molecule.
    rung
        1 keeps bonds, 2 atoms with their neighbours.
    partners
        Canonical SMILES → how often it is counted; negative for those on the molecule's side.
    """

    smiles: str
    rung: HierarchyRung
    partners: dict[str, int]

    def __str__(self) -> str:
        left = {self.smiles: 1} | {key: -n for key, n in self.partners.items() if n < 0}
        right = {key: n for key, n in self.partners.items() if n > 0}
        return " >> ".join(
            " + ".join(key if n == 1 else f"{n} {key}" for key, n in side.items())
            for side in (left, right)
        )


def separations(smiles: str) -> list[Separation]:
    """Write a molecule as sums of smaller ones, the highest rung of the hierarchy first.

    Parameters
    ----------
    smiles
        One molecule or radical.

    Returns
    -------
    list
        Those rungs whose pieces are all smaller than the molecule.

    Raises
    ------
    InputError
        The SMILES cannot be read, is an ion, or has no bond to separate.
    """
    state = species(smiles)
    if state.charge:
        raise InputError(f"{smiles!r} is an ion; bonds are separated in neutral molecules only")
    graph = _Graph(state.mol)
    if not graph.cuts:
        raise InputError(f"{smiles!r} has no bond between heavy atoms that could be separated")
    found = []
    pieces: dict[HierarchyRung, Counter[str]] = {2: graph.neighbours(), 1: graph.bonds()}
    for rung, partners in pieces.items():
        partners = Counter({key: n for key, n in partners.items() if n})
        if graph.flat not in partners:
            found.append(Separation(state.smiles, rung, _checked(state.smiles, partners)))
    if not found:
        raise InputError(f"{smiles!r} is as small as the pieces of a bond separation")
    return found


def _checked(smiles: str, partners: Counter[str]) -> dict[str, int]:
    """The partners, once the elements and the charge are found to balance."""
    order = sorted(partners, key=lambda key: (partners[key] > 0, -len(key), key))
    sides = [key for key in order if partners[key] < 0], [key for key in order if partners[key] > 0]
    texts = [smiles, *sides[0], *sides[1]]
    lack = missing(
        [species(text).nuclei() for text in texts],
        1 + len(sides[0]),
        [Fraction(1), *(Fraction(abs(partners[key])) for key in (*sides[0], *sides[1]))],
    )
    assert not lack, f"a bond separation of {smiles} that does not balance: {lack}"
    return {key: partners[key] for key in order}


class _Graph:
    """Heavy atoms, or groups that stay whole, and the bonds between them."""

    def __init__(self, mol: Mol) -> None:
        from rdkit import Chem, rdBase

        with rdBase.BlockLogs():
            heavy = Chem.RemoveHs(mol)
        Chem.RemoveStereochemistry(heavy)
        self.flat = species(Chem.MolToSmiles(heavy)).smiles
        Chem.Kekulize(heavy, clearAromaticFlags=True)
        self.mol = heavy
        self.group = _groups(heavy)
        self.cuts: list[Bond] = [
            bond
            for bond in heavy.GetBonds()
            if self.group[bond.GetBeginAtomIdx()] != self.group[bond.GetEndAtomIdx()]
        ]

    def bonds(self) -> Counter[str]:
        """Rung 1."""
        return self._total(
            ([bond.GetIdx()] for bond in self.cuts),
            (([], group, len(self._near(group)) - 1) for group in set(self.group)),
        )

    def neighbours(self) -> Counter[str]:
        """Rung 2."""
        return self._total(
            ([bond.GetIdx() for bond in self._near(group)] for group in set(self.group)),
            (([bond.GetIdx()], -1, 1) for bond in self.cuts),
        )

    def _near(self, group: int) -> list[Bond]:
        """The bonds that leave a group."""
        return [bond for bond in self.cuts if group in self._ends(bond)]

    def _ends(self, bond: Bond) -> tuple[int, int]:
        return self.group[bond.GetBeginAtomIdx()], self.group[bond.GetEndAtomIdx()]

    def _total(
        self, more: Iterable[list[int]], less: Iterable[tuple[list[int], int, int]]
    ) -> Counter[str]:
        """Pieces that are added (by their bonds), and that are taken off (bonds, group, number)."""
        counts: Counter[str] = Counter()
        for bonds in more:
            counts[self._piece(bonds)] += 1
        for bonds, group, number in less:
            if number:
                counts[self._piece(bonds, group)] -= number
        return counts

    def _piece(self, bonds: list[int], group: int = -1) -> str:
        """The canonical SMILES of the groups that some bonds join, with hydrogen at each cut."""
        from rdkit import Chem

        inside = {k for bond in bonds for k in self._ends(self.mol.GetBondWithIdx(bond))} | {group}
        atoms = [k for k, one in enumerate(self.group) if one in inside]
        piece = Chem.RWMol(self.mol)
        for bond in self.cuts:
            if bond.GetIdx() not in bonds:
                ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
                piece.RemoveBond(*ends)
                for end in ends:
                    atom = piece.GetAtomWithIdx(end)
                    atom.SetNumExplicitHs(atom.GetTotalNumHs() + int(bond.GetBondTypeAsDouble()))
                    atom.SetNoImplicit(True)
        for k in sorted(set(range(piece.GetNumAtoms())) - set(atoms), reverse=True):
            piece.RemoveAtom(k)
        Chem.SanitizeMol(piece)
        return species(Chem.MolToSmiles(piece)).smiles


def _groups(mol: Mol) -> list[int]:
    """A number for each heavy atom; atoms of a group that stays whole share it."""
    group = list(range(mol.GetNumAtoms()))
    for bond in mol.GetBonds():
        a, b = bond.GetBeginAtom(), bond.GetEndAtom()
        charges = bool(a.GetFormalCharge()) + bool(b.GetFormalCharge())
        if charges == 2 or (charges and bond.GetBondTypeAsDouble() > 1):
            old, new = group[a.GetIdx()], group[b.GetIdx()]
            group = [new if one == old else one for one in group]
    return group
