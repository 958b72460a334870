r"""G4(MP2) of a molecule from beginning to end: geometry, frequencies, energy.

    E(0 K) = E(G4(MP2), electronic) + 0.9854 · ZPE

`g4mp2`         geometry and frequencies B3LYP/6-31G(2df,p), started from the GFN2-xTB minimum
`g4mp2//gfn2`   geometry GFN2-xTB; zero-point energy from its frequencies by a regression on B3LYP's

The electronic energy is that of `quantum.g4mp2`. Each step is kept as soon as it is finished, so
that a killed calculation goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

import numpy as np
import torch

from onekcal.energies import free_atoms
from onekcal.errors import InputError
from onekcal.geometry.hessian import hessian
from onekcal.geometry.inertia import ELECTRON_MASSES, MASSES, internal, shape_of
from onekcal.geometry.minimum import minimum
from onekcal.geometry.relax import relax, stiffened
from onekcal.geometry.turning import off_saddle
from onekcal.labels.molecule_record import molecule_of, molecule_record
from onekcal.labels.zero_point import zero_point_from_gfn2
from onekcal.molecules import Molecules
from onekcal.quantum.b3lyp import METHOD as B3LYP
from onekcal.quantum.b3lyp import VibratingB3LYP
from onekcal.quantum.g4mp2 import G4MP2Energy, check_elements, g4mp2_energy
from onekcal.quantum.method import LabelError, check_molecule, formula_of
from onekcal.quantum.named import method
from onekcal.thermo.free_energies import electronic_enthalpy
from onekcal.thermo.frequencies import frequencies, thermal_enthalpy, wavenumbers
from onekcal.units import HARTREE, WAVENUMBER

Variant = Literal["g4mp2", "g4mp2//gfn2"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
Value = float | list[float] | list[list[float]]
Kept = MutableMapping[str, dict[str, Value]]
"""Finished steps by name; plain numbers."""

SCALE = 0.9854
"""G4(MP2)'s factor on B3LYP's frequencies."""
FORCE = 0.01
"""eV/Å; how far geometries are relaxed."""
CLOSE = 0.003
"""kcal/mol; a geometry that the Hessian says to be higher above its minimum is relaxed again."""
ROUNDS = 3
"""How many saddle points are left behind at most."""
SADDLE = 50.0
"""1/cm; a larger imaginary frequency means a saddle point, which is left downhill."""
WAY = "geometry under way"
"""Where the best geometry of a relaxation that goes on is kept."""


@dataclass(frozen=True)
class Computed:
    """A molecule with its computed energy.

    Attributes
    ----------
    method
        "g4mp2" or "g4mp2//gfn2".
    molecule
        Nuclei, charge, unpaired electrons, and the geometry of the method (Å).
    terms
        The terms of the electronic energy.
    zero_point
        kcal/mol, scaled.
    waves
        (vibrations,) 1/cm, unscaled; of B3LYP or of GFN2-xTB.
    seconds
        What each step took.
    smiles, name
        Where they are known.
    """

    method: Variant
    molecule: Molecules
    terms: G4MP2Energy
    zero_point: float
    waves: np.ndarray
    seconds: dict[str, float] = field(default_factory=dict)
    smiles: str = ""
    name: str = ""

    @property
    def total(self) -> float:
        """E(0 K) in Hartree, zero-point energy included."""
        return self.terms.total + self.zero_point / HARTREE

    @property
    def energy(self) -> float:
        """kcal/mol relative to free atoms at 0 K, zero-point energy included."""
        atoms = float(free_atoms("g4mp2").energies(self.molecule)[0])
        return self.total * HARTREE - atoms

    @property
    def heat(self) -> float:
        """H(298.15 K) − H(0), kcal/mol: rigid rotor, scaled frequencies, electronic levels."""
        masses = np.array([MASSES[int(z)] for z in self.molecule.numbers])
        kind = shape_of(masses, self.molecule.positions.numpy())
        scale = SCALE if self.method == "g4mp2" else 1.0
        vibrating = thermal_enthalpy(np.abs(self.waves[self.waves > -100.0]) * scale, kind).total
        return vibrating + electronic_enthalpy(self.molecule)

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values, for JSON."""
        return {
            "method": self.method,
            **molecule_record(self.molecule, self.smiles, self.name),
            "terms": {key: round(value, 8) for key, value in asdict(self.terms).items()},
            "zero_point": round(self.zero_point, 5),
            "waves": [round(float(wave), 1) for wave in self.waves],
            "seconds": {key: round(value, 1) for key, value in self.seconds.items()},
        }

    @classmethod
    def from_dict(cls, record: dict) -> Computed:
        """Read what `to_dict` wrote."""
        return cls(
            record["method"],
            molecule_of(record),
            G4MP2Energy(**record["terms"]),
            record["zero_point"],
            np.array(record["waves"]),
            record["seconds"],
            record["smiles"],
            record["name"],
        )


def g4mp2(
    molecule: Molecules,
    variant: Variant = "g4mp2",
    exact: bool = False,
    keep_geometry: bool = False,
    kept: Kept | None = None,
    watch: Callable[[str], None] = lambda step: None,
    memory: float = 4000.0,
) -> Computed:
    """Compute G4(MP2) of one molecule, radical, ion or atom.

    Parameters
    ----------
    molecule
        One molecule near a minimum (Å), with its charge and unpaired electrons.
    variant
        Where geometry and zero-point energy come from.
    exact
        Whether the integrals of Hartree-Fock and MP2 are exact instead of fitted.
    keep_geometry
        Whether the energy is that of the geometry as given, which should be B3LYP's minimum.
    kept
        Finished steps; those in it are not computed again, new ones are put into it.
    watch
        Called with the name of each step before it is computed.
    memory
        MB that pyscf may use before it turns to the disk.

    Raises
    ------
    InputError
        An element the method lacks, or an impossible number of electrons.
    LabelError
        A step that does not converge.
    """
    if variant not in VARIANTS:
        raise InputError(f"`variant` must be one of {', '.join(VARIANTS)}, got {variant!r}")
    check_elements(molecule)
    check_molecule(molecule)
    steps = TimedSteps({} if kept is None else kept, watch)
    if len(molecule.numbers) > 1:
        place = _gfn2 if variant == "g4mp2//gfn2" else _b3lyp
        placed, zero_point, waves = place(molecule, steps, keep_geometry)
    else:
        placed, zero_point, waves = molecule, 0.0, np.zeros(0)
    terms = g4mp2_energy(placed, exact, steps, watch, memory)
    return Computed(
        variant,
        placed,
        terms,
        zero_point,
        waves,
        steps.seconds,
        name=str(molecule.names[0]),
    )


class TimedSteps(dict):
    """Steps that are also written to `kept`, with the time since the one before."""

    def __init__(self, kept: Kept, watch: Callable[[str], None]) -> None:
        super().__init__(kept)
        self.pop(WAY, None)
        self.kept, self.watch, self.since = kept, watch, time.monotonic()

    def on_the_way(self, positions: np.ndarray) -> None:
        """Keep an unfinished geometry (n, 3) Å."""
        self.kept[WAY] = {"positions": positions.tolist()}

    def way(self, molecule: Molecules) -> Molecules:
        """The molecule where an unfinished geometry got to, or as it is."""
        if WAY not in self.kept:
            return molecule
        got = torch.tensor(self.kept[WAY]["positions"], dtype=molecule.positions.dtype)
        return molecule.moved(got)

    def __setitem__(self, step: str, values: dict[str, Value]) -> None:
        now = time.monotonic()
        values = values | {"seconds": now - self.since}
        super().__setitem__(step, values)
        self.kept[step] = values
        if step == "geometry" and WAY in self.kept:
            del self.kept[WAY]
        self.since = now

    @property
    def seconds(self) -> dict[str, float]:
        return {step: float(values.get("seconds", 0.0)) for step, values in self.items()}


def _b3lyp(
    molecule: Molecules, steps: TimedSteps, keep_geometry: bool
) -> tuple[Molecules, float, np.ndarray]:
    """B3LYP's minimum, its scaled zero-point energy (kcal/mol) and frequencies (1/cm)."""
    calculation = VibratingB3LYP(molecule)
    if keep_geometry:
        steps.setdefault("geometry", {"positions": molecule.positions.tolist()})
    elif "geometry" not in steps:
        steps.watch("geometry")
        relax_b3lyp(steps.way(molecule), steps, calculation)
    for _ in range(ROUNDS):
        place = _placed(molecule, steps)
        if "frequencies" not in steps:
            steps.watch("frequencies")
            positions = place.positions.numpy()
            masses = np.array([MASSES[int(z)] for z in place.numbers])
            second = calculation.hessian(positions)
            waves = wavenumbers(second, masses, positions)
            if waves[0] < -SADDLE and not keep_geometry:
                way = _downhill(second, masses, positions)
                lower, _ = off_saddle(calculation, place.numbers.numpy(), positions, way)
                relax_b3lyp(place.moved(torch.from_numpy(lower)), steps, calculation)
                continue
            if not keep_geometry and _height(calculation, second, positions) > CLOSE:
                relax_b3lyp(place, steps, calculation, second)
                place = _placed(molecule, steps)
            steps["frequencies"] = {"waves": waves.tolist()}
        waves = np.array(steps["frequencies"]["waves"])
        return place, SCALE * 0.5 * WAVENUMBER * float(waves[waves > 0].sum()), waves
    raise LabelError(
        f"G4(MP2) of {formula_of(molecule)}: B3LYP ends on saddle points again and again; start "
        "from another geometry"
    )


def _placed(molecule: Molecules, steps: TimedSteps) -> Molecules:
    """The molecule at the geometry that is kept."""
    kept = torch.tensor(steps["geometry"]["positions"], dtype=molecule.positions.dtype)
    return molecule.moved(kept)


def relax_b3lyp(
    start: Molecules,
    steps: TimedSteps,
    calculation: VibratingB3LYP,
    second: np.ndarray | None = None,
) -> None:
    """Relax with B3LYP and keep the geometry; each better one on the way is kept, too.

    Parameters
    ----------
    start
        One molecule (Å).
    steps
        Where the step "geometry" is put.
    calculation
        Of this molecule.
    second
        (3n, 3n) Hartree/Bohr², the first Hessian; None: GFN2-xTB's.
    """
    if second is None:
        with suppress(LabelError):
            second = hessian(method("gfn2").calculation(start), start.positions.numpy())
    relaxed = relax(
        start,
        B3LYP,
        FORCE,
        keep_bonds=False,
        calculation=calculation,
        hessian=second,
        watch=steps.on_the_way,
    )
    steps["geometry"] = {"positions": relaxed.molecule.positions.tolist()}


def _height(calculation: VibratingB3LYP, second: np.ndarray, positions: np.ndarray) -> float:
    """kcal/mol above the minimum of the quadratic model."""
    gradient = calculation.at(positions).gradient
    assert gradient is not None
    space = internal(np.ones(len(positions)), positions)
    slope = space.T @ gradient.ravel()
    inner = stiffened(space.T @ second @ space)
    return HARTREE * 0.5 * float(slope @ np.linalg.solve(inner, slope))


def _gfn2(
    molecule: Molecules, steps: TimedSteps, keep_geometry: bool
) -> tuple[Molecules, float, np.ndarray]:
    """GFN2-xTB's minimum, its zero-point energy as B3LYP's would be (kcal/mol, scaled), and its
    frequencies (1/cm).
    """
    if "geometry" not in steps:
        steps.watch("geometry")
        place = molecule
        if not keep_geometry:
            place = minimum(molecule, "gfn2", force=0.002, keep_bonds=False)[0].molecule
        vibrations = frequencies(place, "gfn2")
        steps["geometry"] = {
            "positions": place.positions.tolist(),
            "waves": vibrations.wavenumbers.tolist(),
        }
    place = molecule.moved(
        torch.tensor(steps["geometry"]["positions"], dtype=molecule.positions.dtype)
    )
    waves = np.array(steps["geometry"]["waves"])
    return place, SCALE * zero_point_from_gfn2(place, waves), waves


def _downhill(second: np.ndarray, masses: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(n, 3): a displacement along the lowest vibration."""
    root = np.sqrt(np.repeat(masses * ELECTRON_MASSES, 3))
    space = internal(masses, positions)  # (3n, vibrations)
    _, modes = np.linalg.eigh(space.T @ (second / root[:, None] / root[None]) @ space)
    return ((space @ modes[:, 0]) / root).reshape(-1, 3)
