"""The study's three graph networks.

Their equations word for word, the symmetries they have and lack, small molecules.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from onekcal.data.dataset import Column, Dataset
from onekcal.errors import ConfigError, InputError
from onekcal.features.graphs import chain, every_slot, nearest
from onekcal.molecules import Molecules
from onekcal.networks.custom_gnn import VERSIONS, CustomGNN, CustomGNNNetwork, builder
from onekcal.networks.network import Batch
from onekcal.units import BOHR
from support.molecules import pair_energy, wobbly

ELEMENTS = (1, 6, 7, 8)
SHORT = {"epochs": 3, "batch": 8, "rate": 5e-3}
GRAPHS: list[dict[str, Any]] = [
    {"graph": "complete"},
    {"graph": "nearest", "k": 2},
    {"graph": "strongest", "k": 2, "forces": True},
    {"graph": "within", "radius": 1.6, "forces": True},
]


def fitted(**settings: Any) -> tuple[CustomGNN, Dataset]:
    data = wobbly(24, seed=1)
    settings = {"hidden": 12, "dtype": "float64", "fit": SHORT, **settings}
    return CustomGNN(**settings).fit(data, data[:0]), wobbly(12, seed=2)


# --- the equations ----------------------------------------------------------------------------


def neighbours(
    molecule: Molecules, i: int, graph: str, k: int = 6, radius: float = 5.0, forces: bool = False
) -> list[int]:
    others = [j for j in range(len(molecule.numbers)) if j != i]
    r = {j: float((molecule.positions[i] - molecule.positions[j]).norm()) for j in others}
    if graph == "within":
        return [j for j in others if r[j] <= radius]
    if graph == "strongest":
        return sorted(others, key=lambda j: -float(molecule.numbers[j]) / r[j] ** 2)[:k]
    return sorted(others, key=lambda j: r[j])[: len(others) if graph == "complete" else k]


def by_the_letter(
    net: CustomGNNNetwork, molecule: Molecules, version: int, geometry: str, graph: dict[str, Any]
) -> float:
    """The equations of the model's file for one molecule, message by message."""

    def mlp(first: Any, second: Any, u: Tensor) -> Tensor:
        return second.weight @ torch.relu(first.weight @ u + first.bias) + second.bias

    atoms = range(len(molecule.numbers))
    x = start = [
        torch.tensor([float(z)] + [float(z == e) for e in ELEMENTS], dtype=torch.float64)
        for z in molecule.numbers
    ]
    layers = []
    for conv in net.convolutions:
        source, out = start if version == 2 else x, []
        for i in atoms:
            total = torch.zeros(12, dtype=torch.float64)
            for j in neighbours(molecule, i, **graph):
                between = molecule.positions[j] - molecule.positions[i]
                r = between.norm()
                known = [source[i], source[j], between if geometry == "vector" else r[None]]
                if graph.get("forces"):
                    known.append(
                        (molecule.numbers[i] * molecule.numbers[j] / (r / BOHR) ** 2)[None]
                    )
                total = total + mlp(conv.first, conv.second, torch.cat(known))
            out.append(total)
        x = out
        layers.append(out)
    joined = [torch.cat(of) if version == 2 else torch.stack(of).mean(0) for of in zip(*layers)]
    h = layers[-1] if version == 1 else joined
    return float(mlp(net.head[0], net.head[2], torch.stack(h).sum(0))[0])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("geometry", ["vector", "distance"])
@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph["graph"])
def test_energies_are_those_of_the_equations(
    version: int, geometry: str, graph: dict[str, Any]
) -> None:
    torch.manual_seed(1)
    model = CustomGNN(version, hidden=12, layers=2, geometry=geometry, **graph)
    net, molecules = model.network(ELEMENTS).double(), wobbly(8, seed=4).molecules
    numbers, positions = molecules.pad()
    species = (numbers[..., None] == torch.tensor(ELEMENTS)).int().argmax(-1)
    with torch.no_grad():
        found = net(Batch(species, positions, numbers > 0)).energies
        expected = [
            by_the_letter(net, molecule, version, geometry, graph) for molecule in molecules
        ]  # type: ignore[arg-type]
    assert found.tolist() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        # charge and one-hot of four elements: 5. Messages of 5 + 5 + 3 (of 64 + 64 + 3) → 64 → 64;
        # the head
        (1, 1 * (13 * 64 + 64) + 2 * (131 * 64 + 64) + 3 * (64 * 64 + 64) + (64 * 64 + 64) + 65),
        (2, 3 * (13 * 64 + 64) + 3 * (64 * 64 + 64) + (192 * 64 + 64) + 65),
        (3, 1 * (13 * 64 + 64) + 2 * (131 * 64 + 64) + 3 * (64 * 64 + 64) + (64 * 64 + 64) + 65),
    ],
)
def test_numbers_of_parameters(version: int, numbers: int) -> None:
    net = CustomGNN(version, hidden=64, layers=3).network(ELEMENTS)
    assert sum(p.numel() for p in net.parameters()) == numbers


# --- symmetries -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph["graph"])
def test_energy_turns_with_the_molecule_where_messages_see_vectors(
    version: int, graph: dict[str, Any]
) -> None:
    """And only there: Coulomb forces enter as their size, so they break nothing."""
    vector, asked = fitted(version=version, geometry="vector", **graph)
    distance, _ = fitted(version=version, geometry="distance", **graph)
    assert vector.turning_spread(asked.molecules).mean() > 0.1
    assert distance.turning_spread(asked.molecules).max() < 1e-9


def test_the_spread_is_told_of_every_molecule_and_of_the_training() -> None:
    model, asked = fitted()
    rotations = torch.from_numpy(Rotation.random(200, random_state=0).as_matrix())
    turned = [
        model.energies(asked.molecules.moved(asked.molecules.positions @ turn.T))
        for turn in rotations
    ]
    expected = torch.stack(turned).std(0)
    told = model.terms(asked.molecules)["turning_spread"]
    assert float(told.mean()) == pytest.approx(
        float(expected.mean()), rel=0.4
    )  # of eight orientations: 1/√14 each
    assert float(model.summary["turning_spread"]) == pytest.approx(
        float(told.mean()), rel=0.5
    )  # of others: the training's
    quiet, _ = fitted(geometry="distance")
    assert "turning_spread" not in quiet.terms(asked.molecules) | quiet.summary


@pytest.mark.parametrize("version", VERSIONS)
def test_energy_depends_neither_on_the_place_nor_on_the_order_of_atoms(version: int) -> None:
    model, asked = fitted(version=version, k=2)
    still = asked.molecules
    moved = still.moved(still.positions + torch.tensor([3.1, -2.2, 0.7]))
    assert torch.allclose(model.energies(moved), model.energies(still), atol=1e-9)
    backwards = Molecules.concatenate(
        [Molecules.one(m.numbers.flip(0).tolist(), m.positions.flip(0).numpy()) for m in still]
    )
    assert torch.allclose(model.energies(backwards), model.energies(still), atol=1e-9)
    methane = still[2]
    swapped = methane.moved(
        methane.positions[[1, 0, 2, 3, 4]]
    )  # the control: carbon and a hydrogen change places
    assert abs(float(model.energies(swapped) - model.energies(methane))) > 1e-3


def test_padding_is_no_neighbour() -> None:
    """Alone or beside a larger molecule.

    The same energy; with padding left in the graph it is another.
    """
    model, _ = fitted(graph="nearest", k=2)
    methanol, water = wobbly(4).molecules[3], wobbly(4).molecules[0]
    together = Molecules.concatenate([water, methanol])
    alone = float(model.energies(water))
    assert float(model.energies(together)[0]) == pytest.approx(alone, abs=1e-9)
    net = model.networks[0]
    assert isinstance(net, CustomGNNNetwork)
    net.builder = nearest(2)
    assert abs(float(model.energies(together)[0]) - alone) > 1e-3


def test_forces_of_a_complete_graph_are_minus_the_gradient() -> None:
    """1e-5: of central differences.

    A kink of relu within the step would show, and does not here.
    """
    model, asked = fitted(graph="complete", geometry="distance", forces=True)
    molecule, step = asked.molecules[3], 1e-5
    analytic = model.forces(molecule)
    for atom, axis in ((0, 0), (1, 2), (5, 1)):
        moved = torch.zeros_like(molecule.positions)
        moved[atom, axis] = step
        up, down = (
            model.energies(molecule.moved(molecule.positions + sign * moved)) for sign in (1, -1)
        )
        assert float(analytic[atom, axis]) == pytest.approx(
            -float(up - down) / (2 * step), rel=1e-5, abs=1e-5
        )


# --- learning ---------------------------------------------------------------------------------


def stretched(count: int, seed: int) -> Dataset:
    """OCO with one bond of 0.8 to 2 Å, and the toy energy of `pair_energy`."""
    bonds = 0.8 + 1.2 * torch.rand(
        count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    molecules = Molecules.concatenate(
        [Molecules.one("OCO", [[0, 0, -float(r)], [0, 0, 0], [0, 0, 1.2]]) for r in bonds]
    )
    return Dataset(molecules, {"pairs": Column(pair_energy(molecules), level="pair sum")}, "pairs")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("geometry", ["vector", "distance"])
def test_geometry_is_learned_not_only_what_a_molecule_is_made_of(
    version: int, geometry: str
) -> None:
    """All of one formula; the control answers with their mean energy."""
    data, unseen = stretched(64, 1), stretched(32, 2)
    model = CustomGNN(
        version,
        hidden=24,
        geometry=geometry,
        fit={"epochs": 30, "batch": 8, "rate": 1e-2, "ema": 0.0},
    )
    wrong = (model.fit(data, data[:0]).energies(unseen.molecules) - unseen.energies).abs().mean()
    assert wrong < 0.3 * (data.energies.mean() - unseen.energies).abs().mean()


# --- what it is asked -------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", ["vector", "distance"])
@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph["graph"])
def test_one_two_and_three_atoms_on_a_line_have_energies_and_forces(
    geometry: str, graph: dict[str, Any]
) -> None:
    """Fewer neighbours than k, none within the radius, none at all."""
    model, _ = fitted(geometry=geometry, **{**graph, "k": 20})
    lines = [
        Molecules.one(["C"], [[0, 0, 0]]),
        Molecules.one(["H", "H"], [[0, 0, 0], [0, 0, 0.74]]),
        Molecules.one(["O", "O"], [[0, 0, 0], [0, 0, 9.0]]),
        Molecules.one(["O", "C", "O"], [[0, 0, -1.16], [0, 0, 0], [0, 0, 1.16]]),
    ]
    molecules = Molecules.concatenate(lines)
    assert torch.isfinite(model.energies(molecules)).all()
    assert torch.isfinite(model.forces(molecules)).all()
    assert not model.forces(lines[0]).any()


def test_k_larger_than_the_molecule_is_the_complete_graph() -> None:
    molecules = wobbly(8, seed=3).molecules
    numbers, positions = molecules.pad()
    every = builder("complete", 1, 1.0, False)(every_slot(numbers.double(), positions)).edges
    assert torch.equal(
        builder("nearest", 5, 1.0, False)(every_slot(numbers.double(), positions)).edges, every
    )
    fewer = builder("nearest", 4, 1.0, False)(
        every_slot(numbers.double(), positions)
    ).edges  # the control
    assert not torch.equal(fewer, every)
    assert chain()(every_slot(numbers.double(), positions)).edges.sum() > every.sum()


def test_atoms_on_one_point_and_unseen_elements_are_refused() -> None:
    model, _ = fitted()
    with pytest.raises(InputError, match=r"'folded'\): atoms 1 and 2 are 0\.000 Å apart"):
        model.energies(Molecules.one(["C", "H"], [[0, 0, 0], [0, 0, 0]], name="folded"))
    with pytest.raises(InputError, match="knows no F"):
        model.energies(Molecules.one(["H", "F"], [[0, 0, 0], [0, 0, 0.92]]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"version": 4}, "version"),
        ({"geometry": "vectr"}, "vector"),
        ({"graph": "neerest"}, "nearest"),
        ({"k": 0}, "`k` must be at least 1, got 0"),
        ({"hidden": 0}, "`hidden` must be at least 1"),
        ({"layers": 0}, "`layers` must be at least 1"),
        ({"radius": -1.0}, "`radius` must be positive"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CustomGNN(**settings)
