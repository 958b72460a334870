r"""The cube a field is sampled in, and how a molecule stands in it.

    voxel i of N along an edge of length L has its centre at (i + ½) L/N − L/2

**Orientation.** The cube's centre is the centroid of the heavy atoms, its x, y and z are their
principal axes: largest
variance first. (A molecule of hydrogens alone has its hydrogens in their place.) What that leaves
open is settled in
this order, so that a turned, moved or renumbered molecule has the same field:

1. Variances that differ by less than a thousandth of their sum count as equal. Within equal ones,
the principal axes
   of *all* atoms decide: hydrogens orient water, methanol and allene.
2. Axes that are equal still (benzene, methane, C₆₀) are laid through atoms: every heavy atom off
the axis (hydrogens,
   where there is none) makes a candidate. Nothing is off the axis of CO₂ or around a lone atom:
   there all are alike.
3. Every axis may point either way. All right-handed frames are candidates – never a left-handed
one, which would hold
   the mirror image – and the one with the most nuclear charge near the point p = (2, 1, ½) Å is
   taken: the largest
   Σ_a Z_a / (1 + |q_a − p|²/Å²). Frames of equal score are related by a symmetry of the molecule,
   and have equal fields.

**Placing.** A molecule whose heavy atoms reach over a face is pushed in by as much as it sticks
out; one longer than
the cube is refused. Hydrogens may lie outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from onekcal.errors import InputError
from onekcal.molecules import Molecules

BOX = 10.4
"""Å; the edge of the paper's cube. It holds the heavy atoms of every molecule of QM9."""
EQUAL = 1e-3
"""Variances nearer than this share of the sum of all three count as equal."""
OFF_AXIS = 0.1
"""Å; an atom nearer to an axis does not say where to turn around it."""
LANDMARK = (2.0, 1.0, 0.5)
"""Å; the point p of rule 3. No rotation or reflection that a molecule could have as a symmetry
leaves it in place.
"""


@dataclass(frozen=True)
class Frames:
    """Where each molecule's cube stands in the molecule's own coordinates."""

    axes: Tensor  # (M, 3, 3) rows: x, y, z of the cube; proper rotations
    origin: Tensor  # (M, 3) Å: centre of the cube

    def placed(self, molecules: Molecules) -> Molecules:
        """The molecules in the coordinates of their cubes, Å."""
        apart = molecules.positions.to(torch.float64) - self.origin[molecules.owner]
        return molecules.moved((self.axes[molecules.owner] @ apart[:, :, None]).squeeze(-1))

    def points(self, m: int, points: Tensor) -> Tensor:
        """Points (P, 3) Å of the cube of molecule `m`, in that molecule's own coordinates."""
        return points @ self.axes[m] + self.origin[m]


def centres(n: int, box: float = BOX) -> Tensor:
    """(n,) Å: voxel centres along one edge."""
    if n < 1 or not box > 0:
        raise InputError(
            f"a grid needs n ≥ 1 voxels an edge and a box of positive length (Å), got {n} and {box}"
        )
    return (torch.arange(n, dtype=torch.float64) + 0.5) * (box / n) - box / 2


def cube(n: int, box: float = BOX) -> Tensor:
    """(n³, 3) Å: all voxel centres, z fastest."""
    along = centres(n, box)
    return torch.cartesian_prod(along, along, along).reshape(-1, 3)


def frames(molecules: Molecules, box: float = BOX, turn: int = 0) -> Frames:
    """The cubes of all molecules, principal axes as above; `turn` k > 0 adds the k-th random
    rotation to all.
    """
    found = _turned(principal(molecules), turn)
    low, high = extents(found.placed(molecules))
    too_long = (high - low).amax(1) > box
    if too_long.any():
        m = int((high - low).amax(1).argmax())
        needed = float((high - low).amax())
        name = str(molecules.names[m]) or f"#{m + 1} {molecules[m].formulas[0]}"
        raise InputError(
            f"{int(too_long.sum())} of {len(molecules)} molecules do not fit the box of {box:g} Å; "
            f"the largest ({name}) "
            f"needs {rounded_up(needed):.1f} Å: give a larger box (--box), or --fit"
        )
    push = torch.clamp(-box / 2 - low, min=0.0) - torch.clamp(
        high - box / 2, min=0.0
    )  # (M, 3) in the cube's axes
    return Frames(found.axes, found.origin - (push[:, None] @ found.axes).squeeze(1))


def size_needed(molecules: Molecules, turn: int = 0) -> float:
    """Å: the smallest box, in steps of 0.1 Å, that holds the heavy atoms of every molecule in its
    orientation.
    """
    low, high = extents(_turned(principal(molecules), turn).placed(molecules))
    return rounded_up(float((high - low).amax()))


def rounded_up(length: float) -> float:
    """Å, to the next 0.1."""
    return round(-(-(length - 1e-9) // 0.1) * 0.1, 1)


def extents(molecules: Molecules) -> tuple[Tensor, Tensor]:
    """(M, 3) Å each: lowest and highest coordinates of the heavy atoms (of all atoms where there
    are only hydrogens).
    """
    counted = heavy(molecules)
    place = molecules.owner[counted][:, None].expand(-1, 3)
    inside = molecules.positions[counted].to(torch.float64)
    blank = torch.zeros(len(molecules), 3, dtype=torch.float64)
    low = blank.scatter_reduce(0, place, inside, "amin", include_self=False)
    return low, blank.scatter_reduce(0, place, inside, "amax", include_self=False)


def heavy(molecules: Molecules) -> Tensor:
    """(A,) which atoms orient a molecule: the heavy ones, or all where there is none."""
    some = molecules.numbers > 1
    none = molecules.sum_atoms(some.to(torch.int64)) == 0
    return some | none[molecules.owner]


def rotation(turn: int) -> Tensor:
    """(3, 3) the `turn`-th of a fixed series of random rotations, evenly distributed (unit
    quaternions); 0 is none.
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


def _turned(found: Frames, turn: int) -> Frames:
    return Frames(rotation(turn) @ found.axes, found.origin)


# --- principal axes ---------------------------------------------------------------------------


def principal(molecules: Molecules) -> Frames:
    """Frames by the rules above, before anything is pushed into a box."""
    weights = heavy(molecules).to(torch.float64)
    positions = molecules.positions.to(torch.float64)
    centroid = (
        molecules.sum_atoms(positions * weights[:, None]) / molecules.sum_atoms(weights)[:, None]
    )
    r = positions - centroid[molecules.owner]  # (A, 3)
    covariance = molecules.sum_atoms(
        weights[:, None, None] * r[:, :, None] * r[:, None, :]
    )  # (M, 3, 3)
    variances, vectors = torch.linalg.eigh(covariance)  # ascending
    axes = vectors.flip(2).transpose(1, 2).contiguous()  # rows, largest first
    undecided = variances.diff(dim=1).amin(1) <= EQUAL * variances.sum(1)
    axes = _pointed(molecules, r, axes)
    for m in undecided.nonzero().flatten().tolist():
        atoms = slice(int(molecules.offsets[m]), int(molecules.offsets[m + 1]))
        axes[m] = _symmetric(molecules.numbers[atoms], r[atoms], weights[atoms])
    return Frames(axes, centroid)


def _pointed(molecules: Molecules, r: Tensor, axes: Tensor) -> Tensor:
    """(M, 3, 3) the best of the four right-handed ways to point three axes, in the order of their
    score.
    """
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
    """(3, 3) the frame of one molecule whose heavy atoms leave axes open; `r` (n, 3) Å from the
    centroid.
    """
    blocks = [
        torch.eye(3, dtype=torch.float64)
    ]  # bases (k, 3) of what is still open, largest variance first
    for w in (weights, torch.ones_like(weights)):
        covariance = (w[:, None] * r).T @ r
        blocks = [part for block in blocks for part in _split(block, covariance)]
    candidates = torch.stack(list(_candidates(blocks, r, weights > 0)))  # (K, 3, 3)
    scores = _score(numbers, torch.einsum("kij,aj->kai", candidates, r)).sum(1)
    return candidates[int((scores >= scores.max() * (1 - 1e-9)).nonzero()[0])]


def _split(block: Tensor, covariance: Tensor) -> list[Tensor]:
    """The subspace `block` (k, 3) parted where the variances of `covariance` (3, 3) along it
    differ.
    """
    if len(block) == 1:
        return [block]
    variances, vectors = torch.linalg.eigh(block @ covariance @ block.T)
    limit = EQUAL * float(covariance.diagonal().sum())
    rows = vectors.flip(1).T @ block  # (k, 3) largest variance first
    steps = (variances.diff().flip(0) > limit).nonzero().flatten() + 1
    return list(torch.tensor_split(rows, steps.tolist()))


def _candidates(blocks: list[Tensor], r: Tensor, first: Tensor) -> Iterator[Tensor]:
    """All right-handed frames that the parted axes and the atoms in what is open allow."""
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
    """(K, 3) unit vectors to the atoms that are not at 0: those of `first`, else of all, else one
    of `otherwise`.
    """
    lengths = r.norm(dim=1)
    off = lengths > OFF_AXIS
    chosen = off & first if (off & first).any() else off
    return r[chosen] / lengths[chosen, None] if chosen.any() else otherwise[:1]


def _right_handed(x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([x, y, torch.linalg.cross(x, y)])
