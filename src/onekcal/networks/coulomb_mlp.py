r"""A multi-layer perceptron on the Coulomb matrix C.

    eigenvalues   x = |λ₁| ≥ |λ₂| ≥ … of C
    sorted        x = the lower triangle of C, rows and columns in order of falling ‖C_i‖
    random        the same in order of falling ‖C_i‖ + ε_i,  ε ~ N(0, noise²); ε is drawn again
                  at every look in training; an answer is the mean over `orderings` draws
    binarised     x → [tanh(x/θ), tanh((x − θ)/θ), tanh((x − 2θ)/θ), …], each entry up to its own
                  largest training value
    standardised  x → (x − mean) / deviation, of the training molecules
    network       E = mean_E + std_E · (w₃ · σ(W₂ σ(W₁ x + b₁) + b₂) + b₃),
                  400 and 100 units, σ the logistic function

Montavon, Hansen, Fazli, Rupp, Biegler, Ziehe, Tkatchenko, von Lilienfeld, Müller, NeurIPS 25
(2012); the settings are those of a study of QM7 with Adam and an absolute loss.

Deliberate deviations:
- The study's list of steps begins one below zero, with tanh((x + θ)/θ). Entries are not negative,
  so this step is left out.
- Deviations have a least value. Otherwise an input that is 0 in all but a few training molecules
  would become very large in a new molecule.
- The recipe `paper` has the study's values where the study gives any: Adam, MAE, and the training
  loss, which decides about the rate and the end (so use it with `valid: 0`). Rate, batch and
  patience are not in the study. The default recipe is `onecycle`, with weights chosen on a
  validation part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn.functional import pad

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, InputError, unknown
from onekcal.features.coulomb import (
    coulomb_matrix,
    coulomb_of_padded,
    packed,
    sorted_by_norm,
    sorted_eigenvalues,
)
from onekcal.models.limits import at_least
from onekcal.models.model import State
from onekcal.molecules import Molecules
from onekcal.networks.model import NetworkModel
from onekcal.networks.network import Batch, Network, Output
from onekcal.networks.training.settings import Recipes

FEATURES = ("random", "sorted", "eigenvalues")
LEAST, LEAST_BINARISED = 1e-3, 0.2
"""Smallest deviation of an entry, Hartree, and of a binarised input (between −1 and 1)."""
DRAWS = 10
"""Random orderings of each training molecule from which the inputs' statistics are taken."""
AT_ONCE = 1024
"""Molecules whose matrices are held at a time before training."""


class CoulombMLP(NetworkModel):
    """Multi-layer perceptron on the Coulomb matrix; energies in kcal/mol.

    Parameters
    ----------
    features
        What is made of the matrix: `random` (randomly sorted), `sorted` or `eigenvalues`.
    size
        Atoms that the matrix has room for. None means those of the largest training molecule.
    theta
        Step θ of the binarisation, Hartree; 0 leaves it out. None means 1 for `random`, 0
        otherwise.
    noise
        Standard deviation of what is added to the norms that `random` sorts by, Hartree.
    orderings
        Random orderings whose mean is an answer (`random` only).
    hidden
        Number of units of each hidden layer.
    fit
        How the network is trained: the name of a `recipe` and the keys that differ from it. None
        means the recipe `onecycle`.
    """

    recipes: ClassVar[Recipes] = {
        "paper": {
            "optimizer": "adam",
            "schedule": "plateau",
            "rate": 1e-3,
            "batch": 32,
            "loss": "mae",
            "epochs": 400,
            "patience": 20,
            "score": "loss",
        },
    }

    def __init__(
        self,
        features: str = "random",
        size: int | None = None,
        theta: float | None = None,
        noise: float = 1.0,
        orderings: int = 10,
        hidden: tuple[int, ...] | list[int] = (400, 100),
        fit: dict[str, object] | None = None,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        if features not in FEATURES:
            unknown("features", features, FEATURES, ConfigError)
        at_least(
            "coulomb_mlp",
            ("size", 1 if size is None else size, 1),
            ("theta", theta or 0.0, 0),
            ("noise", noise, 0),
            ("orderings", orderings, 1),
            ("hidden", min(hidden, default=0), 1),
        )
        super().__init__({"recipe": "onecycle", **(fit or {})}, seed, dtype)
        self.features, self.size, self.noise, self.hidden = features, size, noise, tuple(hidden)
        self.theta = float(features == "random") if theta is None else theta
        self.orderings = orderings if features == "random" else 1
        self.room = size or 0  # atoms
        self.steps = torch.zeros(0, dtype=torch.int64)  # (d,) inputs made of each entry

    def network(self, elements: tuple[int, ...]) -> CoulombMLPNetwork:
        """Return an untrained network for these nuclear charges."""
        return CoulombMLPNetwork(
            elements,
            self.features,
            self.room,
            self.steps,
            self.theta,
            self.noise,
            self.orderings,
            self.hidden,
        )

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Train, after finding the size of the matrix and the steps of the binarisation."""
        self.room = self.size or int(train.molecules.sizes.max())
        for data in (train, valid):
            self.check(data.molecules)
        self.steps = self._steps(train.molecules)
        return super().fit(train, valid)

    def _steps(self, molecules: Molecules) -> Tensor:
        """(d,) how many inputs are made of each entry: one for every θ up to its largest value."""
        draw = torch.Generator().manual_seed(self.seed)
        largest = torch.zeros(0)
        for some in _in_parts(molecules):
            matrices = coulomb_matrix(some, self.room)
            for _ in range(DRAWS if self.features == "random" else 1):
                noise = (
                    torch.randn(matrices.shape[:2], generator=draw, dtype=torch.float64)
                    * self.noise
                )
                there = arranged(matrices, self.features, noise).amax(0)
                largest = torch.maximum(largest, there) if len(largest) else there
        return (
            (largest / self.theta).long() + 1
            if self.theta
            else torch.ones_like(largest, dtype=torch.int64)
        )

    def check(self, molecules: Molecules) -> None:
        """Refuse molecules too large for the matrix, and those with two nuclei on one point."""
        if len(molecules) and int(molecules.sizes.max()) > self.room:
            worst = int(molecules.sizes.argmax())
            atoms, why = (
                int(molecules.sizes[worst]),
                "`size`" if self.size else "the largest it was trained on",
            )
            raise InputError(
                f"molecule {worst} ({str(molecules.names[worst])!r}) has {atoms} atoms, but the "
                f"matrix of this network holds {self.room} ({why}); train with size: {atoms} or "
                "leave the molecule out"
            )
        super().check(molecules)

    def load_state(self, state: State) -> Self:
        """Take back what `state` returned."""
        self.steps, self.room = state["0.steps"], int(state["0.room"])
        return super().load_state(state)


def arranged(matrices: Tensor, features: str, noise: Tensor | None) -> Tensor:
    """Return the entries of Coulomb matrices as one row a molecule.

    Parameters
    ----------
    matrices
        (M, n, n) Hartree.
    features
        random, sorted or eigenvalues.
    noise
        (M, n) Hartree, added to the norms that random matrices are sorted by.

    Returns
    -------
    Tensor
        (M, d) Hartree.
    """
    if features == "eigenvalues":
        return sorted_eigenvalues(matrices)
    return packed(sorted_by_norm(matrices, noise if features == "random" else None))


def _in_parts(molecules: Molecules) -> Iterator[Molecules]:
    return (molecules[first : first + AT_ONCE] for first in range(0, len(molecules), AT_ONCE))


class CoulombMLPNetwork(Network):
    """The perceptron for some elements.

    Parameters
    ----------
    elements
        Nuclear charges, ascending.
    features, theta, noise, orderings, hidden
        As in `CoulombMLP`.
    room
        Atoms of the matrix.
    steps
        (d,) number of inputs that are made of each entry.
    """

    charges: Tensor
    steps: Tensor
    draws: Tensor
    entry: Tensor
    offset: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        elements: tuple[int, ...],
        features: str,
        room: int,
        steps: Tensor,
        theta: float,
        noise: float,
        orderings: int,
        hidden: tuple[int, ...] = (400, 100),
    ) -> None:
        super().__init__()
        self.elements, self.features, self.theta, self.noise, self.atoms = (
            elements,
            features,
            theta,
            noise,
            room,
        )
        widths = [int(steps.sum()), *hidden]
        self.hidden = torch.nn.ModuleList(
            [torch.nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:])]
        )
        self.output = torch.nn.Linear(widths[-1], 1)
        self.register_buffer("room", torch.tensor(room))
        self.register_buffer("steps", steps.clone())
        # the same draws for all molecules, so that no answer depends on the other molecules
        self.register_buffer("draws", torch.randn(orderings, room))
        self.register_buffer("mean", torch.zeros(widths[0]))
        self.register_buffer("deviation", torch.ones(widths[0]))
        entry = torch.repeat_interleave(
            torch.arange(len(steps)), steps
        )  # (D,) which entry an input is made of
        first = steps.cumsum(0) - steps
        self.register_buffer("entry", entry, persistent=False)
        self.register_buffer(
            "offset", (torch.arange(widths[0]) - first[entry]).to(self.mean), persistent=False
        )
        self.register_buffer("charges", torch.tensor(elements).to(self.mean), persistent=False)

    def begin(self, train: Dataset) -> None:
        """Set mean and deviation of the inputs."""
        sums = torch.zeros(2, len(self.mean), dtype=torch.float64)
        draws = DRAWS if self.features == "random" else 1
        for some in _in_parts(train.molecules):
            matrices = coulomb_matrix(some, self.atoms)
            for _ in range(draws):
                x = self.expanded(
                    arranged(
                        matrices,
                        self.features,
                        self.noise * torch.randn(matrices.shape[:2]).double(),
                    )
                )
                sums += torch.stack([x.sum(0), x.square().sum(0)])
        mean, square = sums / (draws * len(train.molecules))
        least = LEAST_BINARISED if self.theta else LEAST
        self.mean.copy_(mean)
        self.deviation.copy_((square - mean.square()).clamp_min(0.0).sqrt().clamp_min(least))

    def forward(self, batch: Batch) -> Output:
        """Return the energies of a batch, the mean over orderings."""
        x = self.expanded(self.entries(batch))  # (draws · B, D)
        x = (x - self.mean) / self.deviation
        for layer in self.hidden:
            x = torch.sigmoid(layer(x))
        return Output(self.output(x).reshape(-1, len(batch.mask)).mean(0))

    def entries(self, batch: Batch) -> Tensor:
        """Return the entries of the matrices, one row a matrix.

        Parameters
        ----------
        batch
            B molecules.

        Returns
        -------
        Tensor
            (B, d) Hartree in training, otherwise (orderings · B, d): all molecules in the first
            ordering, then all in the second, and so on.

        Raises
        ------
        InputError
            A molecule is larger than the matrix.
        """
        beyond = self.atoms - batch.mask.shape[1]
        if beyond < 0:
            raise InputError(
                f"a molecule has {batch.mask.shape[1]} atoms, but this network's matrix holds "
                f"{self.atoms}"
            )
        charges = self.charges[batch.species] * batch.mask
        matrices = pad(
            coulomb_of_padded(charges, batch.positions), (0, beyond, 0, beyond)
        )  # (B, room, room)
        if self.features != "random":
            return arranged(matrices, self.features, None)
        if self.training:
            return arranged(matrices, self.features, self.noise * torch.randn_like(matrices[:, 0]))
        # sorted without noise first, so that a draw meets the same atoms in whatever order they
        # are given
        matrices = sorted_by_norm(matrices)
        return torch.cat(
            [arranged(matrices, self.features, self.noise * draw) for draw in self.draws]
        )

    def expanded(self, entries: Tensor) -> Tensor:
        """Return tanh of each entry at every step; the entries themselves where θ is 0.

        Parameters
        ----------
        entries
            (M, d) Hartree.

        Returns
        -------
        Tensor
            (M, D).
        """
        if not self.theta:
            return entries
        return torch.tanh(entries[:, self.entry] / self.theta - self.offset)
