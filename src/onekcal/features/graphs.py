"""Molecular graphs from functions that can be put one after another.

    build = chain(drop_padding, nearest(6), coulomb_forces)
    graph = build(every_slot(charges, positions))

A graph is held densely: `edges[m, i, j]` says that atom i of molecule m hears atom j. A builder
takes edges away or gives them attributes, so the order of builders matters: `within(4.0)` before
`nearest(6)` keeps the six nearest of the atoms within 4 Å. An atom that has fewer neighbours keeps
them all. Where others are as far as the last of them, it keeps these too, so that neither the order
of atoms nor rounding decides.

Positions and distances are in Å, charges in e, Coulomb forces |F_ij| = Z_i Z_j / r_ij² in
Hartree/Bohr.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from onekcal.errors import ConfigError
from onekcal.units import BOHR

TIE = 1e-4
"""Distances or forces count as equal where they differ by less than this share.

Single precision leaves them wrong by 1e-6.
"""


class Graph(NamedTuple):
    """The graphs of M molecules with n slots each. A slot of charge 0 is padding.

    Parameters
    ----------
    charges
        (M, n) nuclear charges.
    positions
        (M, n, 3) Å.
    edges
        (M, n, n) bool.
    attributes
        (M, n, n, a) numbers along edges.
    """

    charges: Tensor
    positions: Tensor
    edges: Tensor
    attributes: Tensor


Builder = Callable[[Graph], Graph]


def chain(*builders: Builder) -> Builder:
    """Return a builder that applies several, one after another.

    Parameters
    ----------
    *builders
        The builders, the first one first.
    """

    def build(graph: Graph) -> Graph:
        for builder in builders:
            graph = builder(graph)
        return graph

    return build


def every_slot(charges: Tensor, positions: Tensor) -> Graph:
    """Return a graph in which every slot, also padding, is joined to every other.

    Parameters
    ----------
    charges
        (M, n) nuclear charges, 0 in padding.
    positions
        (M, n, 3) Å.
    """
    count = charges.shape[1]
    edges = ~torch.eye(count, dtype=torch.bool, device=charges.device).expand(
        len(charges), count, count
    )
    return Graph(charges, positions, edges, positions.new_zeros(*edges.shape, 0))


def drop_padding(graph: Graph) -> Graph:
    """Take away the edges from and to padding.

    Parameters
    ----------
    graph
        The graphs of M molecules.
    """
    there = graph.charges > 0
    return graph._replace(edges=graph.edges & there[:, :, None] & there[:, None, :])


def nearest(count: int) -> Builder:
    """Return a builder that keeps the edges of each atom to its nearest neighbours.

    Parameters
    ----------
    count
        How many neighbours are kept.
    """
    _at_least("nearest: `count`", count, 1)
    return lambda graph: _keep(graph, distances(graph), count)


def strongest(count: int) -> Builder:
    """Return a builder that keeps the edges of each atom with the largest Coulomb forces.

    Parameters
    ----------
    count
        How many edges are kept.
    """
    _at_least("strongest: `count`", count, 1)
    return lambda graph: _keep(graph, -_forces(graph), count)


def within(radius: float) -> Builder:
    """Return a builder that keeps the edges up to a length.

    Parameters
    ----------
    radius
        Å.
    """
    if not radius > 0:
        raise ConfigError(f"within: `radius` must be positive (Å), got {radius}")
    return lambda graph: graph._replace(edges=graph.edges & (distances(graph) <= radius))


def coulomb_forces(graph: Graph) -> Graph:
    """Add the Coulomb force (Hartree/Bohr) to the attributes of each edge.

    Parameters
    ----------
    graph
        The graphs of M molecules.
    """
    return graph._replace(attributes=torch.cat([graph.attributes, _forces(graph)[..., None]], -1))


def distances(graph: Graph) -> Tensor:
    """Return the lengths of the edges.

    Parameters
    ----------
    graph
        The graphs of M molecules.

    Returns
    -------
    Tensor
        (M, n, n) Å. Where there is no edge, or two nuclei are on one point, it is 1 without a
        gradient.
    """
    between = graph.positions[:, :, None] - graph.positions[:, None]
    square = between.square().sum(-1)
    return torch.where(graph.edges & (square > 0), square, 1.0).sqrt()


def _forces(graph: Graph) -> Tensor:
    """(M, n, n) Hartree/Bohr along edges, 0 elsewhere."""
    pull = graph.charges[:, :, None] * graph.charges[:, None] / (distances(graph) / BOHR).square()
    return torch.where(graph.edges, pull, 0.0)


def _keep(graph: Graph, score: Tensor, count: int) -> Graph:
    """At each atom the `count` edges of smallest score (M, n, n)."""
    if count >= graph.edges.shape[-1]:
        return graph
    score = torch.where(graph.edges, score.detach(), torch.inf)
    # inf where there are fewer: then all are kept
    last = score.kthvalue(count, -1, keepdim=True).values
    return graph._replace(edges=graph.edges & (score <= last + TIE * last.abs()))


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ConfigError(f"{name} must be at least {least}, got {value}")
