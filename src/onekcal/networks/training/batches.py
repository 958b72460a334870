"""A data set as padded tensors on the training device, and which molecules make a batch.

The molecules of a batch have nearly equal sizes: all molecules are shuffled, sorted by size within
windows of many batches, and cut into batches; then the batches are shuffled. A batch of any size is
gathered by a few indexings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, InputError
from onekcal.molecules import SYMBOLS, Molecules
from onekcal.networks.network import Batch

ASKED, ASKED_PAIRS = 256, 2**17
"""Most molecules, and most pairs of atoms, of a batch outside training."""


def species_of(numbers: Tensor, elements: Sequence[int]) -> Tensor:
    """Return the place of each atom's element among the elements of a network.

    Parameters
    ----------
    numbers
        (A,) nuclear charges.
    elements
        Nuclear charges of the network, ascending.

    Returns
    -------
    Tensor
        (A,) int64.

    Raises
    ------
    InputError
        Names the elements that the network does not know.
    """
    table = torch.full((len(SYMBOLS),), -1)
    table[list(elements)] = torch.arange(len(elements))
    places = table[numbers]
    if (places < 0).any():
        strange = ", ".join(SYMBOLS[int(z)] for z in numbers[places < 0].unique())
        raise InputError(
            f"the network knows no {strange}: its training molecules had "
            f"{', '.join(SYMBOLS[z] for z in elements)}; leave these molecules out, or train with "
            "some"
        )
    return places


def check_elements(molecules: Molecules, elements: Sequence[int], part: str) -> None:
    """Refuse a part of the data with an element that no training molecule has.

    Parameters
    ----------
    molecules
        The molecules of the part.
    elements
        Nuclear charges of the training molecules.
    part
        Name of the part, for the message.

    Raises
    ------
    ConfigError
        Names the elements.
    """
    strange = [z for z in molecules.elements if z not in elements]
    if strange:
        count = int((molecules.composition(strange).sum(1) > 0).sum())
        raise ConfigError(
            f"{count} molecules of the {part} part have {', '.join(SYMBOLS[z] for z in strange)}, "
            f"which no training molecule has ({', '.join(SYMBOLS[z] for z in elements)}); train on "
            "more molecules, choose another split, or leave these out"
        )


@dataclass
class Held:
    """Molecules with their labels, padded to the largest."""

    species: Tensor  # (N, n) int64
    positions: Tensor  # (N, n, 3) Å
    sizes: Tensor  # (N,) on the CPU
    atoms: Tensor  # (N,) the same, on the device
    # (N,) float64 kcal/mol, or the property's unit; (N, n) of atoms, 0 where there is none
    energies: Tensor
    forces: Tensor | None  # (N, n, 3) kcal/mol/Å, 0 where unknown
    known: Tensor | None  # (N,) bool, where forces are known
    inputs: Callable[[Tensor], Tensor] | None = None
    """Rows (B,) → (B, …) on the CPU (see `NetworkModel.inputs`)."""
    unit: str = "kcal/mol"
    weights: Tensor | None = None
    """(N,) float64, how much each energy counts; None: all alike."""

    @classmethod
    def of(
        cls,
        data: Dataset,
        elements: Sequence[int],
        device: torch.device,
        dtype: torch.dtype,
        forces: bool,
        noise: float = 0.0,
    ) -> Held:
        """Put everything of a data set that training reads on the device.

        Parameters
        ----------
        data
            N molecules with labels.
        elements
            Nuclear charges of the network, ascending.
        device, dtype
            Where the tensors lie, and the type of positions and forces.
        forces
            Whether forces are read.
        noise
            kcal/mol, the deviation that every label has; labels that are less certain count less
            (`Dataset.weights`). 0: all count alike.
        """
        molecules = data.molecules
        owner = molecules.owner
        slot = torch.arange(len(owner)) - torch.repeat_interleave(
            molecules.offsets[:-1], molecules.sizes
        )
        largest = int(molecules.sizes.max()) if len(molecules) else 1
        species = torch.zeros(len(molecules), largest, dtype=torch.int64)
        species[owner, slot] = species_of(molecules.numbers, elements)
        positions = torch.zeros(len(molecules), largest, 3, dtype=dtype)
        positions[owner, slot] = molecules.positions.to(dtype)
        labels = data.energies.to(torch.float64)
        if data.aim.atomic:
            labels = torch.zeros(species.shape, dtype=torch.float64).index_put(
                (owner, slot), labels
            )
        pull = known = None
        if forces:
            assert data.forces is not None
            missing = (
                molecules.sum_atoms((~torch.isfinite(data.forces)).any(1).to(torch.int64)) > 0
            )  # (N,)
            pull = torch.zeros(len(molecules), largest, 3, dtype=dtype)
            pull[owner, slot] = torch.where(missing[owner][:, None], 0.0, data.forces).to(dtype)
            pull, known = pull.to(device), (~missing).to(device)
        return cls(
            species.to(device),
            positions.to(device),
            molecules.sizes,
            molecules.sizes.to(device),
            labels.to(device),
            pull,
            known,
            unit=data.aim.unit,
            weights=data.weights(noise).to(device) if noise and not data.aim.atomic else None,
        )

    def __len__(self) -> int:
        return len(self.sizes)

    def batch(self, rows: Tensor) -> tuple[Batch, Tensor]:
        """Return some of the molecules, padded to the largest of them.

        Parameters
        ----------
        rows
            (B,) row numbers, on the CPU.

        Returns
        -------
        tuple
            The batch, and `rows` on the device.
        """
        size = int(self.sizes[rows].max())
        there = rows.to(self.atoms.device, non_blocking=True)
        mask = torch.arange(size, device=there.device) < self.atoms[there][:, None]  # (B, n)
        inputs = None if self.inputs is None else self.inputs(rows).to(self.positions)
        return Batch(self.species[there, :size], self.positions[there, :size], mask, inputs), there


def in_order(
    sizes: Tensor, molecules: int = ASKED, pairs: int | None = ASKED_PAIRS
) -> list[Tensor]:
    """Return rows of every molecule once, the largest first, cut into batches.

    Parameters
    ----------
    sizes
        (N,) atoms of each molecule.
    molecules, pairs
        Most molecules and most pairs of atoms of a batch; None for any number of pairs.
    """
    return _cut(sizes.argsort(descending=True, stable=True), sizes, molecules, pairs)


def shuffled(
    sizes: Tensor, molecules: int, pairs: int | None, window: int, generator: torch.Generator
) -> list[Tensor]:
    """Return rows of every molecule once, in random batches of nearly equal sizes.

    Parameters
    ----------
    sizes
        (N,) atoms of each molecule.
    molecules, pairs
        Most molecules and most pairs of atoms of a batch; None for any number of pairs.
    window
        Batches whose molecules are sorted by size together.
    generator
        Source of the random order.
    """
    order = torch.randperm(len(sizes), generator=generator)
    width = window * (
        molecules if pairs is None else max(1, pairs // int(sizes.square().double().mean()))
    )
    batches = []
    for some in order.split(width):
        batches += _cut(
            some[sizes[some].argsort(descending=True, stable=True)], sizes, molecules, pairs
        )
    return [batches[k] for k in torch.randperm(len(batches), generator=generator).tolist()]


def _cut(rows: Tensor, sizes: Tensor, molecules: int, pairs: int | None) -> list[Tensor]:
    """Sorted rows, cut after `molecules` or where n² · molecules would exceed `pairs`."""
    if pairs is None:
        return list(rows.split(molecules)) if len(rows) else []
    out, first = [], 0
    while first < len(rows):
        fits = max(1, pairs // int(sizes[rows[first]]) ** 2)
        out.append(rows[first : first + min(fits, molecules)])
        first += len(out[-1])
    return out
