"""Stereoisomers: what a SMILES leaves open, and which of them a geometry is.

RDKit names a stereocentre wherever one could be. Adamantane, norbornane and cubane have several by
that, and one form only. So geometries decide: `form_at` reads the stereoisomer off one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rdkit.Chem import Mol


def open_places(mol: Mol) -> int:
    """Count the stereocentres and double bonds that a molecule may leave open.

    Parameters
    ----------
    mol
        RDKit's molecule. A single stereocentre does not count: its two forms are mirror images.
    """
    from rdkit import Chem

    places = list(Chem.FindPotentialStereo(mol))
    left = [place for place in places if place.specified == Chem.StereoSpecified.Unspecified]
    mirror = len(places) == 1 and places[0].type == Chem.StereoType.Atom_Tetrahedral
    return 0 if mirror else len(left)


def specified(mol: Mol) -> bool:
    """Whether a molecule says how any stereocentre or double bond of it is.

    Parameters
    ----------
    mol
        RDKit's molecule.
    """
    from rdkit import Chem

    says = Chem.StereoSpecified.Specified
    return any(place.specified == says for place in Chem.FindPotentialStereo(mol))


def form_at(mol: Mol, positions: np.ndarray) -> str:
    """Return the SMILES of the stereoisomer that a geometry is, the same for its mirror image.

    What a geometry can leave by inversion of a nitrogen does not count.

    Parameters
    ----------
    mol
        RDKit's molecule, with hydrogens.
    positions
        (n, 3) Å.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        bare = Chem.RemoveHs(_placed(mol, positions))
        both = (bare, _mirrored(bare))
        return max(Chem.CanonSmiles(Chem.MolToSmiles(one)) for one in both)


def handedness(mol: Mol, positions: np.ndarray) -> int:
    """Compare a geometry with the stereochemistry that a molecule specifies.

    Parameters
    ----------
    mol
        RDKit's molecule, with hydrogens.
    positions
        (n, 3) Å.

    Returns
    -------
    int
        1 where the geometry has it, -1 where the mirror image has it, else 0.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        bare, wanted = Chem.RemoveHs(_placed(mol, positions)), Chem.RemoveHs(mol)
        if bare.HasSubstructMatch(wanted, useChirality=True):
            return 1
        return -1 if _mirrored(bare).HasSubstructMatch(wanted, useChirality=True) else 0


def _placed(mol: Mol, positions: np.ndarray) -> Mol:
    """The molecule at a geometry, with the stereochemistry of the geometry."""
    from rdkit import Chem
    from rdkit.Geometry import Point3D

    placed = Chem.Mol(mol)
    placed.RemoveAllConformers()
    shape = Chem.Conformer(mol.GetNumAtoms())
    for k, (x, y, z) in enumerate(positions.tolist()):
        shape.SetAtomPosition(k, Point3D(x, y, z))
    placed.AddConformer(shape)
    Chem.AssignStereochemistryFrom3D(placed, -1, True)
    return placed


def _mirrored(mol: Mol) -> Mol:
    from rdkit import Chem

    other = Chem.Mol(mol)
    for atom in other.GetAtoms():
        atom.InvertChirality()
    return other
