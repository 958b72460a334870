r"""The three graph networks of the QM7 study: one simple message, put together in three ways.

    x_i⁰ = Z_i ⊕ one-hot(Z_i)                                                                (atoms)
    m_ij = MLP_t(x_i ⊕ x_j ⊕ g_ij ⊕ a_ij),   MLP(u) = B relu(A u + a) + b                  (message)
    g_ij = r_j − r_i  or  |r_j − r_i|;   a_ij: none, or the Coulomb force Z_i Z_j/r_ij²      (edges)
    conv_t(x)_i = Σ_{j ∈ N(i)} m_ij                                                    (convolution)

    version 1    h_i = x_iᵀ,   xᵗ⁺¹ = conv_t(xᵗ)                                       (in sequence)
    version 2    h_i = conv_1(x⁰)_i ⊕ … ⊕ conv_T(x⁰)_i                                 (in parallel)
    version 3    h_i = (x_i¹ + … + x_iᵀ)/T of version 1                      (in sequence, averaged)

    E = mean_E + std_E · MLP(Σ_i h_i)                                                       (energy)

With `geometry: vector`, the study's default, the energy depends on the orientation of the molecule,
and `turning_spread` measures how much. With `distance` it does not. A neighbour begins and ends to
count all at once, so that energies jump where another atom becomes one of the k nearest.

The study does not give T, the hidden width, k and the recipe; they are chosen here. Nor does it
tell which edges were behind a published number.

Deliberate deviations:
- B is applied to Σ_j relu(…) instead of to every message. The sum is the same, and there is one
  matrix product for each atom instead of one for each edge.
- Of equally near neighbours all are kept (`onekcal.features.graphs`).
"""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn.functional import linear

from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, unknown
from onekcal.features.graphs import (
    Builder,
    Graph,
    chain,
    coulomb_forces,
    distances,
    drop_padding,
    every_slot,
    nearest,
    strongest,
    within,
)
from onekcal.models.limits import at_least
from onekcal.molecules import Molecules
from onekcal.networks.model import NetworkModel
from onekcal.networks.network import Batch, Network, Output
from onekcal.networks.training.settings import Recipes

VERSIONS = (1, 2, 3)
GEOMETRY = {"vector": 3, "distance": 1}
"""What a message knows of the places of its atoms, and how many numbers these are."""
GRAPHS = ("complete", "nearest", "strongest", "within")
TURNS, TURNED = 8, 256
"""Orientations, and molecules on which `turning_spread` is measured after training."""


class CustomGNN(NetworkModel):
    """A graph network of the QM7 study; energies in kcal/mol.

    Parameters
    ----------
    version
        How convolutions are put together: 1 in sequence, 2 in parallel, 3 in sequence and averaged.
    hidden
        Number of features of an atom after a convolution.
    layers
        Number T of convolutions.
    geometry
        What a message knows of the places of its atoms: `vector` (r_j − r_i) or `distance`.
    graph
        Which atoms are neighbours: `complete` (all), `nearest` (the `k` nearest atoms), `strongest`
        (the `k` largest Coulomb forces) or `within` (all atoms within `radius`).
    k
        Neighbours of each atom, for the graphs `nearest` and `strongest`.
    radius
        Largest distance between neighbours, Å, for the graph `within`.
    forces
        Whether edges carry the Coulomb force between their atoms.
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
            "epochs": 300,
            "patience": 20,
            "score": "loss",
        },
    }

    def __init__(
        self,
        version: int = 1,
        hidden: int = 64,
        layers: int = 3,
        geometry: str = "vector",
        graph: str = "nearest",
        k: int = 4,
        radius: float = 5.0,
        forces: bool = False,
        fit: dict[str, object] | None = None,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        choices = (
            ("version", version, VERSIONS),
            ("geometry", geometry, tuple(GEOMETRY)),
            ("graph", graph, GRAPHS),
        )
        for name, value, known in choices:
            if value not in known:
                unknown(f"custom_gnn: {name}", str(value), [str(one) for one in known], ConfigError)
        at_least("custom_gnn", ("hidden", hidden, 1), ("layers", layers, 1), ("k", k, 1))
        super().__init__({"recipe": "onecycle", **(fit or {})}, seed, dtype)
        self.settings, self.geometry = (version, hidden, layers, geometry), geometry
        self.builder = builder(graph, k, radius, forces)
        self.attributes = int(forces)

    def network(self, elements: tuple[int, ...]) -> CustomGNNNetwork:
        """Return an untrained network for these nuclear charges."""
        return CustomGNNNetwork(elements, *self.settings, self.builder, self.attributes)

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        """Train; where messages see vectors, measure `turning_spread` after it."""
        super().fit(train, valid)
        if self.geometry == "vector":
            some = (valid if len(valid) else train).molecules[:TURNED]
            self.summary["turning_spread"] = float(self.turning_spread(some).mean())  # kcal/mol
        return self

    def turning_spread(self, molecules: Molecules) -> Tensor:
        """Return how much each energy changes when its molecule is turned.

        Parameters
        ----------
        molecules
            M molecules.

        Returns
        -------
        Tensor
            (M,) kcal/mol, the standard deviation over `TURNS` orientations. With distances it is
            rounding error.
        """
        axes = torch.randn(
            TURNS, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64
        )
        turns = torch.linalg.qr(axes).Q
        turns = turns * torch.linalg.det(turns)[:, None, None]  # no mirror images
        with torch.no_grad():
            return torch.stack(
                [self.energies(molecules.moved(molecules.positions @ turn)) for turn in turns]
            ).std(0)

    def terms(self, molecules: Molecules) -> dict[str, Tensor]:
        """Return `turning_spread` (M,), kcal/mol, where messages see vectors."""
        return (
            {"turning_spread": self.turning_spread(molecules)} if self.geometry == "vector" else {}
        )


def builder(graph: str, k: int, radius: float, forces: bool) -> Builder:
    """Return the builder of a graph.

    The graph has no padding, because padding depends on the batch.

    Parameters
    ----------
    graph
        complete, nearest, strongest or within.
    k
        Neighbours of each atom (nearest, strongest).
    radius
        Å (within).
    forces
        Whether edges carry Coulomb forces.
    """
    chosen = {
        "complete": [],
        "nearest": [nearest(k)],
        "strongest": [strongest(k)],
        "within": [within(radius)],
    }[graph]
    return chain(drop_padding, *chosen, *([coulomb_forces] if forces else []))


class Convolution(torch.nn.Module):
    """Σ_j MLP(x_i ⊕ x_j ⊕ e_ij).

    Parameters
    ----------
    features, edge, out
        Numbers of features of an atom, of an edge, and of an atom after the convolution.
    """

    def __init__(self, features: int, edge: int, out: int) -> None:
        super().__init__()
        self.parts = [features, features, edge]
        self.first = torch.nn.Linear(sum(self.parts), out)
        self.second = torch.nn.Linear(out, out)

    def forward(self, x: Tensor, edge: Tensor, edges: Tensor) -> Tensor:
        """Return new features of all atoms.

        Parameters
        ----------
        x
            (B, n, features).
        edge
            (B, n, n, e) features of edges.
        edges
            (B, n, n) 1 where there is an edge, otherwise 0.

        Returns
        -------
        Tensor
            (B, n, out).
        """
        here, there, along = self.first.weight.split(self.parts, 1)
        heard = linear(edge, along)  # (B, n, n, out), by far the largest, so it is changed in place
        heard.add_(linear(x, here, self.first.bias)[:, :, None]).add_(
            linear(x, there)[:, None]
        ).relu_()
        total = (edges[:, :, None] @ heard).squeeze(2)  # (B, n, out)
        return linear(total, self.second.weight) + edges.sum(-1, keepdim=True) * self.second.bias


class CustomGNNNetwork(Network):
    """The graph network for some elements.

    Parameters
    ----------
    elements
        Nuclear charges, ascending.
    version, hidden, layers, geometry
        As in `CustomGNN`.
    builder
        Makes the graph of a batch.
    attributes
        Number of attributes that `builder` gives an edge.
    """

    charges: Tensor

    def __init__(
        self,
        elements: tuple[int, ...],
        version: int,
        hidden: int,
        layers: int,
        geometry: str,
        builder: Builder,
        attributes: int,
    ) -> None:
        super().__init__()
        self.elements, self.version, self.geometry, self.builder = (
            elements,
            version,
            geometry,
            builder,
        )
        atom, edge = 1 + len(elements), GEOMETRY[geometry] + attributes
        inputs = [atom if t == 0 or version == 2 else hidden for t in range(layers)]
        self.convolutions = torch.nn.ModuleList(
            [Convolution(features, edge, hidden) for features in inputs]
        )
        self.head = torch.nn.Sequential(
            torch.nn.Linear(hidden * (layers if version == 2 else 1), hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden, 1),
        )
        self.register_buffer(
            "charges", torch.tensor(elements, dtype=torch.get_default_dtype()), persistent=False
        )

    def forward(self, batch: Batch) -> Output:
        """Return the energies of a batch."""
        x = torch.cat([self.charges[:, None], torch.eye(len(self.elements)).to(self.charges)], 1)[
            batch.species
        ]
        graph = self.builder(every_slot(self.charges[batch.species] * batch.mask, batch.positions))
        edge, edges = self._along(graph), graph.edges.to(x.dtype)
        convolved = []
        for convolution in self.convolutions:
            convolved.append(convolution(x, edge, edges))
            if self.version != 2:
                x = convolved[-1]
        h = {
            1: lambda: convolved[-1],
            2: lambda: torch.cat(convolved, -1),
            3: lambda: torch.stack(convolved).mean(0),
        }[self.version]()
        pooled = (h * batch.mask[:, :, None]).sum(1)
        return Output(self.head(pooled).squeeze(-1))

    def _along(self, graph: Graph) -> Tensor:
        """(B, n, n, e) geometry of each edge, and its attributes."""
        if self.geometry == "distance":
            return torch.cat([distances(graph)[..., None], graph.attributes], -1)
        between = graph.positions[:, None] - graph.positions[:, :, None]  # [i, j] is r_j − r_i
        return torch.cat([between, graph.attributes], -1)
