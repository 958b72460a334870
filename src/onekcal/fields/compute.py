"""Fields of a batch of molecules: what is requested, and how it is computed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from onekcal.errors import OnekcalError
from onekcal.fields.atom_values import values_of
from onekcal.fields.atoms import counted, gaussian, summed, wave
from onekcal.fields.electronic import FUNCTIONS, by_spin
from onekcal.fields.electrostatic import nuclear_potential, total_potential
from onekcal.fields.grid import BOX, Frames, centres, cube, frames
from onekcal.fields.kinds import FIELDS_FORMAT, SPINS, FieldKind, any_electronic, channels
from onekcal.molecules import Molecules
from onekcal.quantum.orbitals.named import density_name, orbitals
from onekcal.quantum.orbitals.orbitals import Orbitals
from onekcal.system.parallel import Result, Task
from onekcal.system.threads import one_thread
from onekcal.units import BOHR


@dataclass(frozen=True)
class FieldRequest:
    """The channels that are wanted, and the grid on which they are sampled.

    Parameters
    ----------
    kinds
        The C channels.
    density
        The name of the density, or "" where no channel needs one.
    n
        Voxels along an edge of the cube.
    box
        Å, the length of an edge.
    turn
        0, or the number of a random rotation.
    """

    kinds: tuple[FieldKind, ...]
    density: str
    n: int
    box: float = BOX
    turn: int = 0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(C, n, n, n), the shape of one molecule's fields."""
        return len(self.kinds), self.n, self.n, self.n

    @property
    def contents(self) -> tuple[str, ...]:
        """What the values of each channel depend on besides the molecule."""
        return tuple(kind.content(self.density, self.n, self.box, self.turn) for kind in self.kinds)

    def only(self, which: Sequence[int]) -> FieldRequest:
        """Return the request for some of the channels.

        Parameters
        ----------
        which
            Their places in `kinds`.
        """
        return replace(self, kinds=tuple(self.kinds[c] for c in which))


def request(
    kinds: Sequence[str], density: str = "gfn2", n: int = 14, box: float = BOX, turn: int = 0
) -> FieldRequest:
    """Make a request from names.

    Parameters
    ----------
    kinds, density, n, box, turn
        As in `onekcal.fields.fields`.

    Raises
    ------
    InputError
        A kind or the density is unknown, or the grid is impossible.
    """
    chosen = channels(kinds)
    centres(n, box)  # refuses an impossible grid
    source = density_name(density) if any_electronic(chosen) else ""
    return FieldRequest(chosen, source, n, float(box), turn)


def keys_of(molecules: Molecules) -> np.ndarray:
    """Return a hash of each molecule's nuclei, positions, charge and unpaired electrons.

    Parameters
    ----------
    molecules
        The M molecules.

    Returns
    -------
    ndarray
        (M,) void16.
    """
    numbers = molecules.numbers.numpy().astype("<i8")
    positions = molecules.positions.numpy().astype("<f8")
    state = np.stack([molecules.charges.numpy(), molecules.spins.numpy()], 1).astype("<i8")
    bounds = molecules.offsets.tolist()
    return np.array(
        [
            hashlib.sha256(
                numbers[a:b].tobytes() + positions[a:b].tobytes() + state[m].tobytes()
            ).digest()[:16]
            for m, (a, b) in enumerate(zip(bounds[:-1], bounds[1:]))
        ],
        dtype="V16",
    )


OrbitalSource = Callable[[Molecules, str], Orbitals]


def sampled(
    molecules: Molecules,
    what: FieldRequest,
    failed: dict[int, str] | None = None,
    source: OrbitalSource = orbitals,
    cubes: Frames | None = None,
) -> Tensor:
    """Compute the requested fields.

    Parameters
    ----------
    molecules
        The M molecules.
    what
        The request.
    failed
        Messages by row. A density that cannot be computed adds one, and its fields are NaN. None:
        it is an error.
    source
        A function that gives the orbitals of a molecule.
    cubes
        Where the cubes stand. None: as the molecules are oriented.

    Returns
    -------
    Tensor
        (M, C, n, n, n) float32.
    """
    cubes = cubes or frames(molecules, what.box, what.turn)
    placed, along = cubes.placed(molecules), centres(what.n, what.box)
    out = torch.empty(len(molecules), *what.shape)
    for c, kind in enumerate(what.kinds):
        if not kind.electronic:
            out[:, c] = _of_nuclei(kind, placed, along, what)
    where = [c for c, kind in enumerate(what.kinds) if kind.electronic]
    if not where:
        return out
    points = cube(what.n, what.box)
    for m, molecule in enumerate(molecules):
        try:
            values = of_orbitals(
                source(molecule, what.density),
                cubes.points(m, points) / BOHR,
                what.only(where).kinds,
            )
            out[m, where] = values.reshape(len(where), what.n, what.n, what.n)
        except Exception as problem:  # a crash of one molecule must not cost the others
            if failed is None:
                raise
            out[m, where] = torch.nan
            failed[m] = (
                str(problem)
                if isinstance(problem, OnekcalError)
                else f"{type(problem).__name__}: {problem}"
            )
    return out


def of_orbitals(source: Orbitals, points: Tensor, kinds: Sequence[FieldKind]) -> Tensor:
    """Compute electronic fields at points.

    Parameters
    ----------
    source
        The orbitals.
    points
        (P, 3) Bohr, in the coordinates of the orbitals.
    kinds
        The C channels, all of them electronic.

    Returns
    -------
    Tensor
        (C, P) float32, atomic units.
    """
    densities = source.density(points) if any(kind.field in FUNCTIONS for kind in kinds) else []
    spins = by_spin(densities) if densities else ()
    rows = []
    for kind in kinds:
        if kind.field == "esp":
            rows.append(total_potential(source, points))
        else:
            rows.append(FUNCTIONS[kind.field]([spins[SPINS[kind.spin]]] if kind.spin else spins))
    return torch.stack(rows).to(torch.float32)


def _of_nuclei(kind: FieldKind, placed: Molecules, along: Tensor, what: FieldRequest) -> Tensor:
    """(M, n, n, n) float32: a field that needs no density."""
    if kind.field == "nep":
        return nuclear_potential(placed, along)
    values = values_of(placed, kind.of)
    if kind.field == "atom":
        return counted(placed, what.n, what.box, values)
    return summed(placed, along, values, (gaussian if kind.field == "gauss" else wave)(kind.sigma))


# --- tasks -------------------------------------------------------------------------------------


def packages(
    molecules: Molecules, rows: np.ndarray, what: FieldRequest, size: int
) -> Iterator[Task]:
    """Give tasks for other processes. They hold arrays and the request, but no tensors.

    Parameters
    ----------
    molecules
        The molecules.
    rows
        The rows of those that are computed.
    what
        The request.
    size
        Molecules in a task.
    """
    for first in range(0, len(rows), size):
        some = rows[first : first + size]
        part = molecules[some]
        yield {
            "format": FIELDS_FORMAT,
            "key": some,
            "request": what,
            "numbers": part.numbers.numpy(),
            "positions": part.positions.numpy(),
            "offsets": part.offsets.numpy(),
            "charge": part.charges.numpy(),
            "spin": part.spins.numpy(),
            "name": part.names,
        }


def compute(task: Task) -> Result:
    """Compute the fields of one task.

    Parameters
    ----------
    task
        One of `packages`.

    Returns
    -------
    dict
        The task's `key`, its `values`, and the `errors` of molecules that failed, by their place in
        the task.
    """
    tensors = {
        key: torch.from_numpy(task[key])
        for key in ("numbers", "positions", "offsets", "charge", "spin")
    }
    failed: dict[int, str] = {}
    with one_thread():
        values = sampled(Molecules(**tensors, name=task["name"]), task["request"], failed)
    return {"key": task["key"], "values": values.numpy(), "errors": failed}
