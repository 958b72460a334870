"""Graph builders: by hand, against loops, put together, and where there is little to
choose from.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from onekcal.errors import ConfigError
from onekcal.features.graphs import (
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
from onekcal.units import BOHR
from support.molecules import wobbly


def row(*places: float, charges: tuple[int, ...] | None = None) -> Graph:
    """Atoms on a line at `places` (Å)."""
    positions = torch.tensor([[[place, 0.0, 0.0] for place in places]], dtype=torch.float64)
    return every_slot(torch.tensor([charges or (1,) * len(places)], dtype=torch.float64), positions)


def heard(graph: Graph) -> list[list[int]]:
    """Which atoms each atom of the first molecule hears."""
    return [one.nonzero().flatten().tolist() for one in graph.edges[0]]


def padded(count: int = 8) -> Graph:
    numbers, positions = wobbly(count, seed=3).molecules.pad(7)
    return every_slot(numbers.double(), positions)


def test_at_first_every_slot_hears_every_other_and_padding_too() -> None:
    graph = row(0.0, 1.0, 5.0, charges=(6, 1, 0))
    assert heard(graph) == [[1, 2], [0, 2], [0, 1]]
    assert graph.attributes.shape == (1, 3, 3, 0)


def test_without_padding_atoms_alone_are_left() -> None:
    assert heard(drop_padding(row(0.0, 1.0, 5.0, charges=(6, 1, 0)))) == [[1], [0], []]
    assert not drop_padding(padded()).edges[:, 6].any()


def test_nearest_on_a_line_by_hand() -> None:
    """The atom at 3.5 is heard by its neighbour's neighbour only when two are kept: edges need not
    be mutual.
    """
    graph = row(0.0, 1.0, 2.1, 3.5)
    assert heard(nearest(1)(graph)) == [[1], [0], [1], [2]]
    assert heard(nearest(2)(graph)) == [[1, 2], [0, 2], [1, 3], [1, 2]]


def test_strongest_prefers_charge_to_nearness() -> None:
    """Of H at 1 Å and O at 2 Å, oxygen pulls twice as much: 8/4 against 1."""
    graph = row(0.0, 1.0, -2.0, charges=(1, 1, 8))
    assert heard(strongest(1)(graph))[0] == [2]
    assert heard(nearest(1)(graph))[0] == [1]


def test_coulomb_force_by_hand() -> None:
    """Carbon and oxygen 2 Bohr apart: 6 · 8 / 4."""
    graph = coulomb_forces(row(0.0, 2 * BOHR, charges=(6, 8)))
    assert graph.attributes[0, :, :, 0].tolist() == [
        [0.0, pytest.approx(12.0)],
        [pytest.approx(12.0), 0.0],
    ]


def by_loop(graph: Graph, count: int, charged: bool) -> Tensor:
    """`nearest` or `strongest` without padding, atom by atom."""
    edges = torch.zeros_like(graph.edges)
    for m, charges in enumerate(graph.charges):
        atoms = int((charges > 0).sum())
        for i in range(atoms):

            def far(j: int, m: int = m, i: int = i) -> float:
                r = float((graph.positions[m, i] - graph.positions[m, j]).norm())
                return -float(graph.charges[m, i] * graph.charges[m, j]) / r**2 if charged else r

            for j in sorted((j for j in range(atoms) if j != i), key=far)[:count]:
                edges[m, i, j] = True
    return edges


@pytest.mark.parametrize("count", [1, 2, 4, 40])
@pytest.mark.parametrize("charged", [False, True])
def test_neighbours_are_those_of_a_loop(count: int, charged: bool) -> None:
    """k beyond the number of neighbours (40; 4 in water) takes all there are."""
    graph = chain(drop_padding, (strongest if charged else nearest)(count))(padded())
    assert torch.equal(graph.edges, by_loop(padded(), count, charged))


def test_padding_left_in_changes_the_neighbours() -> None:
    """The control of the test above: padding lies at the origin, near to all atoms."""
    assert not torch.equal(
        chain(nearest(2), drop_padding)(padded()).edges, by_loop(padded(), 2, False)
    )


def test_order_says_what_is_counted() -> None:
    """Of the two strongest within 1.5 Å, and of those within 1.5 Å among the two strongest."""
    graph = row(0.0, 1.0, -1.2, -2.0, charges=(1, 1, 1, 8))
    assert heard(chain(within(1.5), strongest(2))(graph))[0] == [1, 2]
    assert heard(chain(strongest(2), within(1.5))(graph))[0] == [1]


def test_equally_near_neighbours_are_all_kept_however_rounding_falls() -> None:
    """Two are asked for, the four of a tetrahedron kept, in any orientation and in single
    precision.
    """
    corners = torch.tensor(
        [[0, 0, 0], [1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]], dtype=torch.float64
    )
    turns = torch.linalg.qr(
        torch.randn(20, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    )[0]
    graph = every_slot(torch.ones(20, 5), (corners @ turns + 10.0).float())
    assert nearest(2)(graph).edges[:, 0].sum(-1).tolist() == [4] * 20
    stretched = every_slot(
        torch.ones(1, 5), corners[None] * (1 + 1e-3 * torch.arange(5)[:, None])
    )  # the control
    assert int(nearest(2)(stretched).edges[0, 0].sum()) == 2


def test_within_a_radius_by_hand() -> None:
    assert heard(within(1.2)(row(0.0, 1.0, 2.1, 3.5))) == [[1], [0, 2], [1], []]


def test_distances_and_forces_have_finite_gradients_with_padding_and_with_atoms_on_one_point() -> (
    None
):
    graph = chain(drop_padding, coulomb_forces)(row(0.0, 0.0, 1.0, 0.0, charges=(6, 1, 8, 0)))
    positions = graph.positions.clone().requires_grad_(True)
    graph = chain(drop_padding, coulomb_forces)(every_slot(graph.charges, positions))
    (distances(graph).sum() + graph.attributes.sum()).backward()
    assert positions.grad is not None
    assert torch.isfinite(positions.grad).all()
    assert positions.grad[0, 2].any()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="nearest: `count` must be at least 1, got 0"):
        nearest(0)
    with pytest.raises(ConfigError, match="strongest: `count` must be at least 1, got -1"):
        strongest(-1)
    with pytest.raises(ConfigError, match="`radius` must be positive"):
        within(0.0)
