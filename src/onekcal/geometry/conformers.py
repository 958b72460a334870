"""Geometries from a SMILES: an RDKit ensemble, cleaned with MMFF and relaxed with GFN2-xTB.

Distance geometry and MMFF94 make an `ensemble` of more conformers than are wanted. It begins with
the canonical form of the molecule, so that all spellings of a SMILES give the same geometries.
GFN2-xTB tells their energies as they are, and relaxes the lowest, first loosely. Copies are
dropped, and the others are relaxed tightly.

MMFF94 orders conformers badly: of 24 flexible molecules of QM9, the lowest minimum of GFN2-xTB was
one of its first six for 75 %. It makes good geometries, though: with GFN2-xTB's energy there, the
lowest minimum was one of the first four for all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from onekcal.errors import InputError
from onekcal.geometry.bonds import fragments
from onekcal.geometry.canonical import canonical
from onekcal.geometry.ensemble import among, ensemble, sorted_distances
from onekcal.geometry.relax import FORCE, FallsApart, Relaxation, relax
from onekcal.geometry.species import Species, species
from onekcal.geometry.stereo import form_at
from onekcal.io.smiles import read_smiles, with_hydrogens
from onekcal.molecules import Molecules
from onekcal.quantum.method import LabelError, Method
from onekcal.quantum.named import method
from onekcal.system.threads import on_one_thread
from onekcal.units import HARTREE

if TYPE_CHECKING:
    from rdkit.Chem import Mol

LOOSE = 0.2
"""eV/Å, the largest force on an atom of a loosely relaxed conformer."""
DOUBTED = 2.0
"""τ, kcal/mol: differences between conformers that an answer may well have wrong."""
SAME_ENERGY = 0.1
"""kcal/mol. Two conformers that differ by less, and by little in their distances, are one."""


@dataclass(frozen=True)
class Conformers:
    """Relaxed conformers of one molecule, the lowest first.

    Parameters
    ----------
    molecules
        The k conformers.
    energies
        (k,) kcal/mol: total energies of the method that relaxed them, or those of `ordered_by`.
    embedded
        How many conformers the ensemble began with.
    stereo
        (k,) SMILES of the stereoisomer that each is, mirror images as one. Empty where the SMILES
        leaves none open.
    others
        Those of further stereoisomers that were found.
    """

    molecules: Molecules
    energies: np.ndarray
    embedded: int
    stereo: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def lowest(self) -> Molecules:
        """The lowest conformer."""
        return self.molecules[0]

    @property
    def relative(self) -> np.ndarray:
        """(k,) kcal/mol above the lowest conformer."""
        return self.energies - self.energies[0]

    @property
    def rivalry(self) -> float:
        """kcal/mol, how much other conformers may change the answer (`rivalry_among`)."""
        return rivalry_among(self.relative)

    @property
    def forms(self) -> tuple[str, ...]:
        """SMILES of the stereoisomers that were found, each once, that of the lowest first."""
        return tuple(dict.fromkeys(self.stereo + self.others))

    def ordered_by(self, energies: np.ndarray) -> Conformers:
        """Return the same conformers in the order of other energies.

        Parameters
        ----------
        energies
            (k,) kcal/mol.
        """
        order = np.argsort(energies, kind="stable")
        return replace(
            self,
            molecules=self.molecules[order],
            energies=energies[order],
            stereo=tuple(self.stereo[k] for k in order) if self.stereo else (),
        )


def rivalry_among(relative: np.ndarray) -> float:
    """Return how much other conformers may change an answer for the lowest, kcal/mol.

        d = Σ_k Δ_k exp(−Δ_k / τ)

    A conformer near the lowest changes little if it is the lowest in truth, and one far above is
    not. The twist boat of cyclohexane, 5.8 above the chair, counts 0.3.

    Parameters
    ----------
    relative
        (k,) the Δ, kcal/mol above the lowest.
    """
    return float((relative * np.exp(-relative / DOUBTED)).sum())


@on_one_thread
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
    found, forms, embedded = ensemble(replace(state, mol=mol), count, seed)
    starts = _lowest(found, method("gfn2") if how.family == "dft" else how, count)
    tried = (_relaxed(start, how, LOOSE) for start in starts)
    loose = [relaxed for relaxed in tried if relaxed is not None]
    if not loose:
        relax(starts[0], how, LOOSE)  # every conformer failed: raise the reason of the lowest
        raise LabelError(f"no conformer of {state.smiles!r} could be relaxed with {how.name}")
    final = _distinct([_relaxed(one.molecule, how, FORCE) or one for one in _distinct(loose)])
    stereo = [form_at(mol, one.molecule.positions.numpy()) for one in final] if forms else []
    return Conformers(
        Molecules.concatenate([_reordered(one.molecule, places) for one in final]),
        np.array([one.point.energy for one in final]) * HARTREE,
        embedded,
        tuple(stereo),
        tuple(forms),
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


def _relaxed(start: Molecules, how: Method, force: float) -> Relaxation | None:
    """Return a relaxed conformer, or None where it falls apart or does not converge."""
    try:
        relaxed = relax(start, how, force)
    except (FallsApart, LabelError):
        return None
    whole = fragments(start.numbers.numpy(), relaxed.molecule.positions.numpy()) == 1
    return relaxed if whole or len(start.numbers) == 1 else None


def _distinct(relaxed: list[Relaxation]) -> list[Relaxation]:
    """Return the conformers without copies, the lowest first."""
    kept: list[Relaxation] = []
    for candidate in sorted(relaxed, key=lambda one: one.point.energy):
        sides = sorted_distances(candidate.molecule)
        close = (
            k for k in kept if abs(k.point.energy - candidate.point.energy) * HARTREE < SAME_ENERGY
        )
        if not among([sorted_distances(k.molecule) for k in close], sides):
            kept.append(candidate)
    return kept
