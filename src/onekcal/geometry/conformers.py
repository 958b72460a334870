"""From a SMILES to geometries: an RDKit ensemble, cleaned with MMFF, relaxed with GFN2-xTB, lowest
first.

Distance geometry (ETKDG v3, seeded) embeds more conformers than are wanted; MMFF94 relaxes them,
the high ones and the copies are dropped; GFN2-xTB relaxes the rest loosely, drops copies again, and
the lowest few tightly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from onekcal.errors import InputError
from onekcal.geometry.bonds import fragments
from onekcal.geometry.relax import FORCE, FallsApart, Relaxation, relax
from onekcal.io.smiles import read_smiles
from onekcal.molecules import Molecules
from onekcal.quantum.method import LabelError, Method
from onekcal.quantum.named import method
from onekcal.units import HARTREE

if TYPE_CHECKING:
    from rdkit.Chem import Mol

MMFF_WINDOW = 8.0
"""kcal/mol above the lowest, by MMFF; beyond, a conformer is not looked at. MMFF is off by a few
kcal/mol.
"""
LOOSE = 0.2
"""eV/Å; where conformers are compared before the lowest are relaxed tightly."""
TIGHT_WINDOW = 1.0
"""kcal/mol above the lowest, loosely relaxed; beyond, a conformer is not relaxed further (a loose
one lies within a few tenths of its minimum).
"""
SAME_DISTANCES, SAME_ENERGY = 0.15, 0.1
"""Å and kcal/mol; nearer than both, two conformers are one."""


@dataclass(frozen=True)
class Conformers:
    """Relaxed conformers of one molecule, lowest first."""

    molecules: Molecules  # (conformers,)
    energies: np.ndarray  # (conformers,) GFN2 totals, kcal/mol
    tight: np.ndarray  # (conformers,) bool: relaxed to the full tolerance, not only loosely
    embedded: int  # conformers the ensemble began with
    undecided: int = (
        0  # stereocentres and double bonds the SMILES leaves open: conformers may be stereoisomers
    )

    @property
    def lowest(self) -> Molecules:
        """The lowest conformer."""
        return self.molecules[0]

    @property
    def relative(self) -> np.ndarray:
        """(conformers,) kcal/mol above the lowest."""
        return self.energies - self.energies[0]

    @property
    def spread(self) -> float:
        """kcal/mol between the lowest and the highest of those kept."""
        return float(self.relative[-1])


def conformers(
    smiles: str, count: int = 6, seed: int = 0, how: Method | str = "gfn2"
) -> Conformers:
    """At most `count` relaxed conformers of a SMILES, lowest first; the same `seed` gives the same
    geometries.
    """
    if count < 1:
        raise InputError(f"`count` must be at least 1, got {count}")
    how = method(how) if isinstance(how, str) else how
    mol = parse(smiles)
    starts, embedded = _starts(mol, smiles, count, seed)
    loose = [found for start in starts if (found := _relaxed(start, how, LOOSE)) is not None]
    if not loose:
        relax(starts[0], how, LOOSE)  # every conformer fell apart: say how the lowest did
        raise LabelError(f"no conformer of {smiles!r} could be relaxed with {how.name}")
    loose = _distinct(loose)
    limit = loose[0].point.energy + TIGHT_WINDOW / HARTREE
    final, tight = [], []
    for found in loose:
        better = _relaxed(found.molecule, how, FORCE) if found.point.energy <= limit else None
        final.append(better or found)
        tight.append(better is not None)
    order = np.argsort([found.point.energy for found in final], kind="stable")
    return Conformers(
        Molecules.concatenate([final[k].molecule for k in order]),
        np.array([final[k].point.energy for k in order]) * HARTREE,
        np.array(tight)[order],
        embedded,
        undecided(mol),
    )


def parse(smiles: str) -> Mol:
    """Return RDKit's molecule with hydrogens; refuse ions and open shells.

    Parameters
    ----------
    smiles
        One whole molecule.
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
    return Chem.AddHs(mol)


def undecided(mol: Any) -> int:
    """How many stereocentres and double bonds are left open; none where that leaves nothing but
    mirror images.
    """
    from rdkit import Chem

    found = list(Chem.FindPotentialStereo(mol))
    left = [each for each in found if each.specified == Chem.StereoSpecified.Unspecified]
    mirror = len(found) == 1 and found[0].type == Chem.StereoType.Atom_Tetrahedral
    return 0 if mirror else len(left)


class _quiet:
    """RDKit's messages on standard error off, and on again."""

    def __init__(self, logger: Any) -> None:
        self.logger = logger

    def __enter__(self) -> None:
        self.logger.DisableLog("rdApp.*")

    def __exit__(self, *_: object) -> None:
        self.logger.EnableLog("rdApp.error")


def _starts(mol: Any, smiles: str, count: int, seed: int) -> tuple[list[Molecules], int]:
    """At most `count` distinct conformers, lowest first by MMFF (as embedded where MMFF lacks a
    type).
    """
    from rdkit import RDLogger
    from rdkit.Chem import AllChem, rdDistGeom, rdMolDescriptors

    rotors = rdMolDescriptors.CalcNumRotatableBonds(mol)
    wanted = (
        1 if mol.GetNumAtoms() <= 3 else max(3 * count, min(10 * count, 6 * rotors))
    )  # cheap beside GFN2
    settings: Any = rdDistGeom.ETKDGv3()
    settings.randomSeed = 1 + seed % 1_000_003  # with 0 RDKit makes every conformer the same
    settings.numThreads = 1
    with _quiet(RDLogger):
        found = list(rdDistGeom.EmbedMultipleConfs(mol, wanted, settings))
        if not found:  # strained cages: start from random coordinates
            settings.useRandomCoords = True
            settings.maxIterations = 200
            found = list(rdDistGeom.EmbedMultipleConfs(mol, wanted, settings))
    if not found:
        raise InputError(
            f"no 3-D structure could be made of {smiles!r} (a strained cage, an impossible "
            "stereocentre?); give a geometry instead"
        )
    with _quiet(RDLogger):
        energies = _clean(AllChem, mol, len(found))
    order = np.argsort(energies, kind="stable")
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    kept: list[Molecules] = []
    for k in order:
        if energies[k] > energies[order[0]] + MMFF_WINDOW or len(kept) == count:
            break
        positions = mol.GetConformer(found[k]).GetPositions()
        candidate = Molecules.one(numbers, positions, name=smiles.strip())
        if not any(_alike(candidate, other) for other in kept):
            kept.append(candidate)
    return kept, len(found)


def _clean(AllChem: Any, mol: Any, count: int) -> np.ndarray:
    """MMFF energies (kcal/mol) after relaxation, in place; zeros where MMFF has no type for an
    atom.
    """
    if mol.GetNumAtoms() < 3 or not AllChem.MMFFHasAllMoleculeParams(mol):
        return np.zeros(count)
    return np.array(
        [energy for _, energy in AllChem.MMFFOptimizeMoleculeConfs(mol, numThreads=1, maxIters=200)]
    )


def _relaxed(start: Molecules, how: Method, force: float) -> Relaxation | None:
    """Relaxed, or None where this conformer falls apart, splits or does not converge."""
    try:
        found = relax(start, how, force)
    except (FallsApart, LabelError):
        return None
    whole = fragments(start.numbers.numpy(), found.molecule.positions.numpy()) == 1
    return found if whole or len(start.numbers) == 1 else None


def _sorted_distances(molecule: Molecules) -> torch.Tensor:
    """Distances of heavy atoms and of heavy atoms to hydrogens, each sorted: the same for mirrored
    or renumbered copies.
    """
    apart = torch.cdist(molecule.positions, molecule.positions)
    heavy = molecule.numbers > 1
    among = apart[heavy][:, heavy].flatten().sort().values
    rest = apart[heavy][:, ~heavy].flatten().sort().values
    return torch.cat([among, rest])


def _alike(one: Molecules, other: Molecules) -> bool:
    return (
        float((_sorted_distances(one) - _sorted_distances(other)).abs().amax()) < SAME_DISTANCES
        if int((one.numbers > 1).sum())
        else True
    )


def _distinct(found: list[Relaxation]) -> list[Relaxation]:
    """Lowest first, without copies."""
    kept: list[Relaxation] = []
    for candidate in sorted(found, key=lambda f: f.point.energy):
        close = (
            k for k in kept if abs(k.point.energy - candidate.point.energy) * HARTREE < SAME_ENERGY
        )
        if not any(_alike(k.molecule, candidate.molecule) for k in close):
            kept.append(candidate)
    return kept
