"""Geometries of a molecule as distance geometry and MMFF94 know them, before any quantum method.

Most conformers come from ETKDG v3, with a seed. It prefers what crystals prefer, and draws at
random. Two kinds of shapes that it seldom or never makes are added:

- hydroxyl groups of acids that turn away from their own C=O, as in oxalic acid,
- the stretched chain, which is one of 3ⁿ.

MMFF94 relaxes them. Those of high energy and the copies are dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from onekcal.errors import InputError
from onekcal.geometry.species import Species
from onekcal.geometry.stereo import form_at, handedness, open_places, specified
from onekcal.molecules import Molecules

if TYPE_CHECKING:
    from rdkit.Chem import Mol

EMBEDDED = 9000
"""Atoms in all embedded conformers together. Of a large molecule there are fewer, but three at
least for each that is returned.
"""
TURNED = 0.25
"""Å by which a distance must differ between two embedded conformers; of others, one is kept."""
MMFF_WINDOW = 12.0
"""kcal/mol above the lowest by MMFF. Conformers above it are dropped.

MMFF is wrong by a few kcal/mol.
"""
CANDIDATES = 10
"""Conformers whose energy is asked for each that is relaxed."""
SAME_DISTANCES = 0.15
"""Å. The sorted distances of two conformers that are one differ by less."""
OPEN = 4
"""So many times as many conformers are embedded where most are of other stereoisomers."""
FLIPPED = 2
"""How many hydroxyl groups of acids are turned at most."""
STRETCHED = 3
"""Molecules with as many rotatable bonds get a stretched conformer."""


def ensemble(state: Species, count: int, seed: int) -> tuple[list[Molecules], list[str], int]:
    """Make distinct geometries of a molecule, the lowest by MMFF94 first.

    Parameters
    ----------
    state
        The molecule, in canonical form.
    count
        How many conformers are wanted in the end; `CANDIDATES` times as many are returned at most.
    seed
        Seed of the ensemble.

    Returns
    -------
    tuple
        The geometries (Å); the stereoisomers that these are, each once, where the SMILES leaves
        some open; and how many geometries were embedded. Where MMFF94 lacks a type of atom, they
        come as embedded.

    Raises
    ------
    InputError
        RDKit can make no geometry of it.
    """
    mol = state.mol
    there, embedded = _embedded(mol, count, 1 + seed % 1_000_003)
    if not there:
        raise InputError(
            f"no 3-D structure could be made of {state.smiles!r} (a strained cage, an impossible "
            "stereocentre?); give a geometry instead"
        )
    energies = _clean(mol, len(there))
    order = np.argsort(energies, kind="stable")
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    kept: list[Molecules] = []
    seen: list[np.ndarray] = []
    for k in order:
        if energies[k] > energies[order[0]] + MMFF_WINDOW or len(kept) == CANDIDATES * count:
            break
        positions = mol.GetConformer(there[k]).GetPositions()
        candidate = Molecules.one(
            numbers, positions, state.charge, state.spin, state.smiles.strip()
        )
        sides = sorted_distances(candidate)
        if not among(seen, sides):
            kept.append(candidate)
            seen.append(sides)
    forms = [form_at(mol, one.positions.numpy()) for one in kept] if open_places(mol) else []
    return kept, list(dict.fromkeys(forms)), embedded


def _embedded(mol: Mol, count: int, seed: int) -> tuple[list[int], int]:
    """Give a molecule its conformers, without copies; return their numbers, and how many were
    embedded.
    """
    from rdkit import rdBase
    from rdkit.Chem import rdMolDescriptors

    polar = polar_hydrogens(mol)
    rotors = rdMolDescriptors.CalcNumRotatableBonds(mol)
    freedom = rotors + len(polar) + _loose_rings(mol)
    size = mol.GetNumAtoms()
    most = min(50 * count, 100 * freedom, EMBEDDED // size)
    wanted = 1 if size <= 3 else max(3 * count, most)
    with rdBase.BlockLogs():
        made = _as_specified(mol, wanted, seed) if specified(mol) else _embed(mol, wanted, seed)
        if not made:  # a strained cage: start from random coordinates
            few = min(wanted, 3 * count)  # each takes some tenths of a second
            made = _embed(mol, few, seed, useRandomCoords=True, maxIterations=200)
    if not made:
        return [], 0
    found = _flipped(mol, thinned(mol, made, polar))
    if rotors >= STRETCHED:
        found.append(_stretched(mol, found[0]))
    return found, len(made)


def _embed(mol: Mol, wanted: int, seed: int, **settings: Any) -> list[int]:
    """Give a molecule conformers by ETKDG; return their numbers."""
    from rdkit.Chem import rdDistGeom

    how: Any = rdDistGeom.ETKDGv3()  # RDKit's stubs give its fields another type
    how.randomSeed = seed  # with 0 RDKit makes every conformer the same
    how.numThreads = 1
    for name, value in settings.items():
        setattr(how, name, value)
    if rdDistGeom.EmbedMolecule(mol, how) < 0:
        return []
    return list(rdDistGeom.EmbedMultipleConfs(mol, wanted, how))


def _as_specified(mol: Mol, wanted: int, seed: int) -> list[int]:
    """Give a molecule conformers with the stereochemistry that it specifies.

    ETKDG rejects nearly all geometries of small fused rings where it compares their stereocentres
    strictly. So it does not, and the geometries are compared afterwards; where none is right, those
    of the molecule without stereochemistry are.
    """
    from rdkit import Chem

    open_mol = Chem.Mol(mol)
    Chem.RemoveStereochemistry(open_mol)
    sources: Sequence[tuple[Mol, int, dict[str, Any]]] = (
        (mol, wanted, {"enforceChirality": False}),
        (open_mol, OPEN * wanted, {}),
    )
    for source, number, settings in sources:
        shapes = [source.GetConformer(k) for k in _embed(source, number, seed, **settings)]
        right = []
        for shape in shapes:
            hand = handedness(mol, shape.GetPositions())
            if hand:
                copy = Chem.Conformer(shape)
                copy.SetPositions(hand * shape.GetPositions())
                right.append(copy)
        if right:
            mol.RemoveAllConformers()
            return [mol.AddConformer(one, assignId=True) for one in right]
    return []


def _loose_rings(mol: Mol) -> int:
    """Count how much freer than cyclopentane the saturated rings are: cyclohexane by 1."""
    from rdkit import Chem

    rings = mol.GetRingInfo().AtomRings()
    atoms = [[mol.GetAtomWithIdx(k) for k in ring] for ring in rings]
    sp3 = Chem.HybridizationType.SP3
    return sum(max(0, sum(a.GetHybridization() == sp3 for a in ring) - 5) for ring in atoms)


def _flipped(mol: Mol, shapes: list[int]) -> list[int]:
    """Add each conformer with the hydrogens of acids and enols on the other side."""
    from rdkit.Chem import MolFromSmarts, rdMolTransforms

    acid = MolFromSmarts("[#1]-[O,S;X2]-[#6X3]=[!#6,#6X3]")
    turns = {match[:3]: match for match in mol.GetSubstructMatches(acid)}  # one for each hydrogen
    for a, b, c, d in list(turns.values())[:FLIPPED]:
        for k in list(shapes):
            new = mol.AddConformer(mol.GetConformer(k), assignId=True)
            shape = mol.GetConformer(new)
            angle = rdMolTransforms.GetDihedralDeg(shape, d, c, b, a)
            rdMolTransforms.SetDihedralDeg(shape, d, c, b, a, angle + 180.0)
            shapes.append(new)
    return shapes


def _stretched(mol: Mol, model: int) -> int:
    """Add a conformer whose chain bonds are all anti; return its number."""
    from rdkit import Chem
    from rdkit.Chem import rdMolTransforms

    shape = Chem.Conformer(mol.GetConformer(model))
    single = Chem.MolFromSmarts("[!$(*#*)&!D1]-&!@[!$(*#*)&!D1]")
    for b, c in mol.GetSubstructMatches(single):
        a, d = _longest(mol, b, c), _longest(mol, c, b)
        if a is not None and d is not None:
            rdMolTransforms.SetDihedralDeg(shape, a, b, c, d, 180.0)
    return mol.AddConformer(shape, assignId=True)


def _longest(mol: Mol, atom: int, without: int) -> int | None:
    """The neighbour of an atom with the longest path to a heavy atom behind it, or any hydrogen."""
    best: tuple[int, int] | None = None
    for neighbour in mol.GetAtomWithIdx(atom).GetNeighbors():
        k = neighbour.GetIdx()
        if k == without:
            continue
        depth, layer, seen = 0, {k}, {atom, k}
        while layer and neighbour.GetAtomicNum() > 1:
            depth += 1
            layer = {
                other.GetIdx()
                for one in layer
                for other in mol.GetAtomWithIdx(one).GetNeighbors()
                if other.GetAtomicNum() > 1
            } - seen
            seen |= layer
        if best is None or depth > best[0]:
            best = depth, k
    return None if best is None else best[1]


def polar_hydrogens(mol: Mol) -> list[int]:
    """Return the hydrogens on N, O and S: they may point elsewhere.

    Parameters
    ----------
    mol
        RDKit's molecule, with hydrogens.
    """
    return [
        atom.GetIdx()
        for atom in mol.GetAtoms()
        if atom.GetAtomicNum() == 1
        and any(other.GetAtomicNum() in (7, 8, 16) for other in atom.GetNeighbors())
    ]


def thinned(mol: Mol, embedded: list[int], polar: list[int]) -> list[int]:
    """Drop conformers whose heavy atoms and polar hydrogens lie as those of another.

    Stereoisomers that a SMILES leaves open may differ in nothing but a hydrogen on carbon, and are
    no copies of each other.

    Parameters
    ----------
    mol
        RDKit's molecule; it loses those conformers.
    embedded
        Numbers of its conformers.
    polar
        Its polar hydrogens.

    Returns
    -------
    list of int
        Numbers of the conformers that are left.
    """
    atoms = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1] + polar
    at = np.array([mol.GetConformer(k).GetPositions()[atoms] for k in embedded])
    first, second = np.triu_indices(len(atoms), 1)
    apart = np.linalg.norm(at[:, first] - at[:, second], axis=-1)  # (conformers, pairs)
    forms = [""] * len(embedded)
    if open_places(mol):
        forms = [form_at(mol, mol.GetConformer(k).GetPositions()) for k in embedded]
    kept: dict[str, list[int]] = defaultdict(list)
    for k, (conformer, form) in enumerate(zip(embedded, forms)):
        if (np.abs(apart[kept[form]] - apart[k]).max(-1, initial=0.0) < TURNED).any():
            mol.RemoveConformer(conformer)
        else:
            kept[form].append(k)
    return [embedded[k] for k in sorted(chain.from_iterable(kept.values()))]


def _clean(mol: Mol, count: int) -> np.ndarray:
    """Relax conformers with MMFF in place and return their energies (kcal/mol).

    Where MMFF has no type for an atom, nothing is relaxed and the energies are 0.
    """
    from rdkit import rdBase
    from rdkit.Chem import rdForceFieldHelpers

    with rdBase.BlockLogs():
        if mol.GetNumAtoms() < 3 or not rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
            return np.zeros(count)
        ends = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(mol, numThreads=1, maxIters=200)
    return np.array([energy for _, energy in ends])


def sorted_distances(molecule: Molecules) -> np.ndarray:
    """Distances among heavy atoms and from them to hydrogens, each sorted.

    They are equal for mirrored and renumbered copies.

    Parameters
    ----------
    molecule
        One molecule (Å).
    """
    positions, heavy = molecule.positions.numpy(), molecule.numbers.numpy() > 1
    apart = np.linalg.norm(positions[heavy][:, None] - positions, axis=-1)
    return np.concatenate([np.sort(apart[:, heavy], None), np.sort(apart[:, ~heavy], None)])


def among(seen: list[np.ndarray], sides: np.ndarray) -> bool:
    """Whether one of `seen` has nearly the same sorted distances; molecules without any are one.

    Parameters
    ----------
    seen
        Sorted distances (Å) of some conformers.
    sides
        Those of another.
    """
    differ = np.abs(np.array(seen).reshape(len(seen), len(sides)) - sides).max(-1, initial=0.0)
    return bool((differ < SAME_DISTANCES).any())
