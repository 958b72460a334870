"""The 3D-DenseNet paper's figure 3: its architecture, with the numbers of the network itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onekcal.networks.densenet import DenseNetwork
from onekcal.show.plots import ACCENT, FAINT, INK, SECOND, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLOCKS, GRID, SHOWN = (16, 16), 14, 4
"""Layers of the two dense blocks and voxels of an edge; layers of a block that are drawn."""
HIGH = 1.0
"""Height of the boxes."""


def densenet_architecture() -> Figure:
    """Draw figure 3: the path of a field through the (16, 16) network, and inside a dense block.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    net = DenseNetwork((1,), 1, (GRID,) * 3, BLOCKS)
    figure = canvas(9.6, 4.6)
    above, below = figure.subplots(2, 1, height_ratios=(1, 1.25))
    steps = _steps(net)
    for k, (words, given, color) in enumerate(steps):
        _box(above, 1.45 * k, 1.2, words, color)
        if k + 1 < len(steps):
            _arrow(above, 1.45 * k + 1.2, 1.45 * (k + 1))
        above.text(1.45 * k + 0.6, -0.16, given, ha="center", va="top", fontsize=8, color=INK)
    count = sum(parameter.numel() for parameter in net.parameters())
    _frame(above, f"3D-DenseNet {BLOCKS}: {count:,} parameters", 1.45 * len(steps), -0.62, 1.1)
    _inside(below, net)
    return figure


def _steps(net: DenseNetwork) -> list[tuple[str, str, str]]:
    """What happens to a field, what comes out, and a colour."""
    stem, half = net.stem.weight().shape[0], GRID // 2
    first, last = net.transitions[0].reduce.shape[1], net.output.in_features
    passed = net.transitions[0].reduce.shape[0]
    return [
        ("field", f"1 channel\n{GRID}³ voxels", FAINT),
        ("3×3×3\nconvolution", f"{stem} channels\n{GRID}³", SECOND),
        (f"dense block\n{BLOCKS[0]} layers", f"{first} channels\n{GRID}³", ACCENT),
        ("1×1×1 convolution\nmean of 2×2×2", f"{passed} channels\n{half}³", SECOND),
        (f"dense block\n{BLOCKS[1]} layers", f"{last} channels\n{half}³", ACCENT),
        ("normalise, ReLU\nmean of voxels", f"{last} numbers", SECOND),
        ("linear", "energy", FAINT),
    ]


def _inside(axes: Axes, net: DenseNetwork) -> None:
    """The layers of a block: each reads all that come before it."""
    widths = [layer.reduce.shape[1] for layer in net.blocks[0]][: SHOWN + 1]
    middle, new = net.blocks[0][0].reduce.shape[0], widths[1] - widths[0]
    wide, apart = 1.3, 2.1
    for k in range(SHOWN):
        _box(axes, apart * (k + 0.75), wide, f"1×1×1 → {middle}\n3×3×3 → {new}", ACCENT)
        told = f"reads {widths[k]}"
        axes.text(apart * (k + 0.75) + wide / 2, -0.16, told, ha="center", va="top", fontsize=8)
    ends = [0.35, *(apart * (k + 0.75) + wide for k in range(SHOWN))]
    starts = [*(apart * (k + 0.75) for k in range(SHOWN)), apart * (SHOWN + 0.75)]
    axes.text(0.0, HIGH / 2, f"{widths[0]}", ha="left", va="center", fontsize=9)
    axes.text(starts[-1] + 0.06, HIGH / 2, f"{widths[SHOWN]}", va="center", fontsize=9)
    for a, left in enumerate(ends):
        _arrow(axes, left, starts[a])
        for b in range(a + 1, len(starts)):
            bend = {"arrowstyle": "->", "color": SECOND, "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
            bend["connectionstyle"] = f"arc3,rad=-{0.42 / (b - a) ** 0.35:.3f}"
            at = (left, HIGH / 2 + 0.1), (starts[b], HIGH / 2 + 0.12)
            axes.annotate("", at[1], at[0], arrowprops=bend)
    title = f"inside a dense block: {SHOWN} of its layers; each adds {new} channels to all before"
    _frame(axes, title, starts[-1] + 0.8, -0.5, 2.6)


def _box(axes: Axes, left: float, wide: float, words: str, color: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    shape = "round,pad=0,rounding_size=0.08"
    axes.add_patch(
        FancyBboxPatch((left, 0), wide, HIGH, boxstyle=shape, fc=color, ec=INK, alpha=0.25, lw=0.8)
    )
    axes.text(left + wide / 2, HIGH / 2, words, ha="center", va="center", fontsize=8, color=INK)


def _arrow(axes: Axes, start: float, end: float) -> None:
    line = {"arrowstyle": "->", "color": INK, "lw": 1.0, "shrinkA": 1, "shrinkB": 1}
    axes.annotate("", (end, HIGH / 2), (start, HIGH / 2), arrowprops=line)


def _frame(axes: Axes, title: str, right: float, low: float, high: float) -> None:
    axes.set(xlim=(-0.1, right), ylim=(low, high))
    axes.set_axis_off()
    axes.set_title(title, loc="left", fontsize=11, color=INK)
