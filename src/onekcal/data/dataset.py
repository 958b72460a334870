"""`Dataset`: molecules and named columns. Each column has a level, a kind and a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from onekcal.energies import At, Kind
from onekcal.errors import DataError, unknown
from onekcal.molecules import Molecules, Selection, rows_of

Quantity = Literal["energy", "forces", "charges", "property"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)


@dataclass(frozen=True)
class Column:
    """Values and their meaning.

    Energies are in kcal/mol and forces (−dE/dx) in kcal/mol/Å, whatever units the source had.

    Parameters
    ----------
    values
        (M,) one value for each molecule; (A,) or (A, 3) one for each atom.
    quantity
        "energy", "forces", "charges" or "property".
    level
        The level of theory in lower case, such as "b3lyp/6-31g(2df,p)".
    kind
        Of an energy: "total", "atomization" (relative to free atoms) or "formation".
    at
        Of an energy: "electronic", with zero-point energy ("0 K"), or with thermal energy too
        ("298 K").
    unit
        The unit of the values.
    note
        A remark for the reader.
    own_geometry
        Whether the values were computed at the geometries of the data set's molecules. False where
        the molecules were moved afterwards and the values were kept.
    """

    values: Tensor
    quantity: Quantity = "energy"
    level: str = ""
    kind: Kind = "atomization"
    at: At = "electronic"
    unit: str = "kcal/mol"
    note: str = ""
    own_geometry: bool = True

    def __repr__(self) -> str:
        return f"Column({len(self.values):,} values: {self.meaning})"

    @property
    def atomic(self) -> bool:
        """Whether there is one value for each atom instead of one for each molecule."""
        return self.quantity in ("forces", "charges")

    @property
    def sort(self) -> str:
        """The kind of an energy, and the quantity of everything else."""
        return self.kind if self.quantity == "energy" else self.quantity

    @property
    def meaning(self) -> str:
        """One line for tables: "atomization energy, b3lyp/6-31g, electronic, kcal/mol"."""
        if self.quantity == "energy":
            return f"{self.kind} energy, {self.level or 'level unknown'}, {self.at}, {self.unit}"
        return f"{self.quantity}, {self.level or 'level unknown'}, {self.unit}"


Columns = Mapping[str, Column]


@dataclass(frozen=True)
class Dataset:
    """Molecules and their columns.

    Parameters
    ----------
    molecules
        M molecules with A atoms together.
    columns
        Columns by name. The forces that belong to an energy `x` are the column `x_forces`; the
        standard uncertainty of each of its values, `x_uncertainty`.
    target
        The name of the column to learn, an energy or any property. None where nothing is learned.
    """

    molecules: Molecules
    columns: Columns = field(default_factory=dict)
    target: str | None = None

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            expected = len(self.molecules.numbers) if column.atomic else len(self.molecules)
            if len(column.values) != expected:
                raise DataError(
                    f"column {name!r} must have {expected} values, got {len(column.values)}"
                )
        if self.target is not None and self.target not in self.columns:
            unknown("column", self.target, self.columns, DataError)

    def __len__(self) -> int:
        return len(self.molecules)

    def __repr__(self) -> str:
        aim = f", target {self.target}" if self.target else ""
        return f"Dataset({len(self):,} molecules, columns {', '.join(self.columns) or 'none'}{aim})"

    def aimed(self, target: str) -> Dataset:
        """Return the same data with another target.

        Parameters
        ----------
        target
            The name of the column to learn.

        Raises
        ------
        DataError
            There is no such column, or some of its values are not finite.
        """
        data = replace(self, target=target)
        bad = ~torch.isfinite(data.energies)
        if bad.any():
            m = int(bad.nonzero()[0][0])
            m = int(self.molecules.owner[m]) if data.aim.atomic else m
            raise DataError(
                f"{int(bad.sum())} of {len(self)} labels in {target!r} are missing or not finite, "
                f"first: molecule {m} ({str(self.molecules.names[m])!r}); drop them or complete "
                "them"
            )
        return data

    @property
    def aim(self) -> Column:
        """The target column."""
        if self.target is None:
            raise DataError(f"no target is chosen; say which of {list(self.columns)} to learn")
        return self.columns[self.target]

    @property
    def energies(self) -> Tensor:
        """(M,) values of the target: kcal/mol, relative to free atoms for the kind `atomization`.

        A target that is no energy has its column's unit. One of atoms has the shape (A,).
        """
        return self.aim.values

    @property
    def forces(self) -> Tensor | None:
        """(A, 3) kcal/mol/Å, the forces of the target; None where there are none."""
        column = self.columns.get(f"{self.target}_forces")
        return None if column is None else column.values

    @property
    def uncertainties(self) -> Tensor | None:
        """(M,) kcal/mol, the standard uncertainty of each label; None where nothing is told.

        Raises
        ------
        DataError
            An uncertainty is negative or no number.
        """
        name = f"{self.target}_uncertainty"
        if name not in self.columns:
            return None
        values = self.columns[name].values
        if not (values >= 0).all():
            m = int((~(values >= 0)).nonzero()[0])
            raise DataError(
                f"column {name!r} must hold uncertainties of 0 or more, got {float(values[m])} for "
                f"molecule {m}; give it one, or leave it out"
            )
        return values

    def weights(self, noise: float) -> Tensor:
        """Return how much each label counts: 1, or less where it is less certain than others.

        Parameters
        ----------
        noise
            s, the deviation that every label has, kcal/mol. 0: all labels count alike.

        Returns
        -------
        Tensor
            (M,) s² / (s² + u²), with the `uncertainties` u.
        """
        if noise == 0 or self.uncertainties is None:
            return torch.ones(len(self), dtype=torch.float64)
        return 1.0 / (1.0 + (self.uncertainties / noise).square())

    def __getitem__(self, which: Selection) -> Dataset:
        """Return the molecules that a number, a slice, a mask or row numbers select."""
        rows = rows_of(which, len(self))
        atoms = self.molecules.atoms_of(rows)
        columns = {
            name: replace(column, values=column.values[atoms if column.atomic else rows])
            for name, column in self.columns.items()
        }
        return Dataset(self.molecules[rows], columns, self.target)

    def with_column(self, name: str, column: Column) -> Dataset:
        """Return the same data with one column added or replaced.

        Parameters
        ----------
        name
            The column's name.
        column
            The column.
        """
        return replace(self, columns={**self.columns, name: column})

    def minus(self, energies: Tensor, forces: Tensor | None = None) -> Dataset:
        """Return the data with something subtracted from the target.

        Parameters
        ----------
        energies
            (M,) kcal/mol, subtracted from the target.
        forces
            (A, 3) kcal/mol/Å, subtracted from its forces. None leaves these as they are.
        """
        assert self.target is not None
        left = replace(self.columns[self.target], values=self.energies - energies)
        data = self.with_column(self.target, left)
        if self.forces is not None and forces is not None:
            name = f"{self.target}_forces"
            data = data.with_column(name, replace(self.columns[name], values=self.forces - forces))
        return data
