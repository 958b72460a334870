"""The 3-D DenseNet against torch's layers: parameters, gradients, batches in parts, clipping."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from onekcal.bench.speed.densenet import PlainDenseNet, copied, kept_bytes, pairs
from onekcal.networks.dense_block import EPSILON
from onekcal.networks.densenet import DenseNetwork
from support.densenet import energies, given, network


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
