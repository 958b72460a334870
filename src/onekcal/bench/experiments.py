"""Experimental heats of formation of four sources, one for each molecule.

Sources: the archives rmg_reference.npz, g305.npz and ppe_dev.npz, and `experiment.csv` beside this
file. The three archives hold a composite method's heat of formation beside the experiment, G4 in
the first and G4(MP2) in the others.

A molecule is known by its identity (`geometry/identity.py`) in whatever file it is. Of several
experiments the one of the Active Thermochemical Tables counts, then the one with the smallest
uncertainty. Energies are kcal/mol; heats of formation are those at 298.15 K.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np

from onekcal.bench.computed.cases import Arrays, archive, molecule_at
from onekcal.energies import free_atoms
from onekcal.geometry.identity import identity, identity_of_species
from onekcal.geometry.species import species
from onekcal.molecules import Molecules
from onekcal.thermo.ledger import ATOM_FORMATION, ELEMENT_HEAT
from onekcal.units import HARTREE

Level = Literal["g4", "g4mp2"]
UNSTATED = 1.0
"""kcal/mol, the uncertainty of an experiment that states none. G3/05 and PPE1694 hold experiments
that are said to be known to about that.
"""
BEST = "ATcT"
PPE_OFFSET = {1: -0.08, 6: 0.28, 7: 0.28, 8: 0.31, 9: 0.16}
"""kcal/mol an atom by which the energies of ppe_dev.npz lie above those of QM9-G4MP2, found on 53
molecules that both hold. Those of other elements are not known.
"""


@dataclass(frozen=True)
class Heat:
    """An experimental heat of formation.

    Parameters
    ----------
    formation
        ΔfH(298.15 K), kcal/mol.
    uncertainty
        ± kcal/mol; NaN where none is stated.
    source
        Where it comes from.
    """

    formation: float
    uncertainty: float
    source: str

    @property
    def stated(self) -> float:
        """The uncertainty, or `UNSTATED` where there is none."""
        return self.uncertainty if math.isfinite(self.uncertainty) else UNSTATED


@dataclass(frozen=True)
class Published:
    """A species with a geometry and a composite method's heat of formation.

    Parameters
    ----------
    file
        The archive, without its ending.
    row
        Its number there.
    molecule
        The species at the archive's geometry (Å).
    identity
        Its identity.
    level
        The composite method.
    formation
        ΔfH(298.15 K) of that method, kcal/mol. NaN where a free atom is not known.
    heat
        The experiment of the archive; None where an atom's heat of formation is not known.
    """

    file: str
    row: int
    molecule: Molecules
    identity: str
    level: Level
    formation: float
    heat: Heat | None


def experiment() -> list[dict[str, str]]:
    """Read the experimental heats of formation of common molecules.

    Returns
    -------
    list
        smiles, name, formation_298_kcal_per_mol, uncertainty_kcal_per_mol and source of each, and
        whether other programs were compared on it ("yes").
    """
    with files("onekcal.bench").joinpath("experiment.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def published(data: Path) -> list[Published]:
    """Read the species of the three archives.

    Parameters
    ----------
    data
        The folder of the archives.

    Raises
    ------
    DataError
        An archive is absent.
    """
    return [*_rmg(data), *_pople(data, "g305"), *_pople(data, "ppe_dev")]


def best(found: Iterable[Published]) -> dict[str, Heat]:
    """Choose one experiment for each identity, those of `experiment.csv` among them.

    Parameters
    ----------
    found
        What `published` returned.
    """
    every = [(one.identity, one.heat) for one in found if one.heat is not None]
    for line in experiment():
        every.append((identity_of_species(species(line["smiles"])), heat_of(line)))
    chosen: dict[str, Heat] = {}
    for key, heat in every:
        if key not in chosen or _rank(heat) < _rank(chosen[key]):
            chosen[key] = heat
    return chosen


def heat_of(line: dict[str, str]) -> Heat:
    """Return the experiment of a line of `experiment.csv`.

    Parameters
    ----------
    line
        One of those that `experiment` returns.
    """
    return Heat(
        float(line["formation_298_kcal_per_mol"]),
        float(line["uncertainty_kcal_per_mol"]),
        line["source"],
    )


def folds(identities: Iterable[str], count: int, seed: int = 0) -> dict[str, int]:
    """Deal identities into folds: all copies of a molecule are in one.

    Parameters
    ----------
    identities
        Of all species; each may come several times.
    count
        How many folds.
    seed
        Seed of the deal.
    """
    distinct = sorted(set(identities))
    dealt = np.random.default_rng(seed).permutation(len(distinct)) % count
    return dict(zip(distinct, dealt.tolist()))


def _rank(heat: Heat) -> tuple[bool, float]:
    return BEST not in heat.source, heat.stated


def _rmg(data: Path) -> list[Published]:
    file, out = archive(data, "rmg_reference.npz"), []
    for row, source in enumerate(file["source"].tolist()):
        molecule = molecule_at(file, row)
        heat = Heat(float(file["expt"][row]), float(file["expt_uncertainty"][row]), source)
        formation = float(file["dfH298_g4"][row])
        key = identity(molecule)
        out.append(Published("rmg_reference", row, molecule, key, "g4", formation, heat))
    return out


def _pople(data: Path, name: str) -> list[Published]:
    """G3/05 and PPE1694, whose G4(MP2) energies are totals at 0 K with zero-point energy."""
    file, out = archive(data, f"{name}.npz"), []
    offsets = PPE_OFFSET if name == "ppe_dev" else {}
    for row in range(len(file["U0_Ha"])):
        molecule = molecule_at(file, row)
        above = sum(offsets.get(z, 0.0) for z in molecule.numbers.tolist())
        formation, heat = _formation(file, row, molecule, above, name)
        key = identity(molecule)
        out.append(Published(name, row, molecule, key, "g4mp2", formation, heat))
    return out


def _formation(
    file: Arrays, row: int, molecule: Molecules, above: float, source: str
) -> tuple[float, Heat | None]:
    """ΔfH(298 K) of G4(MP2) and of the experiment, which may be an atomization energy at 0 K."""
    value, kind = float(file["expt"][row]), str(file["kind"][row])
    numbers = molecule.numbers.tolist()
    atoms = free_atoms("g4mp2")
    if not set(numbers) <= set(atoms.hartree) & set(ATOM_FORMATION):
        return math.nan, Heat(value, math.nan, source) if kind == "HF" else None
    bound = float(file["U0_Ha"][row]) * HARTREE - float(atoms.energies(molecule)[0]) - above
    rest = float(file["HT_Ha"][row] - file["U0_Ha"][row]) * HARTREE
    rest += sum(ATOM_FORMATION[z] - ELEMENT_HEAT[z] for z in numbers)
    heat = Heat(value if kind == "HF" else rest - value, math.nan, source)
    return bound + rest, heat
