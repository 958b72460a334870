"""What a SMILES says of charge and spin: one molecule, radical, ion or atom in its ground state.

A SMILES names the unpaired electrons of each atom, not how they couple. The rule here:

- atoms have the spin of their ground state;
- one atom of a molecule with three or more of them keeps one (CH, SiH, CF);
- a carbon or silicon with two pairs them where a halogen, oxygen, nitrogen or silicon is its
  neighbour, and silicon always (CF2, SiH2); otherwise it is a triplet (CH2);
- on different atoms they are parallel;
- O2, S2 and SO are triplets, although O=O has none unpaired, and [O][O] is the same molecule;
- an unpaired electron beside opposite charges has a form without charges: O=[N+][O-] is [O]N=O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from onekcal.energies import SPINS
from onekcal.errors import InputError
from onekcal.io.smiles import read_smiles
from onekcal.molecules import Molecules

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Mol

TRIPLETS = {"O=O": 2, "S=S": 2, "O=S": 2}
"""Unpaired electrons of molecules whose SMILES shows none, by canonical SMILES."""
SPELLINGS = {"[O][O]": "O=O", "[S][S]": "S=S", "[O][S]": "O=S", "[C]=O": "[C-]#[O+]"}
"""Other ways to write a molecule, canonical → the one that is its key."""
SINGLETS = ("[C]=[C]", "[C]#[C]")
"""Molecules without unpaired electrons whose SMILES shows some."""


@dataclass(frozen=True)
class Species:
    """One molecule, radical, ion or atom.

    Parameters
    ----------
    smiles
        Canonical.
    mol
        RDKit's molecule, with hydrogens.
    charge, spin
        Total charge (e) and unpaired electrons.
    """

    smiles: str
    mol: Mol
    charge: int
    spin: int

    def nuclei(self, name: str = "") -> Molecules:
        """Return the nuclei with charge and spin; all positions are 0.

        Parameters
        ----------
        name
            What messages call the molecule.
        """
        numbers = [atom.GetAtomicNum() for atom in self.mol.GetAtoms()]
        nowhere = [[0.0, 0.0, 0.0]] * len(numbers)
        return Molecules.one(numbers, nowhere, self.charge, self.spin, name)


def species(smiles: str) -> Species:
    """Read a SMILES with its charge and the spin of its ground state.

    Parameters
    ----------
    smiles
        One molecule, radical, ion or atom.

    Raises
    ------
    InputError
        The SMILES cannot be read, or names isotopes.
    """
    from rdkit import Chem, rdBase

    mol = _without_charges(read_smiles(smiles))
    if any(atom.GetIsotope() for atom in mol.GetAtoms()):
        raise InputError(
            f"{smiles!r} names isotopes, but energies hold the zero-point energy of the most "
            "abundant ones; leave the mass numbers out to get the answer for those"
        )
    with rdBase.BlockLogs():  # H and H2 keep their hydrogens, and RDKit would say so each time
        canonical = Chem.MolToSmiles(Chem.RemoveHs(mol))
    if canonical in SPELLINGS:
        return species(SPELLINGS[canonical])
    charge = Chem.GetFormalCharge(mol)
    whole = Chem.AddHs(mol)
    electrons = sum(atom.GetAtomicNum() for atom in whole.GetAtoms()) - charge
    if electrons < (0 if canonical == "[H+]" else 1):
        raise InputError(f"{smiles!r} has no electrons")
    return Species(canonical, whole, charge, _spin(whole, canonical, charge, electrons))


def _without_charges(mol: Mol) -> Mol:
    """Let X⁺•–Y⁻ be X–Y•."""
    from rdkit import Chem

    for bond in mol.GetBonds():
        ends = bond.GetBeginAtom(), bond.GetEndAtom()
        plus, minus = sorted(ends, key=lambda atom: atom.GetFormalCharge(), reverse=True)
        charges = plus.GetFormalCharge(), minus.GetFormalCharge()
        if charges == (1, -1) and plus.GetNumRadicalElectrons():
            for atom, electrons in ((plus, -1), (minus, 1)):
                atom.SetFormalCharge(0)
                atom.SetNumRadicalElectrons(atom.GetNumRadicalElectrons() + electrons)
                atom.SetNoImplicit(True)
            return read_smiles(Chem.MolToSmiles(mol))
    return mol


def _spin(mol: Mol, canonical: str, charge: int, electrons: int) -> int:
    if mol.GetNumAtoms() == 1:
        isoelectronic = mol.GetAtomWithIdx(0).GetAtomicNum() - charge
        return SPINS.get(isoelectronic, electrons % 2)
    if canonical in SINGLETS:
        return 0
    spin = TRIPLETS.get(canonical, sum(_unpaired(atom) for atom in mol.GetAtoms()))
    return spin if (spin - electrons) % 2 == 0 else electrons % 2


def _unpaired(atom: Atom) -> int:
    """The unpaired electrons of one atom of a molecule."""
    count = atom.GetNumRadicalElectrons()
    if count >= 3:
        return count % 2
    if count == 2 and atom.GetSymbol() in ("C", "Si"):
        near = {other.GetSymbol() for other in atom.GetNeighbors()}
        return 0 if atom.GetSymbol() == "Si" or near - {"H", "C"} else 2
    return int(count)
