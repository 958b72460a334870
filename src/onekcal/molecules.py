"""The one structure type: a ragged batch of nuclei. One molecule is a batch of one.

It holds nuclei and nothing else: no edges, no cut-offs, no grids. Features are functions of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from onekcal.errors import InputError, unknown

SYMBOLS = (
    "X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy "
    "Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn"
).split()
"""Element symbols. The index is the nuclear charge; 0 is no element."""
CHARGES = {symbol: charge for charge, symbol in enumerate(SYMBOLS) if charge}

CLOSEST = 0.3
"""Å. Two nuclei that are nearer are a mistake in the input (H₂ is 0.74 Å)."""

Selection: TypeAlias = (
    int | np.integer | slice | Sequence[int] | Sequence[bool] | np.ndarray | Tensor
)
"""Which molecules of a batch: a number, a slice, a mask, or row numbers."""


def charge_of(symbol: str) -> int:
    """Return the nuclear charge of an element.

    Parameters
    ----------
    symbol
        "C", "c" or "6".
    """
    text = symbol.strip()
    charge = (
        int(text)
        if text.isascii() and text.isdigit() and len(text) < 4
        else CHARGES.get(text.capitalize(), 0)
    )
    if not 0 < charge < len(SYMBOLS):
        unknown("element", symbol, CHARGES)
    return charge


@dataclass(frozen=True)
class Molecules:
    """A batch of molecules of any sizes: A nuclei of M molecules, one after the other.

    Parameters
    ----------
    numbers
        (A,) nuclear charges.
    positions
        (A, 3) Å.
    offsets
        (M + 1,) molecule m owns the atoms offsets[m]:offsets[m + 1].
    charge
        (M,) total charges, e. None means that all are 0.
    spin
        (M,) numbers of unpaired electrons. None means that all are 0.
    name
        (M,) names. None means that all are "".
    """

    numbers: Tensor
    positions: Tensor
    offsets: Tensor
    charge: Tensor | None = None
    spin: Tensor | None = None
    name: np.ndarray | None = None

    def __post_init__(self) -> None:
        atoms = len(self.numbers)
        if self.numbers.shape != (atoms,) or self.positions.shape != (atoms, 3):
            raise InputError(
                "`numbers` (A,) and `positions` (A, 3) must agree, got "
                f"{tuple(self.numbers.shape)} and {tuple(self.positions.shape)}"
            )
        if (
            self.offsets.ndim != 1
            or self.offsets[0] != 0
            or self.offsets[-1] != atoms
            or (self.sizes < 1).any()
        ):
            raise InputError(
                f"`offsets` must rise from 0 to the number of atoms ({atoms}), by at least 1 for "
                "each molecule"
            )
        for field in ("charge", "spin", "name"):
            value = getattr(self, field)
            if value is not None and len(value) != len(self):
                raise InputError(
                    f"`{field}` must have an entry for each molecule ({len(self)}), got "
                    f"{len(value)}"
                )

    # --- making -------------------------------------------------------------------------------

    @classmethod
    def one(
        cls,
        numbers: Iterable[int | str],
        positions: npt.ArrayLike,
        charge: int = 0,
        spin: int = 0,
        name: str = "",
    ) -> Molecules:
        """Make a batch of one molecule.

        Parameters
        ----------
        numbers
            Nuclear charges or element symbols of the n atoms.
        positions
            (n, 3) Å.
        charge
            Total charge, e.
        spin
            Number of unpaired electrons.
        name
            Its name.
        """
        charges = [charge_of(z if isinstance(z, str) else str(int(z))) for z in numbers]
        return cls(
            torch.tensor(charges, dtype=torch.int64),
            torch.as_tensor(np.asarray(positions, dtype=np.float64).reshape(-1, 3)),
            torch.tensor([0, len(charges)]),
            torch.tensor([charge]),
            torch.tensor([spin]),
            np.array([name]),
        )

    @classmethod
    def padded(
        cls,
        numbers: npt.ArrayLike,
        positions: npt.ArrayLike,
        name: Sequence[str] | np.ndarray | None = None,
    ) -> Molecules:
        """Make a batch from arrays in which an atom of nuclear charge 0 fills up a molecule.

        Parameters
        ----------
        numbers
            (M, n) nuclear charges.
        positions
            (M, n, 3) Å.
        name
            (M,) names.
        """
        z = torch.from_numpy(np.asarray(numbers).astype(np.int64))
        present = z > 0  # (M, n)
        r = torch.from_numpy(np.asarray(positions).astype(np.float64))
        names = None if name is None else np.asarray(name)
        return cls(z[present], r[present], _offsets(present.sum(1)), name=names)

    @classmethod
    def concatenate(cls, parts: Sequence[Molecules]) -> Molecules:
        """Return one batch of several.

        Parameters
        ----------
        parts
            The batches. Their order is kept.
        """
        if not parts:
            raise InputError("nothing to concatenate: got no molecules")
        return cls(
            torch.cat([part.numbers for part in parts]),
            torch.cat([part.positions for part in parts]),
            _offsets(torch.cat([part.sizes for part in parts])),
            torch.cat([part.charges for part in parts]),
            torch.cat([part.spins for part in parts]),
            np.concatenate([part.names for part in parts]),
        )

    # --- asking -------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        if len(self) == 1:
            return f"Molecules({self.formulas[0]}{f', {self.names[0]}' if self.names[0] else ''})"
        return f"Molecules({len(self):,} molecules, {len(self.numbers):,} atoms)"

    @property
    def sizes(self) -> Tensor:
        """(M,) the number of atoms of each molecule."""
        return self.offsets.diff()

    @property
    def owner(self) -> Tensor:
        """(A,) the row of the molecule that each atom belongs to."""
        return torch.repeat_interleave(
            torch.arange(len(self), device=self.offsets.device), self.sizes
        )

    @property
    def charges(self) -> Tensor:
        """(M,) total charges, e; 0 where the batch has none."""
        return torch.zeros(len(self), dtype=torch.int64) if self.charge is None else self.charge

    @property
    def spins(self) -> Tensor:
        """(M,) numbers of unpaired electrons; 0 where the batch has none."""
        return torch.zeros(len(self), dtype=torch.int64) if self.spin is None else self.spin

    @property
    def names(self) -> np.ndarray:
        """(M,) names; "" where the batch has none."""
        return np.full(len(self), "") if self.name is None else self.name

    @property
    def elements(self) -> list[int]:
        """The nuclear charges that occur, in ascending order."""
        return [int(z) for z in self.numbers.unique()]

    @property
    def formulas(self) -> list[str]:
        """The Hill formula of each molecule: C, then H, then the others in alphabetical order."""
        bounds = self.offsets.tolist()
        return [formula(self.numbers[a:b].tolist()) for a, b in zip(bounds[:-1], bounds[1:])]

    def composition(self, elements: Sequence[int]) -> Tensor:
        """Count the atoms of each element.

        Parameters
        ----------
        elements
            Nuclear charges.

        Returns
        -------
        Tensor
            (M, elements) counts, float64.
        """
        counts = torch.zeros(len(self), len(elements), dtype=torch.float64)
        for column, element in enumerate(elements):
            counts[:, column] = self.sum_atoms((self.numbers == element).to(torch.float64))
        return counts

    def sum_atoms(self, values: Tensor) -> Tensor:
        """Sum values of atoms over each molecule.

        Parameters
        ----------
        values
            (A, …) values. The sums are (M, …).
        """
        out = values.new_zeros((len(self), *values.shape[1:]))
        return out.index_add(0, self.owner, values)

    # --- selecting ----------------------------------------------------------------------------

    def __getitem__(self, which: Selection) -> Molecules:
        """Return the molecules that a number, a slice, a mask or row numbers select."""
        rows = rows_of(which, len(self))
        atoms = self.atoms_of(rows)
        return Molecules(
            self.numbers[atoms],
            self.positions[atoms],
            _offsets(self.offsets[rows + 1] - self.offsets[rows]),
            None if self.charge is None else self.charge[rows],
            None if self.spin is None else self.spin[rows],
            None if self.name is None else self.name[rows.numpy()],
        )

    def atoms_of(self, rows: Tensor) -> Tensor:
        """Return the rows of the atoms of some molecules.

        Parameters
        ----------
        rows
            (k,) row numbers of molecules, none negative. Their order is kept.
        """
        first = self.offsets[rows]
        sizes = self.offsets[rows + 1] - first  # the cost does not grow with the batch
        if len(rows) == 1:
            return torch.arange(int(first), int(first + sizes))
        before = sizes.cumsum(0) - sizes
        return torch.arange(int(sizes.sum())) + torch.repeat_interleave(first - before, sizes)

    def __iter__(self) -> Iterator[Molecules]:
        return (self[m] for m in range(len(self)))

    def pad(self, size: int | None = None) -> tuple[Tensor, Tensor]:
        """Return arrays of equal length for all molecules, filled up with 0.

        Parameters
        ----------
        size
            The number of atoms in a row. None takes the largest molecule's.

        Returns
        -------
        tuple
            Nuclear charges (M, size) and positions (M, size, 3) Å.

        Raises
        ------
        InputError
            A molecule has more atoms than `size`.
        """
        largest = int(self.sizes.max())
        size = largest if size is None else size
        if largest > size:
            raise InputError(
                f"{self._called(int(self.sizes.argmax()))} has {largest} atoms; at most {size} fit "
                "here (the molecules that a model was fitted to fix the size)"
            )
        slot = torch.arange(len(self.numbers)) - torch.repeat_interleave(
            self.offsets[:-1], self.sizes
        )
        numbers = self.numbers.new_zeros(len(self), size)
        positions = self.positions.new_zeros(len(self), size, 3)
        numbers[self.owner, slot] = self.numbers
        positions = positions.index_put((self.owner, slot), self.positions)
        return numbers, positions

    def moved(self, positions: Tensor) -> Molecules:
        """Return the same nuclei at other `positions` (A, 3) Å."""
        return replace(self, positions=positions)

    def check(self) -> list[str]:
        """Return one line for each position that is not finite and each pair of nuclei too near."""
        problems = []
        finite = torch.isfinite(self.positions).all(1)
        for m in self.owner[~finite].unique().tolist():
            problems.append(f"{self._called(m)}: a coordinate is not a finite number")
        numbers, positions = self.pad()
        for first in range(0, len(self), 4096):
            apart = torch.cdist(positions[first : first + 4096], positions[first : first + 4096])
            there = numbers[first : first + 4096] > 0
            pairs = (there[:, :, None] & there[:, None, :]).triu(1)
            for m, i, j in torch.nonzero(pairs & (apart < CLOSEST)).tolist():
                problems.append(
                    f"{self._called(first + m)}: atoms {i + 1} and {j + 1} are "
                    f"{float(apart[m, i, j]):.3f} Å apart (at least {CLOSEST} expected)"
                )
        return problems

    def _called(self, m: int) -> str:
        return f"molecule {m} ({str(self.names[m])!r})"


def _offsets(sizes: Tensor) -> Tensor:
    """(M + 1,) int64: where each molecule's atoms begin, of `sizes` (M,)."""
    return torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])


def rows_of(which: Selection, count: int) -> Tensor:
    """Return the row numbers (int64) that a selection means.

    Parameters
    ----------
    which
        A number, a slice, a mask or row numbers. Negative ones count from the end.
    count
        How many rows there are.
    """
    if isinstance(which, (int, np.integer)):
        if not -count <= which < count:
            raise IndexError(f"there is no row {which}: the batch has {count} molecules")
        return torch.tensor([int(which) % count])
    if isinstance(which, slice):
        return torch.arange(count)[which]
    rows = torch.as_tensor(np.asarray(which))
    if rows.dtype == torch.bool:
        return torch.nonzero(rows).flatten()
    outside = rows[(rows >= count) | (rows < -count)]
    if len(outside):
        raise IndexError(f"there is no row {int(outside[0])}: the batch has {count} molecules")
    return rows.to(torch.int64) % max(count, 1)


def formula(numbers: Iterable[int]) -> str:
    """Return the Hill formula of one molecule from its nuclear charges."""
    counts: dict[str, int] = {}
    for number in numbers:
        symbol = SYMBOLS[int(number)]
        counts[symbol] = counts.get(symbol, 0) + 1
    first = [s for s in ("C", "H") if s in counts] if "C" in counts else []
    order = first + sorted(set(counts) - set(first))
    return "".join(s + (str(counts[s]) if counts[s] > 1 else "") for s in order)
