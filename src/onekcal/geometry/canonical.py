"""The canonical form of a molecule: the same for every spelling of its SMILES.

An ensemble of conformers depends on the order of atoms and bonds. So it is made of the canonical
form, and its atoms are put back into the order of the spelling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdkit.Chem import Mol


def canonical(mol: Mol) -> tuple[Mol, list[int]]:
    """Return a molecule in canonical order, and where each of its atoms went.

    Stereochemistry, isotopes, charges and unpaired electrons are kept. Numbers of atom maps are
    not: they are no property of the molecule.

    Parameters
    ----------
    mol
        RDKit's molecule, with hydrogens.

    Returns
    -------
    tuple
        The molecule that RDKit reads from the canonical SMILES, with hydrogens; and for each atom
        of `mol` its number there.
    """
    from rdkit import Chem, rdBase

    marked = Chem.Mol(mol)
    for atom in marked.GetAtoms():
        atom.SetAtomMapNum(0)
        atom.SetIntProp("_spelled", atom.GetIdx())
    with rdBase.BlockLogs():  # H2 keeps its hydrogens, and RDKit would say so each time
        bare = Chem.RemoveHs(marked)
        text = Chem.MolToSmiles(bare)
        ordered = Chem.MolFromSmiles(text)
    assert ordered is not None
    assert ordered.GetNumAtoms() == bare.GetNumAtoms()
    whole = Chem.AddHs(ordered)
    spelled = [atom.GetIntProp("_spelled") for atom in bare.GetAtoms()]
    written = bare.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"]
    places = {spelled[old]: new for new, old in enumerate(written)}
    for here, there in list(places.items()):
        left = [atom.GetIdx() for atom in mol.GetAtomWithIdx(here).GetNeighbors()]
        added = [atom.GetIdx() for atom in whole.GetAtomWithIdx(there).GetNeighbors()]
        places |= zip(
            (k for k in sorted(left) if k not in places),
            (k for k in sorted(added) if k >= ordered.GetNumAtoms()),
            strict=True,
        )
    return whole, [places[k] for k in range(mol.GetNumAtoms())]
