"""What the caller says about a file: units, meaning and names of its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from onekcal.energies import KINDS, TEMPERATURES
from onekcal.errors import one_of
from onekcal.units import energy_factor, force_factor, length_factor


@dataclass(frozen=True)
class ReadOptions:
    """What the caller says about a file. Where it says nothing, the file decides.

    Parameters
    ----------
    energy
        Unit of the energies. None: the unit that the file names, or kcal/mol.
    length
        Unit of the coordinates. None: angstrom.
    forces
        Unit of the forces. None: that of the energy over that of the length.
    level
        Level of theory of the energies.
    kind
        "total", "atomization" or "formation". None: what the file says, or "total".
    at
        "electronic", "0 K" or "298 K". None: what the file says, or "electronic".
    energy_key, forces_key
        Names of the labels in the file. None: the labels are not read.
    trust_lengths
        Whether the file is read even if its distances are not those of molecules.
    smiles_column
        Heading of the column of SMILES in a table. None: the one that is called so.
    """

    energy: str | None = None
    length: str | None = None
    forces: str | None = None
    level: str = ""
    kind: str | None = None
    at: str | None = None
    energy_key: str | None = "energy"
    forces_key: str | None = "forces"
    trust_lengths: bool = False
    smiles_column: str | None = None

    def __post_init__(self) -> None:
        """Refuse a wrong unit before anything is read."""
        if self.energy is not None:
            energy_factor(self.energy)
        if self.forces is not None:
            force_factor(self.forces)
        if self.kind is not None:
            one_of(self.kind, KINDS, "kind of energy")
        if self.at is not None:
            one_of(self.at, TEMPERATURES, "temperature of an energy")
        length_factor(self.length_unit)

    @property
    def length_unit(self) -> str:
        """The unit of the file's coordinates; angstrom where the caller names none."""
        return self.length or "angstrom"

    @property
    def scale(self) -> float:
        """Å in one unit of the file's coordinates."""
        return length_factor(self.length_unit)


class ReadKeywords(TypedDict, total=False):
    """The keywords of `read`: the fields of `ReadOptions`."""

    energy: str | None
    length: str | None
    forces: str | None
    level: str
    kind: str | None
    at: str | None
    energy_key: str | None
    forces_key: str | None
    trust_lengths: bool
    smiles_column: str | None
