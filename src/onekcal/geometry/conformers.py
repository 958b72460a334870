"""Geometries from a SMILES: an RDKit ensemble, cleaned with MMFF and relaxed with GFN2-xTB.

Distance geometry (ETKDG v3, with a seed) embeds more conformers than are wanted. It begins with the
canonical form of the molecule, so that all spellings of a SMILES give the same geometries. MMFF94
relaxes them. Those of high energy and the copies are dropped. GFN2-xTB tells the energies of the
rest as they are, and relaxes the lowest loosely. Copies are dropped again, and the lowest few are
relaxed tightly.

MMFF94 orders conformers badly: of 24 flexible molecules of QM9, the lowest minimum of GFN2-xTB was
one of its first six for 75 %. It makes good geometries, though: with GFN2-xTB's energy there, the
lowest minimum was one of the first four for all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from onekcal.errors import InputError
from onekcal.geometry.bonds import fragments
from onekcal.geometry.canonical import canonical
from onekcal.geometry.relax import FORCE, FallsApart, Relaxation, relax
from onekcal.geometry.species import Species, species
from onekcal.io.smiles import read_smiles, with_hydrogens
from onekcal.molecules import Molecules
from onekcal.quantum.method import LabelError, Method
from onekcal.quantum.named import method
from onekcal.units import HARTREE

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
LOOSE = 0.2
"""eV/Å, the largest force on an atom of a loosely relaxed conformer."""
TIGHT_WINDOW = 1.0
"""kcal/mol above the lowest. Only loosely relaxed conformers below it are relaxed tightly.

A loosely relaxed one lies within a few tenths of its minimum.
"""
SAME_DISTANCES, SAME_ENERGY = 0.15, 0.1
"""Å and kcal/mol. Two conformers that differ by less in both are one."""


@dataclass(frozen=True)
class Conformers:
    """Relaxed conformers of one molecule, the lowest first.

    Parameters
    ----------
    molecules
        The k conformers.
    energies
        (k,) total energies of the method that relaxed them, kcal/mol.
    tight
        (k,) bool, whether a conformer was relaxed to the full tolerance and not only loosely.
    embedded
        How many conformers the ensemble began with.
    undecided
        How many stereocentres and double bonds the SMILES leaves open. Where it is not 0, the
        conformers may be stereoisomers of each other.
    """

    molecules: Molecules
    energies: np.ndarray
    tight: np.ndarray
    embedded: int
    undecided: int = (
        0  # stereocentres and double bonds the SMILES leaves open: conformers may be stereoisomers
    )

    @property
    def lowest(self) -> Molecules:
        """The lowest conformer."""
        return self.molecules[0]

    @property
    def relative(self) -> np.ndarray:
        """(k,) kcal/mol above the lowest conformer."""
        return self.energies - self.energies[0]

    @property
    def spread(self) -> float:
        """kcal/mol between the lowest and the highest conformer."""
        return float(self.relative[-1])


def conformers(
    smiles: str | Species,
    count: int = 6,
    seed: int = 0,
    how: Method | str = "gfn2",
    open_shells: bool = False,
) -> Conformers:
    """Make relaxed conformers of a molecule, the lowest first.

    Parameters
    ----------
    smiles
        One whole molecule, neutral and without unpaired electrons unless `open_shells`.
    count
        How many conformers are returned at most.
    seed
        Seed of the ensemble. The same seed gives the same geometries, however the SMILES is
        spelled; the atoms stand in the order of the spelling.
    how
        The quantum method that relaxes them, or its name.
    open_shells
        Whether radicals and ions are made too, in the ground state that `species` says.

    Returns
    -------
    Conformers
        Positions in Å and energies in kcal/mol.

    Raises
    ------
    InputError
        The SMILES cannot be used, or RDKit can make no geometry of it.
    LabelError
        No conformer could be relaxed.
    """
    if count < 1:
        raise InputError(f"`count` must be at least 1, got {count}")
    how = method(how) if isinstance(how, str) else how
    if isinstance(smiles, Species):
        state = smiles
    else:
        state = species(smiles) if open_shells else Species(smiles, parse(smiles), 0, 0)
    mol, places = canonical(state.mol)
    found, embedded = _starts(replace(state, mol=mol), count, seed)
    starts = _lowest(found, method("gfn2") if how.family == "dft" else how, count)
    tried = (_relaxed(start, how, LOOSE) for start in starts)
    loose = [relaxed for relaxed in tried if relaxed is not None]
    if not loose:
        relax(starts[0], how, LOOSE)  # every conformer failed: raise the reason of the lowest
        raise LabelError(f"no conformer of {state.smiles!r} could be relaxed with {how.name}")
    loose = _distinct(loose)
    limit = loose[0].point.energy + TIGHT_WINDOW / HARTREE
    final, tight = [], []
    for one in loose:
        better = _relaxed(one.molecule, how, FORCE) if one.point.energy <= limit else None
        final.append(better or one)
        tight.append(better is not None)
    order = np.argsort([one.point.energy for one in final], kind="stable")
    return Conformers(
        Molecules.concatenate([_reordered(final[k].molecule, places) for k in order]),
        np.array([final[k].point.energy for k in order]) * HARTREE,
        np.array(tight)[order],
        embedded,
        undecided(state.mol),
    )


def _reordered(molecule: Molecules, places: list[int]) -> Molecules:
    """The molecule whose k-th atom is the one that stood at places[k]."""
    return Molecules.one(
        molecule.numbers[places].numpy(),
        molecule.positions[places].numpy(),
        int(molecule.charges[0]),
        int(molecule.spins[0]),
        str(molecule.names[0]),
    )


def parse(smiles: str) -> Mol:
    """Return RDKit's molecule of a SMILES, with hydrogens.

    Parameters
    ----------
    smiles
        One whole molecule.

    Raises
    ------
    InputError
        The SMILES cannot be read, or the molecule is an ion or has unpaired electrons.
    """
    from rdkit import Chem

    mol = read_smiles(smiles)
    charge = Chem.GetFormalCharge(mol)
    if charge:
        raise InputError(
            f"{smiles!r} is an ion (charge {charge:+d}); "
            "only neutral molecules are done from SMILES"
        )
    radicals = sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
    if radicals:
        electrons = "1 unpaired electron" if radicals == 1 else f"{radicals} unpaired electrons"
        raise InputError(
            f"{smiles!r} is a radical ({electrons}); only closed shells are done from SMILES: "
            "give a geometry and its spin"
        )
    return with_hydrogens(mol)


def undecided(mol: Mol) -> int:
    """Count the stereocentres and double bonds that a molecule leaves open.

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


def _starts(state: Species, count: int, seed: int) -> tuple[list[Molecules], int]:
    """Return distinct conformers, `CANDIDATES` for each of `count`, and how many were embedded.

    The lowest by MMFF comes first. Where MMFF lacks a type of atom, they come as embedded.
    """
    from rdkit import rdBase
    from rdkit.Chem import rdDistGeom, rdMolDescriptors

    mol = state.mol
    polar = _polar(mol)
    rotors = rdMolDescriptors.CalcNumRotatableBonds(mol) + len(polar)
    size = mol.GetNumAtoms()
    most = min(50 * count, 100 * rotors, EMBEDDED // size)
    wanted = 1 if size <= 3 else max(3 * count, most)
    settings: Any = rdDistGeom.ETKDGv3()  # RDKit's stubs give its fields another type
    settings.randomSeed = 1 + seed % 1_000_003  # with 0 RDKit makes every conformer the same
    settings.numThreads = 1
    with rdBase.BlockLogs():
        embedded = list(rdDistGeom.EmbedMultipleConfs(mol, wanted, settings))
        if not embedded:  # strained cages: start from random coordinates
            settings.useRandomCoords = True
            settings.maxIterations = 200
            embedded = list(rdDistGeom.EmbedMultipleConfs(mol, wanted, settings))
    if not embedded:
        raise InputError(
            f"no 3-D structure could be made of {state.smiles!r} (a strained cage, an impossible "
            "stereocentre?); give a geometry instead"
        )
    there = _thinned(mol, embedded, polar)
    with rdBase.BlockLogs():
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
        sides = _sorted_distances(candidate)
        if not _among(seen, sides):
            kept.append(candidate)
            seen.append(sides)
    return kept, len(embedded)


def _polar(mol: Mol) -> list[int]:
    """Return the hydrogens on N, O and S: they may point elsewhere."""
    return [
        atom.GetIdx()
        for atom in mol.GetAtoms()
        if atom.GetAtomicNum() == 1
        and any(other.GetAtomicNum() in (7, 8, 16) for other in atom.GetNeighbors())
    ]


def _thinned(mol: Mol, embedded: list[int], polar: list[int]) -> list[int]:
    """Drop conformers whose heavy atoms and polar hydrogens lie as those of another.

    Returns the rest.
    """
    atoms = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1] + polar
    at = np.array([mol.GetConformer(k).GetPositions()[atoms] for k in embedded])
    first, second = np.triu_indices(len(atoms), 1)
    apart = np.linalg.norm(at[:, first] - at[:, second], axis=-1)  # (conformers, pairs)
    kept: list[int] = []
    for k, conformer in enumerate(embedded):
        if (np.abs(apart[kept] - apart[k]).max(-1, initial=0.0) < TURNED).any():
            mol.RemoveConformer(conformer)
        else:
            kept.append(k)
    return [embedded[k] for k in kept]


def _lowest(found: list[Molecules], how: Method, count: int) -> list[Molecules]:
    """Return the `count` conformers of lowest energy as they are."""
    if len(found) <= count:
        return found
    energies = []
    asked = how.calculation(found[0])  # each begins with the charges of the one before
    for one in found:
        try:
            energies.append(asked.at(one.positions.numpy(), gradient=False).energy)
        except LabelError:
            energies.append(np.inf)
    return [found[k] for k in np.argsort(energies, kind="stable")[:count]]


def _clean(mol: Mol, count: int) -> np.ndarray:
    """Relax conformers with MMFF in place and return their energies (kcal/mol).

    Where MMFF has no type for an atom, nothing is relaxed and the energies are 0.
    """
    from rdkit.Chem import rdForceFieldHelpers

    if mol.GetNumAtoms() < 3 or not rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
        return np.zeros(count)
    ends = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(mol, numThreads=1, maxIters=200)
    return np.array([energy for _, energy in ends])


def _relaxed(start: Molecules, how: Method, force: float) -> Relaxation | None:
    """Return a relaxed conformer, or None where it falls apart or does not converge."""
    try:
        relaxed = relax(start, how, force)
    except (FallsApart, LabelError):
        return None
    whole = fragments(start.numbers.numpy(), relaxed.molecule.positions.numpy()) == 1
    return relaxed if whole or len(start.numbers) == 1 else None


def _sorted_distances(molecule: Molecules) -> np.ndarray:
    """Distances among heavy atoms and from them to hydrogens, each sorted.

    They are equal for mirrored and renumbered copies.
    """
    positions, heavy = molecule.positions.numpy(), molecule.numbers.numpy() > 1
    apart = np.linalg.norm(positions[heavy][:, None] - positions, axis=-1)
    return np.concatenate([np.sort(apart[:, heavy], None), np.sort(apart[:, ~heavy], None)])


def _among(seen: list[np.ndarray], sides: np.ndarray) -> bool:
    """Whether one of `seen` has nearly the same sorted distances; molecules without any are one."""
    differ = np.abs(np.array(seen).reshape(len(seen), len(sides)) - sides).max(-1, initial=0.0)
    return bool((differ < SAME_DISTANCES).any())


def _distinct(relaxed: list[Relaxation]) -> list[Relaxation]:
    """Return the conformers without copies, the lowest first."""
    kept: list[Relaxation] = []
    for candidate in sorted(relaxed, key=lambda one: one.point.energy):
        sides = _sorted_distances(candidate.molecule)
        close = (
            k for k in kept if abs(k.point.energy - candidate.point.energy) * HARTREE < SAME_ENERGY
        )
        if not _among([_sorted_distances(k.molecule) for k in close], sides):
            kept.append(candidate)
    return kept
