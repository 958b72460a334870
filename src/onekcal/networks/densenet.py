r"""The network of a 3-D DenseNet on fields in a cube; `networks.voxels` makes a model of it.

    x̂ = (x − mean x)/√(var x + 10⁻⁵)                                                 (normalisation)
        over the molecules and voxels of a batch, one channel at a time
    x⁰ = S * field                                                                            (stem)
        3×3×3, 64 channels
    b_l = relu(γ' ∘ ĥ + β'),   h = W relu(γ ∘ x̂ + β)                                    (bottleneck)
        1×1×1, 4 · 12 channels
    x ← x ⊕ (K * b_l)                                                                  (dense layer)
        3×3×3, 12 channels, l = 1 … d
    x ← pool(V relu(γ ∘ x̂ + β))                                                         (transition)
        1×1×1, half the channels; mean of 2×2×2
    E = w · ⟨relu(γ ∘ x̂ + β)⟩ + c                                                             (head)
        ⟨ ⟩: mean over voxels

⊕ puts channels one after the other, * is a convolution with zeros outside the cube. There are two
dense blocks of d₁ and d₂ layers with a transition between them.

`orbits` is in `onekcal.networks.cube_symmetry`.

Gupta, Raghavachari, J. Chem. Theory Comput. 18, 2132 (2022); Huang, Liu, van der Maaten,
Weinberger, CVPR (2017).

Done in another way, with the same result:
- All layers of a block normalise the same channels, and a channel has the same mean and variance
  for all of them. So x̂ is computed once, when a channel is made, and only x̂ is kept.
- Channels lie last in one buffer a block, so that ⊕ costs nothing and W is a matrix product.
- relu(γ ∘ x̂ + β) is x̂, clipped; the product with W does the rest (`onekcal.networks.clipping`).
- The gradient of a block computes relu(γ ∘ x̂ + β) and b_l again instead of keeping them
  (`onekcal.networks.dense_block`).
- The transition pools before it multiplies, which is an eighth of the work.

Deliberate deviations:
- `symmetry` ties the weights of S and K together (`orbits`): with "signs" the energy does not
  change when an axis of the cube is reversed, with "cube" under any of its 48 rotations and
  reflections. The published network has neither.
- With bfloat16, x̂, h, b and their gradients are kept in bfloat16, and products are made in it;
  means, variances, weights and energies are in float32. A CPU that does not multiply bfloat16
  itself trains in float32 instead.
- In training, a batch is normalised in parts of `together` molecules, as it was on each of the
  paper's four GPUs. Running means and variances follow the mean over the parts, with the usual
  momentum of 0.1.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, pad

from onekcal.networks.clipped_mean import ClippedMean
from onekcal.networks.cube_symmetry import orbits
from onekcal.networks.dense_block import EPSILON, LAST, DenseBlock, cube, matrix
from onekcal.networks.network import Batch, Network, Output

MOMENTUM = 0.1
"""Weight of the newest batch in running means and variances."""


class DenseNetwork(Network):
    """A DenseNet for fields on a grid.

    Parameters
    ----------
    elements
        Nuclear charges of the training molecules.
    channels
        Number of fields.
    grid
        Voxels along x, y and z.
    blocks, growth, stem, bottleneck, compression, symmetry, together
        As in `onekcal.networks.voxels.VoxelDenseNet`.
    """

    def __init__(
        self,
        elements: tuple[int, ...],
        channels: int,
        grid: tuple[int, int, int],
        blocks: Sequence[int],
        growth: int = 12,
        stem: int = 64,
        bottleneck: int = 4,
        compression: float = 0.5,
        symmetry: str = "none",
        together: int = 32,
    ) -> None:
        super().__init__()
        self.elements, self.together = elements, together
        self.stem = Kernel(channels, stem, symmetry)
        self.normalised = torch.nn.ModuleList()
        self.blocks = torch.nn.ModuleList()
        self.transitions = torch.nn.ModuleList()
        width = stem
        for k, depth in enumerate(blocks):
            if k:
                self.transitions.append(Transition(width, int(compression * width)))
                width = int(compression * width)
            self.normalised.append(Normalisation(width))
            self.blocks.append(
                torch.nn.ModuleList(
                    [
                        DenseLayer(width + growth * layer, growth, bottleneck * growth, symmetry)
                        for layer in range(depth)
                    ]
                )
            )
            width += growth * depth
        self.gamma, self.beta = (
            torch.nn.Parameter(torch.ones(width)),
            torch.nn.Parameter(torch.zeros(width)),
        )
        self.output = torch.nn.Linear(width, 1)
        torch.nn.init.zeros_(self.output.bias)
        if min(grid) // 2 ** len(self.transitions) < 2:
            raise ValueError(
                f"a grid of {grid} is too small to be halved {len(self.transitions)} times"
            )

    def forward(self, batch: Batch) -> Output:
        """Return energies, the mean over views of `batch.inputs` (B, views, channels, x, y, z)."""
        assert batch.inputs is not None
        count, views = batch.inputs.shape[:2]
        fields = batch.inputs.flatten(0, 1)  # (B · views, channels, x, y, z)
        parts = -(-len(fields) // self.together)
        kind, low = fields.device.type, fields.dtype
        if torch.is_autocast_enabled(kind) and (kind != "cpu" or cpu_multiplies_bfloat16()):
            low = torch.get_autocast_dtype(kind)
        with torch.autocast(kind, enabled=False):
            # part k has every `parts`-th molecule from the k-th on; the share of a process is made
            # in the same way, so that several processes make the same parts
            parts_of = [
                self.energies(fields[k::parts], low, momentum(k, parts)) for k in range(parts)
            ]
        energies = torch.cat(parts_of)[_places(len(fields), parts)].view(count, views)
        if views == 1:
            return Output(energies[:, 0])
        return Output(energies.mean(1), terms={"spread": energies.std(1)})

    def energies(self, fields: Tensor, low: torch.dtype, share: float) -> Tensor:
        """Return standardised energies of fields.

        Parameters
        ----------
        fields
            (B, channels, x, y, z).
        low
            Precision of products.
        share
            Weight of this batch in the running means and variances.

        Returns
        -------
        Tensor
            (B,).
        """
        shape = (len(fields), *fields.shape[2:])
        x = _neighbourhoods(fields) @ self.stem.weight().flatten(1).T
        x = x.to(low)  # (B · x · y · z, channels)
        for k, (normalised, block) in enumerate(zip(self.normalised, self.blocks)):
            if k:
                x, shape = self.transitions[k - 1](x, shape, low)
            x = normalised(x, shape, share)
            layers = [layer for layer in block.children() if isinstance(layer, DenseLayer)]
            weights = [weight for layer in layers for weight in layer.weights()]
            running = [layer.running() for layer in layers]
            if weights:
                x = DenseBlock.apply(x, shape, share, self.training, running, *weights)
        pooled = ClippedMean.apply(x, self.gamma, self.beta, shape, shape[1:])  # (B, width)
        return self.output(pooled)[:, 0]

    def decayed(self) -> list[torch.nn.Parameter]:
        """Return all parameters, as in the paper."""
        return list(self.parameters())

    def statistics(self) -> list[Tensor]:
        """Return running means and variances."""
        return [tensor for tensor in self.buffers() if tensor.is_floating_point()]


def cpu_multiplies_bfloat16() -> bool:
    """Return whether this processor has instructions for products of bfloat16.

    Without them such products are computed as well, but slower than those of float32.
    """
    if not torch.backends.mkldnn.is_available() or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    asked = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return platform.machine() not in ("x86_64", "AMD64") or any(
        getattr(torch.cpu, name, lambda: False)() for name in asked
    )


def momentum(k: int, parts: int) -> float:
    """Return the momentum of the k-th part of a batch.

    All parts have the same weight, and their mean has the weight MOMENTUM.

    Parameters
    ----------
    k, parts
        Number of the part, from 0, and number of parts.
    """
    return MOMENTUM / (parts - (parts - 1 - k) * MOMENTUM)


def _places(count: int, parts: int) -> Tensor:
    """(count,) place of each molecule when the parts of `forward` are put one after the other."""
    return torch.cat([torch.arange(k, count, parts) for k in range(parts)]).argsort()


def _neighbourhoods(fields: Tensor) -> Tensor:
    """The 3×3×3 voxels round each voxel (B · x · y · z, channels · 27); outside is 0."""
    x = pad(fields, [1] * 6)
    for axis in (2, 3, 4):
        x = x.unfold(axis, 3, 1)
    return x.permute(0, 2, 3, 4, 1, 5, 6, 7).flatten(4).flatten(0, 3)


class Normalisation(torch.nn.Module):
    """x̂ of channels (R, C); a trained network uses its running means and variances."""

    mean: Tensor
    variance: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, x: Tensor, shape: tuple[int, ...], share: float) -> Tensor:
        """Return x̂ (R, C); `share` is the momentum of the running means."""
        x = batch_norm(
            cube(x, shape), self.mean, self.variance, None, None, self.training, share, EPSILON
        )
        return matrix(x)


class Kernel(torch.nn.Module):
    """Weights of a 3×3×3 convolution; a symmetry of the cube makes some of them equal."""

    orbit: Tensor

    def __init__(self, channels: int, out: int, symmetry: str) -> None:
        super().__init__()
        orbit = orbits(symmetry)
        self.values = torch.nn.Parameter(torch.empty(out, channels, int(orbit.max()) + 1))
        torch.nn.init.normal_(self.values, std=math.sqrt(2 / (27 * channels)))
        self.register_buffer("orbit", orbit, persistent=False)
        self.free = symmetry == "none"

    def weight(self) -> Tensor:
        """(out, channels, 3, 3, 3)."""
        if self.free:
            return self.values.unflatten(2, (3, 3, 3))
        return self.values[:, :, self.orbit].contiguous(memory_format=LAST)


class DenseLayer(torch.nn.Module):
    """What one dense layer learns, with running means and variances of h and of its channels."""

    hidden_mean: Tensor
    hidden_variance: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, width: int, growth: int, hidden: int, symmetry: str) -> None:
        super().__init__()
        self.gamma, self.beta = (
            torch.nn.Parameter(torch.ones(width)),
            torch.nn.Parameter(torch.zeros(width)),
        )
        self.reduce = torch.nn.Parameter(torch.empty(hidden, width))
        torch.nn.init.normal_(self.reduce, std=math.sqrt(2 / width))
        self.hidden_gamma = torch.nn.Parameter(torch.ones(hidden))
        self.hidden_beta = torch.nn.Parameter(torch.zeros(hidden))
        self.kernel = Kernel(hidden, growth, symmetry)
        for name, count in (("hidden_", hidden), ("", growth)):
            self.register_buffer(f"{name}mean", torch.zeros(count))
            self.register_buffer(f"{name}variance", torch.ones(count))

    def weights(self) -> tuple[Tensor, ...]:
        """γ, β, W, γ', β', K."""
        return (
            self.gamma,
            self.beta,
            self.reduce,
            self.hidden_gamma,
            self.hidden_beta,
            self.kernel.weight(),
        )

    def running(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Means and variances of h and of the layer's channels."""
        return self.hidden_mean, self.hidden_variance, self.mean, self.variance


class Transition(torch.nn.Module):
    """Fewer channels on half the grid."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.gamma, self.beta = (
            torch.nn.Parameter(torch.ones(width)),
            torch.nn.Parameter(torch.zeros(width)),
        )
        self.reduce = torch.nn.Parameter(torch.empty(out, width))
        torch.nn.init.normal_(self.reduce, std=math.sqrt(2 / width))

    def forward(
        self, x: Tensor, shape: tuple[int, ...], low: torch.dtype
    ) -> tuple[Tensor, tuple[int, ...]]:
        """Return the new channels (R/8, C') and the new shape (B, x/2, y/2, z/2)."""
        pooled = ClippedMean.apply(x, self.gamma, self.beta, shape, (2, 2, 2))
        return pooled.to(low) @ self.reduce.to(low).T, (
            shape[0],
            *(edge // 2 for edge in shape[1:]),
        )
