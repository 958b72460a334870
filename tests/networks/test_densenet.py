"""The 3-D DenseNet: parameters, the same network out of torch's layers, symmetries, training."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from onekcal.bench.speed.densenet import PlainDenseNet, as_batch, copied, kept_bytes, pairs
from onekcal.data.dataset import Dataset
from onekcal.errors import ConfigError, InputError
from onekcal.fields import fields
from onekcal.molecules import Molecules
from onekcal.networks import dense_block, densenet
from onekcal.networks.cube_symmetry import motions, orbits
from onekcal.networks.dense_block import EPSILON
from onekcal.networks.densenet import MOMENTUM, DenseNetwork
from onekcal.networks.training.optimizers import Average
from onekcal.networks.training.session import Progress, session
from onekcal.networks.voxels import Looks, VoxelDenseNet
from support.molecules import wobbly

SMALL: dict[str, Any] = {
    "kinds": "nep",
    "grid": 8,
    "box": 6.0,
    "blocks": [2, 1],
    "growth": 4,
    "stem": 8,
}
MOMENT: dict[str, Any] = {
    "recipe": "onecycle",
    "epochs": 3,
    "batch": 8,
    "rate": 5e-3,
    "window": 1,
    "checkpoint": 0.0,
}


def network(grid: int = 6, channels: int = 2, seed: int = 0, **settings: Any) -> DenseNetwork:
    """In float64, with random γ and β: ones and zeros would hide a forgotten one."""
    torch.manual_seed(seed)
    settings = {"blocks": (3, 2), "growth": 3, "stem": 5, "bottleneck": 2, **settings}
    made = DenseNetwork((1, 6), channels, (grid,) * 3, **settings)
    for parameter in made.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 0.5, 0.5)
    return made.double()


def given(count: int = 6, channels: int = 2, grid: int = 6, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, grid, grid, grid, generator=generator, dtype=torch.float64)


def energies(net: DenseNetwork, x: Tensor) -> Tensor:
    return net(as_batch(x)).energies


# --- the published network --------------------------------------------------------------------


def counted(d1: int, d2: int, channels: int = 1) -> int:
    """Parameters in closed form.

    Growth 12, 64 stem channels, bottleneck 48, half the channels pass.
    """

    def block(width: int, depth: int) -> int:
        # γ, β and the 1×1×1 kernel of width + 12 l channels, l = 0 … depth − 1; γ', β' and the
        # 3×3×3 kernel
        return (2 + 48) * (depth * width + 12 * depth * (depth - 1) // 2) + depth * (
            2 * 48 + 48 * 12 * 27
        )

    first = 64 + 12 * d1
    last = first // 2 + 12 * d2
    transition, head = 2 * first + first * (first // 2), 3 * last + 1
    return 64 * 27 * channels + block(64, d1) + transition + block(first // 2, d2) + head


@pytest.mark.parametrize(
    ("blocks", "published"),
    [
        ((12, 20), 821_545),
        ((16, 16), 834_305),
        ((20, 12), 858_969),
        ((24, 8), 895_537),
        ((32, 32), None),
        ((8, 8), None),
    ],
)
def test_parameter_counts_are_the_closed_form(
    blocks: tuple[int, int], published: int | None
) -> None:
    for channels in (1, 3):
        net = DenseNetwork((1,), channels, (14,) * 3, blocks)
        assert sum(parameter.numel() for parameter in net.parameters()) == counted(
            *blocks, channels
        )
    assert published is None or counted(*blocks) == published


def plain(net: DenseNetwork) -> PlainDenseNet:
    made = PlainDenseNet(2, (3, 2), growth=3, stem=5, bottleneck=2).double()
    copied(made, net)
    return made


def test_energies_and_gradients_are_those_of_the_network_out_of_torchs_layers() -> None:
    """float64: what remains are sums in another order."""
    net = network()
    peer = plain(net)
    found = []
    for model, answer in ((net, energies(net, given())), (peer, peer(given()))):
        (answer.sin() + answer.square()).sum().backward()
        found.append(answer.detach())
        assert all(p.grad is not None for p in model.parameters())
    assert torch.allclose(*found, rtol=1e-10)
    for theirs, ours in pairs(peer, net):
        assert torch.allclose(
            ours.grad.view_as(theirs),
            theirs.grad,
            rtol=1e-7,
            atol=1e-10 * float(theirs.grad.abs().max()),
        )


def test_a_forgotten_normalisation_would_be_seen() -> None:
    """The control: with another ε the energies are others."""
    net, x = network(), given()
    peer = plain(net)
    for layer in peer.modules():
        if isinstance(layer, torch.nn.BatchNorm3d):
            layer.eps = 100 * EPSILON
    assert not torch.allclose(peer(x), energies(net, x), rtol=1e-5)


def test_running_means_and_variances_are_torchs_and_answer_as_torchs_do() -> None:
    net = network()
    peer = plain(net)
    for seed in range(3):
        energies(net, given(seed=seed)), peer(given(seed=seed))
    block, theirs = net.blocks[1], peer.blocks[1]
    # a layer of ours keeps those of the channels it makes; with theirs, every later layer does
    assert torch.allclose(net.normalised[1].mean, theirs[0].norm1.running_mean)
    assert torch.allclose(block[0].hidden_variance, theirs[0].norm2.running_var)
    assert torch.allclose(block[0].variance, theirs[1].norm1.running_var[-3:])
    assert torch.allclose(
        energies(net.eval(), given(seed=9)), peer.eval()(given(seed=9)), rtol=1e-9
    )
    assert not torch.allclose(energies(net.train(), given(seed=9)), peer(given(seed=9)), rtol=1e-6)


def test_a_batch_in_parts_is_what_separate_processes_make_of_it() -> None:
    x = given(8)
    net = network(together=4)
    whole = energies(net, x)
    peers = [plain(net), plain(net)]
    for k, peer in enumerate(peers):
        assert torch.allclose(whole[k::2], peer(x[k::2]), rtol=1e-9)
    mean = sum(peer.blocks[0][1].norm2.running_mean for peer in peers) / 2
    assert torch.allclose(net.blocks[0][1].hidden_mean, mean, rtol=1e-9)
    assert not torch.allclose(
        whole, energies(network(together=8), x), rtol=1e-5
    )  # the control: together, it is another


def numbered_weights(net: DenseNetwork) -> dict[str, Tensor]:
    """Weights that depend on nothing but their names' order; variances are above 0."""
    found = {}
    for k, (name, tensor) in enumerate(net.state_dict().items()):
        wave = torch.sin(1.7 * torch.arange(tensor.numel(), dtype=torch.float64) + k)
        found[name] = (wave.abs() + 0.5 if "variance" in name else 0.5 * wave).view(tensor.shape)
    return found


def test_weights_of_earlier_runs_are_read_and_give_the_energies_they_gave() -> None:
    """The energies are those of the first implementation, whose channels lay first."""
    net = network().eval()
    net.load_state_dict(numbered_weights(net))
    x = torch.cos(torch.arange(2 * 2 * 6**3, dtype=torch.float64)).view(2, 2, 6, 6, 6)
    then = torch.tensor([-1.089856352506367, -1.0890896402011838], dtype=torch.float64)
    assert torch.allclose(energies(net, x), then, rtol=1e-12, atol=0)
    net.blocks[0][0].hidden_mean.add_(1e-6)
    assert not torch.allclose(energies(net, x), then, rtol=1e-12, atol=0)  # the control


# --- bfloat16 ---------------------------------------------------------------------------------


def gradients(model: torch.nn.Module, answer: Tensor, weights: list[Tensor]) -> list[Tensor]:
    model.zero_grad()
    (answer.float() * torch.linspace(-1, 1, len(answer))).sum().backward()
    return [weight.grad.double().flatten() for weight in weights]


def off(found: list[Tensor], exact: list[Tensor]) -> Tensor:
    """How far each gradient is from the exact one, over its length."""
    return torch.stack([(a - b).norm() / b.norm() for a, b in zip(found, exact)])


def blobs(count: int, grid: int = 8) -> Tensor:
    """Smooth fields (count, 2, grid, grid, grid) that differ from one molecule to the next."""
    generator = torch.Generator().manual_seed(5)
    places = torch.rand(count, 2, 4, 3, generator=generator) * (grid - 1)
    widths = 1 + torch.rand(count, 2, 4, generator=generator)
    voxels = torch.cartesian_prod(*[torch.arange(grid).float()] * 3)
    apart = torch.cdist(voxels, places)  # (count, 2, grid³, 4)
    return torch.exp(-((apart / widths[:, :, None]) ** 2)).sum(3).unflatten(2, (grid,) * 3)


def low_and_exact(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Errors of gradients and energies in bfloat16: ours, and those of torch's layers."""
    torch.manual_seed(seed)
    net, peer = DenseNetwork((1,), 2, (8,) * 3, (4, 4), stem=16), PlainDenseNet(2, (4, 4), stem=16)
    copied(peer, net)
    x, both = blobs(16), list(pairs(peer, net))
    ours, theirs = [mine for _, mine in both], [there for there, _ in both]
    full = peer(x)
    exact = gradients(peer, full, theirs)
    with torch.autocast("cpu", torch.bfloat16):
        low, plain_low = energies(net, x), peer(x)
    assert low.dtype == torch.float32
    return (
        off(gradients(net, low, ours), exact),
        off(gradients(peer, plain_low, theirs), exact),
        ((low - full).norm() / full.std()).detach(),
        ((plain_low - full).norm() / full.std()).detach(),
    )


@pytest.fixture
def low_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products in bfloat16 on any processor, if need be slowly."""
    monkeypatch.setattr(densenet, "cpu_multiplies_bfloat16", lambda: True)


@pytest.mark.usefixtures("low_precision")
def test_bfloat16_is_as_close_to_float32_as_torchs_layers_in_bfloat16_are() -> None:
    """Both round the same numbers, in another order. Measured: 0.13 and 0.14 of a gradient."""
    ours, theirs, energy, plain_energy = low_and_exact()
    assert 0 < ours.median() < 2 * theirs.median() < 0.6
    assert 0 < energy < 3 * plain_energy < 0.3


@pytest.mark.usefixtures("low_precision")
def test_a_forgotten_mask_would_be_seen_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with a gradient that passes where relu is 0, they are far apart."""
    monkeypatch.setattr(dense_block, "masked_in", lambda slope, b: slope)
    ours, theirs, *_ = low_and_exact()
    assert ours.median() > 2 * theirs.median()


@pytest.mark.usefixtures("low_precision")
def test_the_same_seed_gives_the_same_bits_in_bfloat16() -> None:
    found = []
    for seed in (0, 0, 1):
        net = network(grid=8, seed=seed).float()
        with torch.autocast("cpu", torch.bfloat16):
            answer = energies(net, given(8, grid=8).float())
        found.append(torch.cat(gradients(net, answer, list(net.parameters()))))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_processor_without_bfloat16_trains_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers() -> tuple[Tensor, Tensor]:
        net, x = network(grid=8).float(), given(8, grid=8).float()
        with torch.autocast("cpu", torch.bfloat16):
            return energies(net, x), energies(net.eval(), x)

    monkeypatch.setattr(densenet, "cpu_multiplies_bfloat16", lambda: True)
    low = answers()
    monkeypatch.setattr(densenet, "cpu_multiplies_bfloat16", lambda: False)
    full = answers()
    net, x = network(grid=8).float(), given(8, grid=8).float()
    assert torch.equal(full[0], energies(net, x))
    assert not torch.equal(full[0], low[0])
    model = fitted(fit={**MOMENT, "precision": "bf16"})
    same = fitted(fit=MOMENT)
    some = wobbly(4, seed=3).molecules
    assert torch.equal(model.energies(some), same.energies(some))


def test_a_training_begun_in_bfloat16_goes_on_on_a_processor_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue may be carried to another machine; the checkpoint holds float32 on both."""
    fit = {**MOMENT, "precision": "bf16"}

    def stop(at: Progress) -> None:
        if at.epoch >= 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(densenet, "cpu_multiplies_bfloat16", lambda: True)
    with session(tmp_path, watch=stop), pytest.raises(KeyboardInterrupt):
        fitted(fit=fit)
    monkeypatch.setattr(densenet, "cpu_multiplies_bfloat16", lambda: False)
    told: list[str] = []
    with session(tmp_path, resume=True) as inside:
        inside.say = told.append
        model = fitted(fit=fit)
    assert "going on after epoch 1 of 3" in told[0]
    assert model.energies(wobbly(4, seed=3).molecules).isfinite().all()


@pytest.mark.parametrize("missing", ["mkldnn", "instructions"])
def test_bfloat16_is_asked_of_the_processor(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if missing == "mkldnn":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    else:
        monkeypatch.setattr(densenet.platform, "machine", lambda: "x86_64")
        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
            monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert not densenet.cpu_multiplies_bfloat16()


# --- clipping ---------------------------------------------------------------------------------


def test_gradients_are_right_where_gamma_is_zero_negative_or_far_below_beta() -> None:
    """All kinds of channels: rising, falling, always on, always off, and γ = 0."""
    net = network()
    with torch.no_grad():
        for layer in [*net.blocks[0], *net.blocks[1], net.transitions[0], net]:
            layer.gamma[:5] = torch.tensor([0.0, 1e-5, 1e-5, -1e-5, -0.7])
            layer.beta[:5] = torch.tensor([0.3, 0.4, -0.4, 0.4, 0.2])
    peer, x = plain(net), given()
    answers = energies(net, x), peer(x)
    assert torch.allclose(*answers, rtol=1e-10)
    for answer in answers:
        (answer.sin() + answer.square()).sum().backward()
    for theirs, ours in pairs(peer, net):
        size = float(theirs.grad.abs().max())
        assert torch.allclose(ours.grad.view_as(theirs), theirs.grad, rtol=1e-6, atol=1e-8 * size)


def test_voxels_beyond_the_last_whole_window_have_no_gradient() -> None:
    net, x = network(grid=7), given(grid=7)
    peer = plain(net)
    answers = energies(net, x), peer(x)
    assert torch.allclose(*answers, rtol=1e-10)
    for answer in answers:
        answer.square().sum().backward()
    for theirs, ours in pairs(peer, net):
        size = float(theirs.grad.abs().max())
        assert torch.allclose(ours.grad.view_as(theirs), theirs.grad, rtol=1e-6, atol=1e-8 * size)


def test_a_block_keeps_a_third_of_what_torchs_layers_keep_for_the_gradient() -> None:
    net = DenseNetwork((1,), 1, (8,) * 3, (8, 8))
    peer = PlainDenseNet(1, (8, 8))
    x = torch.rand(4, 1, 8, 8, 8)
    assert kept_bytes(net, x) < kept_bytes(peer, x) / 3


# --- symmetries of the cube -------------------------------------------------------------------


@pytest.mark.parametrize(("symmetry", "count"), [("none", 1), ("signs", 8), ("cube", 48)])
def test_motions_are_a_group_that_leaves_distances_alone(symmetry: str, count: int) -> None:
    n = 3
    found = motions(symmetry, n)
    assert found[0].tolist() == list(range(n**3))
    assert len({tuple(motion.tolist()) for motion in found}) == count
    assert {tuple(a[b].tolist()) for a in found for b in found} == {
        tuple(motion.tolist()) for motion in found
    }
    voxels = torch.cartesian_prod(*[torch.arange(n)] * 3).double()
    apart = torch.cdist(voxels, voxels)
    assert all(torch.allclose(apart[motion][:, motion], apart) for motion in found)
    assert not torch.allclose(apart[torch.randperm(n**3)], apart)


@pytest.mark.parametrize(("symmetry", "free"), [("none", 27), ("signs", 8), ("cube", 4)])
def test_kernels_have_the_symmetry_they_are_asked_for_and_no_more(symmetry: str, free: int) -> None:
    orbit = orbits(symmetry).flatten()
    assert len(orbit.unique()) == free
    same = [torch.equal(orbit[motion], orbit) for motion in motions("cube", 3)]
    assert sum(same) == {"none": 1, "signs": 8, "cube": 48}[symmetry]


@pytest.mark.parametrize("symmetry", ["none", "signs", "cube"])
def test_energy_has_the_symmetry_of_the_kernels_and_no_more(symmetry: str) -> None:
    net, x = network(symmetry=symmetry, grid=4).eval(), given(2, grid=4)
    answers = [
        energies(net, x.flatten(2)[:, :, motion].view_as(x)) for motion in motions("cube", 4)
    ]
    same = [torch.allclose(answer, answers[0], rtol=1e-9) for answer in answers]
    assert sum(same) == {"none": 1, "signs": 8, "cube": 48}[symmetry]


# --- looks ------------------------------------------------------------------------------------


def numbered(turns: int = 1) -> list[Any]:
    """A field in which every voxel of every molecule and orientation has a number of its own."""
    return [
        (np.arange(5 * 8, dtype=np.float32) + 100 * turn).reshape(5, 1, 2, 2, 2)
        for turn in range(turns)
    ]


def test_without_augmentation_a_look_is_the_field() -> None:
    rows = torch.tensor([3, 0, 3])
    for views in (None, 1):
        assert torch.equal(
            Looks(numbered(), motions("none", 2), views)(rows)[:, 0],
            torch.from_numpy(numbered()[0][rows]),
        )


def test_views_are_all_motions_of_all_orientations_each_once() -> None:
    found = Looks(numbered(2), motions("cube", 2), 96)(torch.tensor([1, 4]))
    assert found.shape == (2, 96, 1, 2, 2, 2)
    assert torch.equal(
        found[0, :2, 0], torch.from_numpy(np.stack([field[1, 0] for field in numbered(2)]))
    )
    assert len({tuple(view.flatten().tolist()) for view in found[1]}) == 96


def test_random_looks_differ_from_molecule_to_molecule_and_are_the_generators() -> None:
    look, rows = Looks(numbered(2), motions("signs", 2), None), torch.zeros(400, dtype=torch.int64)
    torch.manual_seed(1)
    first = look(rows)
    again = look(rows)
    torch.manual_seed(1)
    assert torch.equal(look(rows), first)
    assert not torch.equal(again, first)
    assert (
        len({tuple(one.flatten().tolist()) for one in first}) == 16
    )  # each of 16 is missed once in 10¹⁰ times


def test_looks_at_a_memory_map_read_the_rows_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "fields.npy", numbered()[0])
    stored = np.load(tmp_path / "fields.npy", mmap_mode="r")
    found = Looks([stored], motions("signs", 2), 8)(torch.tensor([4, 2]))
    assert torch.equal(found, Looks(numbered(), motions("signs", 2), 8)(torch.tensor([4, 2])))


# --- the model --------------------------------------------------------------------------------


def fitted(
    data: Any = None, valid: int = 0, fit: dict[str, Any] = MOMENT, **settings: Any
) -> VoxelDenseNet:
    data = wobbly(24, seed=1) if data is None else data
    return VoxelDenseNet(**{**SMALL, "fit": fit, **settings}).fit(data, data[:valid])


def test_energy_follows_the_molecule_and_changes_with_the_orientation_of_the_cube() -> None:
    model, still = fitted(), wobbly(12, seed=9).molecules
    turn = torch.from_numpy(Rotation.from_euler("xyz", [0.3, 1.1, -0.8]).as_matrix())
    moved = still.moved(
        still.positions @ turn.T + torch.tensor([3.1, -2.2, 0.7], dtype=torch.float64)
    )
    assert torch.allclose(
        model.energies(moved), model.energies(still), atol=1e-4
    )  # kcal/mol of some −60, in float32
    spread = fitted(turns=2, views=3).terms(still)["spread"]
    assert spread.min() > 1e-3


def test_views_are_averaged_and_their_deviation_is_told() -> None:
    data = wobbly(24, seed=1)
    model = fitted(data, augment="signs", views=4)
    molecules = wobbly(6, seed=3).molecules
    look = Looks([fields(molecules, ["nep"], n=8, box=6.0).numpy()], motions("signs", 8), 4)(
        torch.arange(6)
    )
    net = model.networks[0].eval()
    with torch.no_grad():
        each = (
            model.shift
            + model.scale * torch.stack([energies(net, look[:, k]) for k in range(4)], 1).double()
        )  # (6, 4)
    assert torch.allclose(
        model.energies(molecules), each.mean(1), atol=1e-4
    )  # kcal/mol of some −60, in float32
    assert torch.allclose(model.terms(molecules)["spread"], each.std(1), atol=1e-4)
    assert torch.allclose(model.variance(molecules), each.var(1), atol=1e-4)
    assert model.terms(molecules)["spread"].min() > 1e-3
    same = fitted(
        data, symmetry="signs", augment="signs", views=4
    )  # the control: this one has the symmetry
    assert same.terms(molecules)["spread"].max() < 1e-4


def test_variance_of_one_look_by_one_network_is_refused_and_an_ensemble_has_one() -> None:
    molecules = wobbly(4, seed=3).molecules
    with pytest.raises(InputError, match="views: 8"):
        fitted().variance(molecules)
    both = fitted(fit={**MOMENT, "ensemble": 2}).variance(molecules)
    more = fitted(fit={**MOMENT, "ensemble": 2}, augment="signs", views=2)
    assert both.min() > 0
    assert (more.variance(molecules) >= more._each(molecules).var(0)).all()


def test_forces_leave_nothing_in_the_store_and_dear_fields_of_an_answer_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path))
    model, molecules = fitted(), wobbly(8, seed=3).molecules
    kept = len(list((tmp_path / "fields").glob("*.h5")))
    monkeypatch.setattr("onekcal.networks.voxels.seconds_of", lambda what: 5.0)
    pulls = model.forces(molecules)
    assert len(list((tmp_path / "fields").glob("*.h5"))) == kept
    assert torch.equal(pulls, model.forces(molecules))
    model.energies(molecules)
    assert len(list((tmp_path / "fields").glob("*.h5"))) == kept + 1


def two_kinds(count: int, seed: int) -> Dataset:
    """Water and methanol in turn."""
    return wobbly(2 * count, seed)[torch.arange(2 * count) % 4 % 3 == 0]


@pytest.mark.parametrize(("recipe", "epochs"), [("fast", 40), ("paper", 60)])
def test_recipes_learn(recipe: str, epochs: int) -> None:
    """The error is 0.03 to 0.06 of the spread after training, 1 to 1.6 before it.

    The validation part matters: the running means of small batches make single epochs bad.
    """
    train, valid, unseen = two_kinds(24, 1), two_kinds(8, 3), two_kinds(16, 2)
    spread = (unseen.energies - unseen.energies.mean()).abs().mean()

    def error(**more: float) -> float:
        fit = {"recipe": recipe, "epochs": epochs, "batch": 8, **more}
        model = VoxelDenseNet(**{**SMALL, "grid": 6, "fit": fit}).fit(train, valid)
        return float((model.energies(unseen.molecules) - unseen.energies).abs().mean() / spread)

    assert error() < 0.5
    assert error(epochs=2, rate=1e-12) > 0.5  # the control: nothing is learned


def test_the_paper_recipe_is_its_settings() -> None:
    used = VoxelDenseNet(fit={"recipe": "paper"}).training
    assert (used.optimizer, used.momentum, used.weight_decay, used.rate) == ("sgd", 0.9, 1e-4, 0.1)
    assert (used.loss, used.batch, used.epochs, used.standardize) == ("mae", 128, 250, False)
    assert (used.watch, used.decay, used.threshold, used.floor) == ("loss", 0.75, 0.005, 1e-6)
    net = network()
    assert {id(p) for p in net.decayed()} == {id(p) for p in net.parameters()}


def test_a_moving_average_averages_running_means_too() -> None:
    net = network()
    average = Average(net, 0.9)
    for step in range(1, 30):
        energies(net, step + given(seed=step))
        average.update(step)
    theirs, mine = net.normalised[0].mean, average.network.normalised[0].mean
    behind = (mine / theirs).mean()
    assert (
        0.5 < behind < 0.99
    )  # the mean grows: an average lags behind, a copy would not, the first value were 0
    assert torch.equal(average.network.stem.orbit, net.stem.orbit)


def test_training_stopped_and_resumed_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    """With random looks, running means and a moving average: all of them are in the checkpoint."""
    settings = {"augment": "signs", "turns": 1, "views": 2}
    fit = {**MOMENT, "epochs": 6, "schedule": "constant", "ema": 0.9}
    data = wobbly(24, seed=1)
    for name in ("straight", "broken"):
        (tmp_path / name).mkdir()
    with session(tmp_path / "straight"):
        whole = fitted(data, 4, fit, **settings)

    class Stop(Exception):
        pass

    def stop(progress: Any) -> None:
        if progress.epoch >= 3:
            raise Stop

    with pytest.raises(Stop), session(tmp_path / "broken", watch=stop):
        fitted(data, 4, fit, **settings)
    with session(tmp_path / "broken", resume=True):
        resumed = fitted(data, 4, fit, **settings)
    assert (tmp_path / "straight" / "epochs.csv").read_bytes() == (
        tmp_path / "broken" / "epochs.csv"
    ).read_bytes()
    for name, tensor in whole.state().items():
        assert torch.equal(resumed.state()[name], tensor), name


@pytest.mark.slow
def test_two_processes_train_as_one_that_normalises_in_their_parts(in_empty_folder: Path) -> None:
    """Δ-targets of a stack under torchrun. float64, so that what differs is the order of sums."""
    (in_empty_folder / "voxels.yaml").write_text("""
name: here
data: {set: mini, target: b3lyp, train: 48, valid: 16, test: 8}
stages:
- dressed_atoms
- densenet: {kinds: nep, grid: 4, blocks: [1, 1], growth: 3, stem: 4, together: 4, dtype: float64}
fit: {recipe: onecycle, epochs: 4, batch: 8, window: 1, device: cpu}
""")
    train = ["train", "voxels.yaml", "--runs"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", "onekcal", *train, "one"],
        check=True,
        stdout=subprocess.DEVNULL,
        env=env,
    )
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "onekcal",
    ]
    subprocess.run(
        [*torchrun, *train, "two"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=env,
    )
    one, two = (
        np.genfromtxt(Path(runs) / "here" / "epochs.csv", delimiter=",", names=True)
        for runs in ("one", "two")
    )
    for name in one.dtype.names:
        assert two[name] == pytest.approx(one[name], rel=1e-6), name  # steps enlarge roundings


def test_single_and_linear_molecules_and_those_of_hydrogen_have_an_energy() -> None:
    model = fitted()
    for numbers, positions in (
        (["C"], [[0, 0, 0]]),
        (["C", "H"], [[0, 0, 0], [0, 0, 1.1]]),
        (["H", "H"], [[0, 0, 0], [0, 0, 0.74]]),
    ):
        assert torch.isfinite(model.energies(Molecules.one(numbers, positions))).all()
    with pytest.raises(InputError, match="box"):
        model.energies(Molecules.one(["C", "C"], [[0.0, 0.0, 0.0], [0.0, 0.0, 9.0]]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grid": 2}, "`grid` must be at least 4, got 2"),
        ({"blocks": [4, 0]}, "`blocks` must be at least 1, got 0"),
        ({"compression": 0.0}, "`compression` must be above 0"),
        ({"symmetry": "sphere"}, "no symmetry 'sphere'"),
        ({"symmetry": "cube", "grid": 7}, "not even"),
        ({"views": 2}, "`views` must be between 1 and 1"),
        ({"augment": "signs", "views": 9}, "between 1 and 8"),
        ({"fit": {"force_weight": 1.0}}, "cannot be trained on forces"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        VoxelDenseNet(**settings)


def test_momentum_of_parts_is_that_of_their_mean() -> None:
    from onekcal.networks.densenet import momentum

    running, parts = 7.0, [1.0, 2.0, 6.0]
    for k, value in enumerate(parts):
        share = momentum(k, 3)
        running = (1 - share) * running + share * value
    assert running == pytest.approx((1 - MOMENTUM) * 7.0 + MOMENTUM * 3.0)
