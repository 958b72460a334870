"""The names of fields: "lol", "elf-alpha", "nep", "atom:C", "gauss:O@0.8"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onekcal.errors import InputError, unknown
from onekcal.fields.atom_values import check_value
from onekcal.fields.atoms import SIGMA

FIELDS_FORMAT = 1
"""It changes with the meaning of any field. Stored fields of another number are not used."""
ELECTRONIC = {
    "rho": "electron density, e/Bohr³",
    "tau": "kinetic energy density, Hartree/Bohr³",
    "lol": "localized orbital locator",
    "elf": "electron localization function",
    "esp": "electrostatic potential, Hartree/e",
}
SPIN_RESOLVED = ("rho", "tau", "lol", "elf")
SPINS = {"alpha": 0, "beta": 1}
NUCLEAR = {"nep": "nuclear electrostatic potential, Hartree/e"}
ATOMIC = {"atom": "atoms in voxels", "gauss": "Gaussians on atoms", "wave": "waves on atoms"}
SHORT = {"atoms": "atom", "gausses": "gauss", "waves": "wave"}
ELEMENTS = ("H", "C", "N", "O", "F")
""""atoms", "gausses" and "waves" stand for a channel for each of these, the elements of QM9."""


@dataclass(frozen=True)
class FieldKind:
    """One channel.

    Parameters
    ----------
    name
        Its full name, as it is stored: "lol", "gauss:C".
    field
        The field: "lol", "nep", "gauss", …
    spin
        "alpha" or "beta"; "" is both together.
    of
        For atoms: an element's symbol or a property.
    sigma
        Å, the width of smooth atoms.
    """

    name: str
    field: str
    spin: str = ""
    of: str = ""
    sigma: float = SIGMA

    @property
    def electronic(self) -> bool:
        """Whether it needs a density."""
        return self.field in ELECTRONIC

    @property
    def title(self) -> str:
        """Words for a picture."""
        text = (ELECTRONIC | NUCLEAR | ATOMIC)[self.field]
        return (
            text
            + (f", {self.spin} electrons" if self.spin else "")
            + (f": {self.of}" if self.of else "")
        )

    def content(self, density: str, n: int, box: float, turn: int) -> str:
        """Return everything that its values depend on besides the molecule.

        Parameters
        ----------
        density, n, box, turn
            As in `FieldRequest`.
        """
        source = f" {density}" if self.electronic else ""
        return f"{FIELDS_FORMAT} {self.name}{source} n={n} box={box!r} turn={turn}"


def kind(name: str) -> FieldKind:
    """Return a channel by its name.

    Parameters
    ----------
    name
        Such as "lol", "elf-alpha", "nep", "atom:C" or "gauss:O@0.8".

    Raises
    ------
    InputError
        There is no such field.
    """
    word, colon, rest = name.strip().partition(":")
    if not colon:
        field, _, spin = word.lower().partition("-")
        if field in SPIN_RESOLVED and spin in ("", *SPINS):
            return FieldKind(word.lower(), field, spin)
        if not spin and field in ELECTRONIC | NUCLEAR:
            return FieldKind(field, field)
    elif word in ATOMIC:
        return _of_atoms(name.strip(), word, rest)
    known = [
        *ELECTRONIC,
        *NUCLEAR,
        *(f"{field}-{spin}" for field in SPIN_RESOLVED for spin in SPINS),
        *SHORT,
        *(f"{field}:C" for field in ATOMIC),
    ]
    unknown("field", name, known)


def _of_atoms(name: str, field: str, rest: str) -> FieldKind:
    of, at, width = rest.partition("@")
    check_value(of)
    try:
        sigma = float(width) if at else SIGMA
    except ValueError:
        sigma = float("nan")
    if not 0 < sigma < float("inf") or (at and field == "atom"):
        raise InputError(
            f"expected a width in Å behind @ (of gauss and wave), such as gauss:C@0.8, got {name!r}"
        )
    return FieldKind(
        f"{field}:{of}" + (f"@{sigma:g}" if sigma != SIGMA else ""), field, of=of, sigma=sigma
    )


def channels(kinds: Iterable[str]) -> tuple[FieldKind, ...]:
    """Return the channels of several names, in order.

    Parameters
    ----------
    kinds
        Names. "atoms", "gausses" and "waves" stand for a channel for each element of QM9.

    Raises
    ------
    InputError
        A name is unknown or given twice, or there is none.
    """
    names: list[str] = []
    for name in [kinds] if isinstance(kinds, str) else kinds:
        word = name.strip()
        names += [f"{SHORT[word]}:{element}" for element in ELEMENTS] if word in SHORT else [word]
    chosen = tuple(kind(name) for name in names)
    if not chosen:
        raise InputError("no field is named; give kinds, such as ('lol', 'nep')")
    twice = {one.name for one in chosen if sum(other == one for other in chosen) > 1}
    if twice:
        raise InputError(f"{sorted(twice)[0]!r} is given twice")
    return chosen


def any_electronic(kinds: Sequence[FieldKind]) -> bool:
    """Say whether one of the channels needs a density.

    Parameters
    ----------
    kinds
        The channels.
    """
    return any(one.electronic for one in kinds)
