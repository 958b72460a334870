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
    from rdkit.Geometry import Point3D

    placed = Chem.Mol(mol)
    placed.RemoveAllConformers()
    shape = Chem.Conformer(mol.GetNumAtoms())
    for k, (x, y, z) in enumerate(positions.tolist()):
        shape.SetAtomPosition(k, Point3D(x, y, z))
    placed.AddConformer(shape)
    Chem.AssignStereochemistryFrom3D(placed, -1, True)
    with rdBase.BlockLogs():
        bare = Chem.RemoveHs(placed)
        mirrored = Chem.Mol(bare)
        for atom in mirrored.GetAtoms():
            atom.InvertChirality()
        return max(Chem.CanonSmiles(Chem.MolToSmiles(one)) for one in (bare, mirrored))
