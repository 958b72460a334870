"""What a data set holds: molecules, elements, and the values of its columns."""

from __future__ import annotations

import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.datasets.doctor.diagnosis import Diagnosis
from onekcal.datasets.doctor.energies import size_and_unit
from onekcal.molecules import SYMBOLS, Molecules

RARE = 10
"""A model cannot learn an element that fewer molecules have."""


def counts(diagnosis: Diagnosis, molecules: Molecules) -> None:
    """Report molecules, atoms and elements, rare elements, ions and open shells.

    Parameters
    ----------
    diagnosis
        The findings are added to it.
    molecules
        The molecules.
    """
    sizes = molecules.sizes
    elements = ", ".join(
        f"{SYMBOLS[z]} {int((molecules.numbers == z).sum()):,}" for z in molecules.elements
    )
    diagnosis.add(
        "ok",
        "molecules",
        f"{len(molecules):,} of {int(sizes.min())} to {int(sizes.max())} atoms "
        f"({len(molecules.numbers):,} atoms: {elements})",
    )
    holders = (molecules.composition(molecules.elements) > 0).sum(0).tolist()
    rare = [
        f"{SYMBOLS[z]} ({count})" for z, count in zip(molecules.elements, holders) if count < RARE
    ]
    if rare and len(molecules) > 10 * RARE:
        diagnosis.add(
            "note",
            "elements",
            f"{', '.join(rare)} in fewer than {RARE} molecules",
            "too few to learn from: drop those molecules, or see that the training part has them",
        )
    charged, open_shell = int((molecules.charges != 0).sum()), int((molecules.spins != 0).sum())
    if charged or open_shell:
        diagnosis.add(
            "note",
            "electrons",
            f"{charged:,} charged and {open_shell:,} open-shell molecules",
            "models here learn neutral closed shells unless they say otherwise",
        )


def column_values(diagnosis: Diagnosis, dataset: Dataset, name: str, column: Column) -> None:
    """Report the range of a column, and values that are missing or lost.

    Parameters
    ----------
    diagnosis
        The findings are added to it.
    dataset
        The whole data set.
    name, column
        The column and its name.
    """
    values = column.values.to(torch.float64)
    bad = ~torch.isfinite(values).reshape(len(values), -1).all(1)
    if bad.any():
        first = int(bad.nonzero()[0])
        rows = len(dataset.molecules.owner[bad].unique()) if column.atomic else int(bad.sum())
        row = int(dataset.molecules.owner[first]) if column.atomic else first
        diagnosis.add(
            "error",
            name,
            f"{rows:,} of {len(dataset):,} values are missing or not finite, first in row {row}",
            "remove those molecules or complete the labels; training refuses them",
        )
        if bad.all():
            return
    good = values[~bad]
    note = f"; {column.note}" if column.note else ""
    detail = (
        f"{column.meaning}; {float(good.min()):.2f} … {float(good.max()):.2f}, "
        f"mean {float(good.mean()):.2f} {column.unit}{note}"
    )
    equal = len(good) > 2 and float(good.max()) == float(good.min())
    if equal and column.quantity != "energy":  # no imaginary frequency in any molecule, for example
        diagnosis.add("ok", name, f"{detail}; all values are equal")
    elif equal:
        diagnosis.add(
            "error",
            name,
            f"{detail}; all values are equal",
            "the labels were lost on the way; import again",
        )
    elif column.quantity == "energy":
        size_and_unit(diagnosis, name, column, detail, values[~bad], dataset.molecules[~bad])
    else:
        diagnosis.add("ok", name, detail)
    if column.quantity == "energy" and not column.level:
        diagnosis.add(
            "note", name, "its level of theory is not stated", "import it again with --level"
        )
