r"""The 3-D DenseNet as a model: fields of a molecule in a cube, a convolutional network, an energy.

The network, its equations and its citation are in `onekcal.networks.densenet`; the fields and the
orientation of the cube are in `onekcal.fields`. In the published way each molecule has one
orientation and is looked at once. Four settings go beyond that:

- `augment`: in training, each look is at a random image of the cube: "signs" reverses axes (8
  images), "cube" turns and reflects in every way (48). Voxels fall on voxels, so that all images
  come from one stored field. A mirror image of a molecule has the same energy.
- `turns`: fields in this many random orientations are stored, besides the principal one. Each look
  takes one of them.
- `views`: an answer is the mean over this many looks, and `spread` is their standard deviation.
- `symmetry`: kernels do not change under "signs" or "cube", so that the network need not learn it.

Energies depend on the orientation of the cube. A molecule that is moved, turned or renumbered has
the same cube but for rounding, so its energy is the same. There is no gradient through the
orientation; forces are finite differences.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from onekcal.data.dataset import Columns
from onekcal.errors import ConfigError, InputError, unknown
from onekcal.fields import BOX, fields, stored_fields
from onekcal.fields.compute import request
from onekcal.fields.cost import seconds_of
from onekcal.models.limits import at_least
from onekcal.models.model import central_differences
from onekcal.molecules import Molecules
from onekcal.networks.cube_symmetry import SYMMETRIES, motions
from onekcal.networks.densenet import DenseNetwork
from onekcal.networks.model import NetworkModel
from onekcal.networks.training import distributed
from onekcal.networks.training.settings import Recipes

KEPT = 1.5
"""Fields of an answer are stored if they take about this many seconds or more to compute."""


class VoxelDenseNet(NetworkModel):
    """3-D DenseNet on fields of a molecule in a cube; energies in kcal/mol.

    Parameters
    ----------
    kinds
        Names of the fields, one channel each, such as `nep`, `lol`, `elf` or `atoms`.
    density
        Method that gives the electron density of electronic fields.
    grid
        Voxels along each edge of the cube.
    box
        Edge of the cube, Å.
    blocks
        Number of layers of each dense block.
    growth
        Channels that each layer adds.
    stem
        Channels before the first block.
    bottleneck
        Channels before a layer's 3×3×3 convolution, in units of `growth`.
    compression
        Share of the channels that pass a transition, above 0 and at most 1.
    together
        Molecules that are normalised together in training.
    symmetry
        Motions of the cube under which the kernels do not change: `none`, `signs` or `cube`.
    augment
        Motions of the cube of which each look in training takes one: `none`, `signs` or `cube`.
    turns
        Random orientations in which fields are stored, besides the principal one.
    views
        Looks whose mean is an answer.
    """

    differentiable = False
    tells_novelty = False  # a second look would double the cost, and there are no forces to guard
    kept = KEPT
    recipes: ClassVar[Recipes] = {
        "paper": {
            "optimizer": "sgd",
            "momentum": 0.9,
            "rate": 0.1,
            "weight_decay": 1e-4,
            "loss": "mae",
            "batch": 128,
            "schedule": "plateau",
            "watch": "loss",
            "patience": 6,
            "decay": 0.75,
            "threshold": 0.005,
            "floor": 1e-6,
            "standardize": False,
            "window": 1,
            "epochs": 250,
        },
        "fast": {
            "optimizer": "adamw",
            "rate": 5e-3,
            "weight_decay": 1e-4,
            "loss": "mae",
            "batch": 32,
            "schedule": "onecycle",
            "ema": 0.99,
            "precision": "bf16",
            "window": 1,
            "epochs": 25,
        },
    }

    def __init__(
        self,
        kinds: str | Sequence[str] = "nep",
        density: str = "gfn2",
        grid: int = 14,
        box: float = BOX,
        blocks: Sequence[int] = (16, 16),
        growth: int = 12,
        stem: int = 64,
        bottleneck: int = 4,
        compression: float = 0.5,
        together: int = 32,
        symmetry: str = "none",
        augment: str = "none",
        turns: int = 0,
        views: int = 1,
        fit: dict[str, object] | None = None,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        for name, word in (("symmetry", symmetry), ("augment", augment)):
            if word not in SYMMETRIES:
                unknown(name, word, SYMMETRIES, ConfigError)
        at_least(
            "densenet",
            ("grid", grid, 2 ** len(blocks)),
            ("blocks", len(blocks), 1),
            ("growth", growth, 1),
            ("stem", stem, 1),
            ("bottleneck", bottleneck, 1),
            ("together", together, 1),
            ("turns", turns, 0),
            ("blocks", min(blocks, default=1), 1),
        )
        if not 0 < compression <= 1:
            raise ConfigError(
                f"densenet: `compression` must be above 0 and at most 1, got {compression}"
            )
        if symmetry != "none" and grid % 2 ** (len(blocks) - 1):
            raise ConfigError(
                f"densenet: a symmetric network halves its grid {len(blocks) - 1} times, and "
                f"{grid} is not even each time; choose another `grid`"
            )
        super().__init__(fit, seed, dtype)
        if self.training.force_weight:
            raise ConfigError(
                "densenet has no gradient with respect to nuclei: it cannot be trained on forces; "
                "leave out fit.force_weight"
            )
        self.asked = request([kinds] if isinstance(kinds, str) else list(kinds), density, grid, box)
        self.shape = tuple(blocks), growth, stem, bottleneck, compression, symmetry, together
        self.turns, self.motions = turns, motions(augment, grid)
        looks = (1 + turns) * len(self.motions)
        if not 1 <= views <= looks:
            raise ConfigError(
                f"densenet: `views` must be between 1 and {looks} with augment: {augment} and "
                f"turns: {turns}, got {views}"
            )
        self.views = views

    def network(self, elements: tuple[int, ...]) -> DenseNetwork:
        """Return an untrained network for these nuclear charges."""
        return DenseNetwork(elements, len(self.asked.kinds), (self.asked.n,) * 3, *self.shape)

    def inputs(self, molecules: Molecules, learn: bool) -> Callable[[Tensor], Tensor] | None:
        """Return the fields of molecules, one random look in training, otherwise `views` looks."""
        if not len(molecules):
            return None
        # the first process computes what is not stored yet, and the others read it
        if learn and distributed.world() > 1:
            if distributed.first():
                self._fields(molecules, True)
            distributed.wait()
        return Looks(self._fields(molecules, learn), self.motions, None if learn else self.views)

    def _fields(self, molecules: Molecules, learn: bool) -> Sequence[Fields]:
        """(M, channels, n, n, n) in each orientation, as arrays that may lie on the disk."""
        one = self.asked
        names = tuple(kind.name for kind in one.kinds)
        orientations = range(1 + self.turns if learn else min(1 + self.turns, self.views))
        if learn or len(molecules) * seconds_of(one) >= self.kept:
            return [
                stored_fields(molecules, names, one.density, one.n, one.box, turn)
                for turn in orientations
            ]
        return [
            fields(molecules, names, one.density, one.n, one.box, turn).numpy()
            for turn in orientations
        ]

    def forces(self, molecules: Molecules, columns: Columns | None = None) -> Tensor:
        """(A, 3) kcal/mol/Å by central differences; their fields are not stored."""
        passing = copy.copy(self)
        passing.kept = math.inf
        return central_differences(passing, molecules)

    def variance(self, molecules: Molecules) -> Tensor:
        """(M,) kcal²/mol²: the spread between views, and between the members of an ensemble."""
        if self.views < 2 and len(self.networks) < 2:
            raise InputError(
                "the variance is the spread between views or networks, and this is one view by one "
                "network; train with `views: 8` (and augment: signs), or with fit: {ensemble: 4}"
            )
        out = torch.zeros(len(molecules), dtype=torch.float64)
        if len(self.networks) > 1:
            out += self._each(molecules).var(0)
        return out + self.terms(molecules)["spread"].square() if self.views > 1 else out

    def terms(self, molecules: Molecules) -> dict[str, Tensor]:
        """Return `spread` (M,), kcal/mol: the standard deviation between several views."""
        return {name: self.scale * values for name, values in super().terms(molecules).items()}


class Fields(Protocol):
    """Fields (M, channels, n, n, n) in memory or on the disk, indexed by row numbers."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: npt.NDArray[np.int64], /) -> npt.NDArray[np.float32]: ...


class Looks:
    """Fields of molecules by their rows, (B, views, channels, n, n, n).

    Parameters
    ----------
    fields
        (M, channels, n, n, n) for each orientation.
    motions
        (G, n³), from `cube_symmetry.motions`.
    views
        Number of fixed looks; None gives one random look.
    """

    def __init__(self, fields: Sequence[Fields], motions: Tensor, views: int | None) -> None:
        self.fields, self.motions, self.views = fields, motions, views
        # the order of views: each orientation as it is, then with other motions
        others = 1 + torch.randperm(len(motions) - 1, generator=torch.Generator().manual_seed(0))
        self.order = torch.cat([torch.zeros(1, dtype=torch.int64), others])

    def __call__(self, rows: Tensor) -> Tensor:
        if self.views is None:
            # one number from torch's generator for a batch of any size, so that processes with
            # shares of different sizes stay in step
            draw = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
            look = torch.randint(
                len(self.fields) * len(self.motions), (len(rows), 1), generator=draw
            )
        else:
            look = torch.arange(self.views).expand(len(rows), -1)  # (B, views)
        turn, motion = look % len(self.fields), self.order[look // len(self.fields)]
        looks = torch.empty(*look.shape, *self.fields[0].shape[1:])
        for k, field in enumerate(self.fields):
            which, view = (turn == k).nonzero(as_tuple=True)
            looks[which, view] = torch.from_numpy(
                np.asarray(field[rows[which].numpy()], dtype=np.float32)
            )
        if len(self.motions) == 1:
            return looks
        flat = looks.flatten(3)  # (B, views, channels, n³)
        return flat.gather(3, self.motions[motion][:, :, None].expand_as(flat)).view_as(looks)
