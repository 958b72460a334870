"""The cube a field is sampled in, and how a molecule stands in it.

    voxel i of N along an edge of length L has its centre at (i + ½) L/N − L/2

**Orientation.** The cube's centre is the centroid of the heavy atoms. Its x, y and z are their
principal axes, the largest variance first. (In a molecule of hydrogens alone, the hydrogens take
their part.) Three rules settle what is still open, so that a turned, moved or renumbered molecule
has the same field:

1. Variances that differ by less than a thousandth of their sum count as equal. Within equal ones,
   the principal axes of *all* atoms decide. Hydrogens orient water, methanol and allene.
2. Axes that are still equal (benzene, methane, C₆₀) are laid through atoms. Every heavy atom off
   the axis makes a candidate, or every hydrogen where no heavy atom is off the axis. Around the
   axis of CO₂ and around a lone atom there is nothing; there all directions are alike.
3. Every axis may point either way. All right-handed frames are candidates, and no left-handed one,
   which would hold the mirror image. The frame with the most nuclear charge near the point
   p = (2, 1, ½) Å is taken, that is with the largest Σ_a Z_a / (1 + |q_a − p|²/Å²). Frames of equal
   score are related by a symmetry of the molecule and have equal fields.

**Placing.** A molecule whose heavy atoms reach over a face is pushed in by as much as it sticks
out. A molecule longer than the cube is refused. Hydrogens may lie outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from onekcal.errors import InputError
from onekcal.molecules import Molecules

BOX = 10.4
"""Å, the edge of the paper's cube. It holds the heavy atoms of every molecule of QM9."""
EQUAL = 1e-3
"""Variances count as equal where they differ by less than this share of the sum of all three."""
OFF_AXIS = 0.1
"""Å. An atom nearer to an axis does not tell how to turn around it."""
LANDMARK = (2.0, 1.0, 0.5)
"""Å, the point p of rule 3.

No rotation or reflection that is a symmetry of a molecule leaves it in place.
"""


@dataclass(frozen=True)
class Frames:
    """Where each molecule's cube stands in the molecule's own coordinates.

    Parameters
    ----------
    axes
        (M, 3, 3) proper rotations; the rows are x, y and z of the cube.
    origin
        (M, 3) Å, the centre of the cube.
    """

    axes: Tensor
    origin: Tensor

    def placed(self, molecules: Molecules) -> Molecules:
        """Return the molecules in the coordinates of their cubes.

        Parameters
        ----------
        molecules
            The M molecules.
        """
        apart = molecules.positions.to(torch.float64) - self.origin[molecules.owner]
        return molecules.moved((self.axes[molecules.owner] @ apart[:, :, None]).squeeze(-1))

    def points(self, m: int, points: Tensor) -> Tensor:
        """Return points of a cube in its molecule's own coordinates.

        Parameters
        ----------
        m
            The row of the molecule.
        points
            (P, 3) Å, in the coordinates of the cube.

        Returns
        -------
        Tensor
            (P, 3) Å.
        """
        return points @ self.axes[m] + self.origin[m]


def centres(n: int, box: float = BOX) -> Tensor:
    """Return the voxel centres along one edge.

    Parameters
    ----------
    n
        How many voxels.
    box
        Å, the length of the edge.

    Returns
    -------
    Tensor
        (n,) Å.
    """
    if n < 1 or not box > 0:
        raise InputError(
            f"a grid needs n ≥ 1 voxels an edge and a box of positive length (Å), got {n} and {box}"
        )
    return (torch.arange(n, dtype=torch.float64) + 0.5) * (box / n) - box / 2


def cube(n: int, box: float = BOX) -> Tensor:
    """Return all voxel centres; z changes fastest.

    Parameters
    ----------
    n
        Voxels along an edge.
    box
        Å, the length of an edge.

    Returns
    -------
    Tensor
        (n³, 3) Å.
    """
    along = centres(n, box)
    return torch.cartesian_prod(along, along, along).reshape(-1, 3)


def frames(molecules: Molecules, box: float = BOX, turn: int = 0) -> Frames:
    """Return the cubes of all molecules.

    Parameters
    ----------
    molecules
        The M molecules.
    box
        Å, the length of an edge.
    turn
        0, or the number of a random rotation applied after the orientation.

    Raises
    ------
    InputError
        A molecule is longer than the cube.
    """
    oriented = _turned(principal(molecules), turn)
    low, high = extents(oriented.placed(molecules))
    too_long = (high - low).amax(1) > box
    if too_long.any():
        m = int((high - low).amax(1).argmax())
        needed = float((high - low).amax())
        name = str(molecules.names[m]) or f"#{m + 1} {molecules[m].formulas[0]}"
        raise InputError(
            f"{int(too_long.sum())} of {len(molecules)} molecules do not fit the box of {box:g} Å; "
            f"the largest ({name}) needs {rounded_up(needed):.1f} Å: give a larger box (--box), "
            "or --fit"
        )
    # (M, 3) in the cube's axes
    push = (-box / 2 - low).clamp_min(0.0) - (high - box / 2).clamp_min(0.0)
    return Frames(oriented.axes, oriented.origin - (push[:, None] @ oriented.axes).squeeze(1))


def size_needed(molecules: Molecules, turn: int = 0) -> float:
    """Return the smallest box (Å, in steps of 0.1 Å) that holds all heavy atoms.

    Parameters
    ----------
    molecules
        The molecules, which keep their orientation in the cube.
    turn
        As in `frames`.
    """
    low, high = extents(_turned(principal(molecules), turn).placed(molecules))
    return rounded_up(float((high - low).amax()))


def rounded_up(length: float) -> float:
    """Round a length up to the next 0.1 Å.

    Parameters
    ----------
    length
        Å.
    """
    return round(-(-(length - 1e-9) // 0.1) * 0.1, 1)


def extents(molecules: Molecules) -> tuple[Tensor, Tensor]:
    """Return the lowest and the highest coordinates of the heavy atoms.

    Parameters
    ----------
    molecules
        The M molecules. Where one has only hydrogens, these count.

    Returns
    -------
    tuple
        (M, 3) and (M, 3) Å.
    """
    counted = heavy(molecules)
    place = molecules.owner[counted][:, None].expand(-1, 3)
    inside = molecules.positions[counted].to(torch.float64)
    blank = torch.zeros(len(molecules), 3, dtype=torch.float64)
    low = blank.scatter_reduce(0, place, inside, "amin", include_self=False)
    return low, blank.scatter_reduce(0, place, inside, "amax", include_self=False)


def heavy(molecules: Molecules) -> Tensor:
    """Say which atoms orient a molecule: the heavy ones, or all where there is none.

    Parameters
    ----------
    molecules
        The molecules with A atoms.

    Returns
    -------
    Tensor
        (A,) bool.
    """
    some = molecules.numbers > 1
    none = molecules.sum_atoms(some.to(torch.int64)) == 0
    return some | none[molecules.owner]


def rotation(turn: int) -> Tensor:
    """Return a rotation of a fixed series of random ones, evenly distributed (unit quaternions).

    Parameters
    ----------
    turn
        Its number; 0 is no rotation.

    Returns
    -------
    Tensor
        (3, 3) float64.
    """
    if turn < 0:
        raise InputError(f"`turn` must be 0 (none) or the number of a random rotation, got {turn}")
    if turn == 0:
        return torch.eye(3, dtype=torch.float64)
    q = torch.randn(4, generator=torch.Generator().manual_seed(turn), dtype=torch.float64)
    w, x, y, z = (q / q.norm()).tolist()
    return torch.tensor(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ],
        dtype=torch.float64,
    )


def _turned(frames: Frames, turn: int) -> Frames:
    return Frames(rotation(turn) @ frames.axes, frames.origin)


# --- principal axes ---------------------------------------------------------------------------


def principal(molecules: Molecules) -> Frames:
    """Return frames by the rules above, before anything is pushed into a box.

    Parameters
    ----------
    molecules
        The molecules.
    """
    weights = heavy(molecules).to(torch.float64)
    positions = molecules.positions.to(torch.float64)
    centroid = (
        molecules.sum_atoms(positions * weights[:, None]) / molecules.sum_atoms(weights)[:, None]
    )
    r = positions - centroid[molecules.owner]  # (A, 3)
    products = weights[:, None, None] * r[:, :, None] * r[:, None, :]
    covariance = molecules.sum_atoms(products)  # (M, 3, 3)
    variances, vectors = torch.linalg.eigh(covariance)  # ascending
    axes = vectors.flip(2).transpose(1, 2).contiguous()  # rows, largest first
    undecided = variances.diff(dim=1).amin(1) <= EQUAL * variances.sum(1)
    axes = _pointed(molecules, r, axes)
    for m in undecided.nonzero().flatten().tolist():
        atoms = slice(int(molecules.offsets[m]), int(molecules.offsets[m + 1]))
        axes[m] = _symmetric(molecules.numbers[atoms], r[atoms], weights[atoms])
    return Frames(axes, centroid)


def _pointed(molecules: Molecules, r: Tensor, axes: Tensor) -> Tensor:
    """(M, 3, 3) the best of the four right-handed ways to point three axes."""
    candidates = []
    for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        x, y = signs[0] * axes[:, 0], signs[1] * axes[:, 1]
        candidates.append(torch.stack([x, y, torch.linalg.cross(x, y)], 1))
    scores = torch.stack(
        [
            molecules.sum_atoms(
                _score(molecules.numbers, (c[molecules.owner] @ r[:, :, None]).squeeze(-1))
            )
            for c in candidates
        ]
    )  # (4, M)
    return torch.stack(candidates)[scores.argmax(0), torch.arange(len(molecules))]


def _score(numbers: Tensor, q: Tensor) -> Tensor:
    """(…, A) contributions of atoms at `q` (…, A, 3) Å to the score of a frame."""
    return numbers / (1 + (q - q.new_tensor(LANDMARK)).square().sum(-1))


def _symmetric(numbers: Tensor, r: Tensor, weights: Tensor) -> Tensor:
    """(3, 3) the frame of one molecule whose heavy atoms leave axes open.

    `r` (n, 3) are the positions in Å from the centroid.
    """
    # bases (k, 3) of what is still open, largest variance first
    blocks = [torch.eye(3, dtype=torch.float64)]
    for w in (weights, torch.ones_like(weights)):
        covariance = (w[:, None] * r).T @ r
        blocks = [part for block in blocks for part in _split(block, covariance)]
    candidates = torch.stack(list(_candidates(blocks, r, weights > 0)))  # (K, 3, 3)
    scores = _score(numbers, torch.einsum("kij,aj->kai", candidates, r)).sum(1)
    return candidates[int((scores >= scores.max() * (1 - 1e-9)).nonzero()[0])]


def _split(block: Tensor, covariance: Tensor) -> list[Tensor]:
    """Parts of the subspace `block` (k, 3) whose variances of `covariance` (3, 3) differ."""
    if len(block) == 1:
        return [block]
    variances, vectors = torch.linalg.eigh(block @ covariance @ block.T)
    limit = EQUAL * float(covariance.diagonal().sum())
    rows = vectors.flip(1).T @ block  # (k, 3) largest variance first
    steps = (variances.diff().flip(0) > limit).nonzero().flatten() + 1
    return list(torch.tensor_split(rows, steps.tolist()))


def _candidates(blocks: list[Tensor], r: Tensor, first: Tensor) -> Iterator[Tensor]:
    """All right-handed frames that fit the parted axes and the atoms off them."""
    sizes = [len(block) for block in blocks]
    if sizes == [1, 1, 1]:
        for sx, sy in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            yield _right_handed(sx * blocks[0][0], sy * blocks[1][0])
    elif sizes == [3]:
        for x in _directions(r, first, blocks[0]):
            rest = torch.linalg.svd(x[None]).Vh[1:]  # (2, 3) the plane across x
            for y in _directions(r @ rest.T @ rest, first, rest):
                yield _right_handed(x, y)
    else:
        axis, plane = (blocks[0][0], blocks[1]) if sizes[0] == 1 else (blocks[1][0], blocks[0])
        for across in _directions(r @ plane.T @ plane, first, plane):
            for u in (axis, -axis):
                yield (
                    _right_handed(u, across)
                    if sizes[0] == 1
                    else _right_handed(across, torch.linalg.cross(u, across))
                )


def _directions(r: Tensor, first: Tensor, otherwise: Tensor) -> Tensor:
    """(K, 3) unit vectors to the atoms of `first` that are not at 0.

    Where all of these are at 0, the other atoms count. Where those are at 0 too, the result is the
    first row of `otherwise`.
    """
    lengths = r.norm(dim=1)
    off = lengths > OFF_AXIS
    chosen = off & first if (off & first).any() else off
    return r[chosen] / lengths[chosen, None] if chosen.any() else otherwise[:1]


def _right_handed(x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([x, y, torch.linalg.cross(x, y)])
