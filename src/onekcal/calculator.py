"""An ASE calculator: energies and forces of a fitted model or a quantum method, in eV and Å.

    atoms.calc = onekcal.Calculator("runs/ethanol")

Energies are what `predict` gives, in eV: relative to free atoms, negative when bound, and totals
where a model was fitted to totals. GFN2-xTB and other methods are relative to free atoms, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from ase.calculators.calculator import Calculator as AseCalculator
from ase.calculators.calculator import PropertyNotImplementedError, all_changes

from onekcal.errors import InputError
from onekcal.io.ase_atoms import CHARGE, SPIN, from_atoms
from onekcal.models.artefact import Artefact
from onekcal.models.as_method import artefact_of, method_of, zero_of
from onekcal.models.force_meaning import check_forces, why_no_forces
from onekcal.models.model import refuse_unsound
from onekcal.molecules import Molecules
from onekcal.prediction.geometry import kind_as_given
from onekcal.prediction.scope import half_width, outside
from onekcal.quantum.method import Calculation, Method
from onekcal.system.threads import on_one_thread
from onekcal.units import BOHR, EV, HARTREE

if TYPE_CHECKING:
    from ase import Atoms


class NotOffered(InputError, PropertyNotImplementedError):
    """A model that has no forces, or no energies of atoms; ASE knows it as its own error."""


class Calculator(AseCalculator):
    """Energies and forces for ASE, in eV and eV/Å.

    `results` holds, as far as the model offers them:

    - `energy`: eV, relative to free atoms, or total where the model was fitted to totals;
    - `forces`: (n, 3) eV/Å;
    - `energies`: (n,) eV, the share of each atom. They sum to `energy`. What belongs to no single
      atom, such as a baseline, is shared equally.
    - `interval`: lower and upper end, eV; None where the model has none for this molecule;
    - `coverage`: the share of molecules that the interval is to cover;
    - `novelty`: how unlike the training data the molecule is, in the model's own unit.

    The charge (e) is `atoms.info["charge"]`, the number of unpaired electrons `atoms.info["spin"]`;
    both are 0 where they are absent.

    Parameters
    ----------
    model
        A run folder, a model file, a model that ships, what `load_model` returned; or the name of a
        quantum method, such as "gfn2" or "b3lyp/6-31g".
    coverage
        The share of molecules that the interval is to cover.

    Raises
    ------
    InputError
        There is no such model, or it gives no energies. At a calculation: the atoms are periodic,
        or the model has never seen their elements, or it knows no ions or radicals.
    """

    def __init__(self, model: str | Path | Artefact | Method = "gfn2", coverage: float = 0.9):
        super().__init__()
        self.method = method_of(model, forces=False)
        self.artefact = artefact_of(self.method)
        self.coverage = coverage
        self.implemented_properties = ["energy", "free_energy"]
        if self.artefact is None or not why_no_forces(self.artefact):
            self.implemented_properties.append("forces")
        if self.artefact is not None:
            self.implemented_properties.append("energies")
        self._calculation: Calculation | None = None
        self._nuclei: tuple[object, ...] = ()

    def __repr__(self) -> str:
        return f"Calculator({self.method.name!r})"

    def get_property(
        self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True
    ) -> Any:
        """Return a property as ASE asks for it; forces that mean nothing are refused with why."""
        if name == "forces" and self.artefact is not None:
            try:
                check_forces(self.artefact)
            except InputError as problem:
                raise NotOffered(str(problem)) from None
        return super().get_property(name, atoms, allow_calculation)

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Say what changed since the last calculation; charge and spin in `info` count, too."""
        changes = super().check_state(atoms, tol)
        if self.atoms is not None and any(
            self.atoms.info.get(key, 0) != atoms.info.get(key, 0) for key in (CHARGE, SPIN)
        ):
            changes = [*changes, "info"]
        return changes

    @on_one_thread
    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill `results`.

        Parameters
        ----------
        atoms
            One molecule that is not periodic.
        properties
            What is wanted; the energy always comes.
        system_changes
            What changed since the last calculation.
        """
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        molecule = from_atoms(self.atoms)
        refuse_unsound(molecule)
        if system_changes:
            self.results = {}
        point = self._continued(molecule).at(molecule.positions.numpy(), "forces" in properties)
        energy = (point.energy - zero_of(self.method, molecule)) * HARTREE  # kcal/mol
        self.results |= {"energy": energy / EV, "free_energy": energy / EV}
        if point.gradient is not None and "forces" in properties:
            self.results["forces"] = -point.gradient * (HARTREE / BOHR / EV)
        if self.artefact is not None:
            self.results |= self._beside(self.artefact, molecule, energy)
            if "energies" in properties:
                self.results["energies"] = self._shares(self.artefact, molecule, energy)

    def _continued(self, molecule: Molecules) -> Calculation:
        """The calculation of these nuclei; it goes on where they are the same as before."""
        nuclei = (*molecule.numbers.tolist(), int(molecule.charges[0]), int(molecule.spins[0]))
        if self._calculation is None or nuclei != self._nuclei:
            self._calculation, self._nuclei = self.method.calculation(molecule), nuclei
        return self._calculation

    def _beside(self, artefact: Artefact, molecule: Molecules, energy: float) -> dict[str, object]:
        """Interval (eV), coverage and novelty; `energy` is kcal/mol."""
        novelty = artefact.model.novelty(molecule)
        new = novelty is not None and float(novelty[0]) > artefact.novelty_limit
        half = math.inf
        if not new and not outside(artefact, molecule):
            half = half_width(
                artefact,
                kind_as_given(artefact),
                self.coverage,
                None,
                molecule,
                None if novelty is None else float(novelty[0]),
            )
        bounded = math.isfinite(half)
        return {
            "interval": ((energy - half) / EV, (energy + half) / EV) if bounded else None,
            "coverage": self.coverage,
            "novelty": None if novelty is None else float(novelty[0]),
        }

    def _shares(self, artefact: Artefact, molecule: Molecules, energy: float) -> Any:
        """(n,) eV, the share of each atom of `energy` (kcal/mol)."""
        told = [stage.atomic_energies(molecule) for stage in artefact.model.stages]
        if not told or told[-1] is None:
            raise NotOffered(f"{self.method.name} gives no energies of atoms")
        shares = torch.stack([one for one in told if one is not None]).sum(0).detach().numpy()
        return (shares + (energy - shares.sum()) / len(shares)) / EV
