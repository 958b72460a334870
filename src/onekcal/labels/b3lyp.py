"""B3LYP/6-31G(2df,p): a molecule's minimum and its electronic energy, kept like G4(MP2)'s steps.

The rung `b3lyp` of `predict` needs these and no frequencies. Geometry and SCF are those of G4(MP2)
(`labels.g4mp2`), and the step "geometry" is the same: either goes on from the other's.

    HOME/computed/b3lyp/KEY.json     a finished molecule
    HOME/computed/KEY.steps/         steps under way, shared with G4(MP2)

The minimum is not checked by frequencies, as that of G4(MP2) is. The energy is computed on a finer
grid than the geometry.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from onekcal.energies import free_atoms
from onekcal.geometry.bonds import bond_changes
from onekcal.geometry.relax import FallsApart
from onekcal.labels.computed import Shelf, Store
from onekcal.labels.forecast import FUNCTIONS, Forecast, forecast, functions
from onekcal.labels.g4mp2 import Kept, TimedSteps, relax_b3lyp
from onekcal.labels.molecule_record import molecule_of, molecule_record
from onekcal.molecules import Molecules
from onekcal.quantum.b3lyp import AUXILIARY, METHOD, VibratingB3LYP
from onekcal.quantum.dft import DensityFunctional
from onekcal.quantum.method import check_molecule, formula_of
from onekcal.units import HARTREE

LEVEL = "b3lyp/6-31g(2df,p)"
"""The level of theory; its free atoms are QM9's."""
STEP = "b3lyp energy"
NEAR = 0.02
"""Å; G4(MP2) may move the atoms of a minimum by less, once it knows the frequencies."""
AUXILIARY_RATIO = 4.5
"""Fitting functions for each basis function, at most."""


@dataclass(frozen=True)
class Minimum:
    """A molecule at its B3LYP minimum.

    Attributes
    ----------
    molecule
        Nuclei, charge, unpaired electrons, and B3LYP's geometry (Å).
    electronic
        Hartree, without zero-point energy.
    seconds
        What the geometry and the energy took, where they were computed now.
    relative
        (conformers,) kcal/mol above the lowest by GFN2-xTB, of a SMILES; empty otherwise.
    smiles, name
        Where they are known.
    """

    molecule: Molecules
    electronic: float
    seconds: float = 0.0
    relative: tuple[float, ...] = ()
    smiles: str = ""
    name: str = ""
    method: Literal["b3lyp"] = "b3lyp"

    @property
    def energy(self) -> float:
        """kcal/mol relative to free atoms, without zero-point energy."""
        return self.electronic * HARTREE - float(free_atoms(LEVEL).energies(self.molecule)[0])

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values, for JSON."""
        return {
            "method": self.method,
            **molecule_record(self.molecule, self.smiles, self.name),
            "electronic": round(self.electronic, 8),
            "relative": [round(x, 4) for x in self.relative],
            "seconds": round(self.seconds, 1),
        }

    @classmethod
    def from_dict(cls, record: dict) -> Minimum:
        """Read what `to_dict` wrote."""
        return cls(
            molecule_of(record),
            record["electronic"],
            record["seconds"],
            tuple(record["relative"]),
            record["smiles"],
            record["name"],
        )


class Minima(Shelf[Minimum]):
    """Minima of B3LYP; a molecule has the key that its G4(MP2) has.

    Parameters
    ----------
    folder
        Of the store of G4(MP2); None: `computed` in the data folder (ONEKCAL_HOME).
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.above = Store(folder)
        super().__init__(self.above.folder / "b3lyp", Minimum, under_way=self.above.folder)

    def waves(self, key: str, done: Minimum) -> np.ndarray | None:
        """Return B3LYP's wavenumbers where G4(MP2) has computed them at this geometry.

        Parameters
        ----------
        key
            Of the molecule.
        done
            Its minimum.

        Returns
        -------
        ndarray or None
            (vibrations,) 1/cm, unscaled.
        """
        finished, steps = self.above.find(key), self.steps(key)
        if finished is not None and finished.method == "g4mp2":
            place, waves = finished.molecule, finished.waves
        elif "frequencies" in steps and "geometry" in steps:
            positions = torch.tensor(steps["geometry"]["positions"])
            place = done.molecule.moved(positions.to(done.molecule.positions.dtype))
            waves = np.array(steps["frequencies"]["waves"])
        else:
            return None
        return waves if same_minimum(place, done.molecule) else None


def b3lyp_minimum(
    molecule: Molecules,
    keep_geometry: bool = False,
    kept: Kept | None = None,
    watch: Callable[[str], None] = lambda step: None,
) -> Minimum:
    """Relax one molecule with B3LYP/6-31G(2df,p) and return its electronic energy there.

    Parameters
    ----------
    molecule
        One molecule near a minimum (Å), with its charge and unpaired electrons.
    keep_geometry
        Whether the energy is that of the geometry as given, which should be B3LYP's minimum.
    kept
        Finished steps; those in it are not computed again, new ones are put into it.
    watch
        Called with the name of each step before it is computed.

    Raises
    ------
    InputError
        An impossible number of electrons.
    LabelError
        An element without basis set, an SCF or a relaxation that does not converge, or a molecule
        that falls apart.
    """
    check_molecule(molecule)
    began = time.monotonic()
    steps = TimedSteps({} if kept is None else kept, watch)
    calculation = VibratingB3LYP(molecule)
    if keep_geometry:
        steps.setdefault("geometry", {"positions": molecule.positions.tolist()})
    elif "geometry" not in steps:
        watch("geometry")
        relax_b3lyp(steps.way(molecule), steps, calculation)
    place = molecule.moved(
        torch.tensor(steps["geometry"]["positions"], dtype=molecule.positions.dtype)
    )
    _refuse_changes(molecule, place)
    if STEP not in steps:
        watch("energy")
        fine = DensityFunctional(METHOD, molecule, auxiliary=AUXILIARY)
        fine.density = calculation.density
        steps[STEP] = {"electronic": fine.at(place.positions.numpy(), gradient=False).energy}
    return Minimum(place, steps[STEP]["electronic"], time.monotonic() - began)


def _refuse_changes(before: Molecules, after: Molecules) -> None:
    """Refuse a molecule that has other bonds after its relaxation."""
    changes = bond_changes(
        before.numbers.numpy(), before.positions.numpy(), after.positions.numpy()
    )
    if changes:
        raise FallsApart(
            f"{formula_of(before)} is another molecule after its relaxation with B3LYP: "
            f"{', '.join(changes)}; start from another geometry, or keep the one that is given"
        )


def same_minimum(one: Molecules, other: Molecules) -> bool:
    """Tell whether two geometries of one relaxation are the same minimum.

    Parameters
    ----------
    one, other
        One molecule each (Å), with its atoms in one order.
    """
    return torch.allclose(one.positions, other.positions, rtol=0.0, atol=NEAR)


def cost(molecule: Molecules, geometry: bool = True) -> Forecast:
    """Tell what the minimum of a molecule will cost; its positions are not used.

    Parameters
    ----------
    molecule
        One molecule.
    geometry
        Whether the geometry has to be found; otherwise one SCF is left to do.

    Returns
    -------
    Forecast
        Seconds of one core, and bytes.
    """
    whole = forecast(molecule).seconds.get("geometry", 1.0)
    seconds = {"geometry": whole} if geometry else {"energy": whole / 10}
    size = sum(functions(z, FUNCTIONS["b3lyp"]) for z in molecule.numbers.tolist())
    memory = 2.5e8 + 8.0 * size**2 / 2 * AUXILIARY_RATIO * size
    return Forecast(seconds, memory)
