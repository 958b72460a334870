"""The papers' figures of functions and features: sensitivities, spherical harmonics, Bessel waves,
Coulomb matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from onekcal.errors import InputError
from onekcal.show.plots import ACCENT, CURVES, FAINT, INK, SECOND, canvas, dressed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from onekcal.molecules import Molecules

POINTS = 400


def hipnn_sensitivities(run: Path | None = None) -> Figure:
    """Draw HIP-NN's figure 2: the initial s_ν(r) under the cut-off φ(r), and those of a run.

    Parameters
    ----------
    run
        The folder of a run of HIP-NN; None: only the initial ones.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    from onekcal.networks.hipnn import HipNNNetwork

    layers = [("Initial", HipNNNetwork((1, 6)).interactions[0])]
    r_cut = 15.0
    if run is not None:
        network = _hipnn_of(run)
        r_cut = network.r_cut
        layers += [
            (f"Trained, layer {k}", layer) for k, layer in enumerate(network.interactions, 1)
        ]
    figure = canvas(2.2 + 3.1 * len(layers), 3.4)
    for axes, (name, layer) in zip(
        np.atleast_1d(figure.subplots(1, len(layers), sharey=True)), layers
    ):
        _sensitivities(axes, layer, r_cut)
        dressed(axes, name, "distance r (Bohr)", "s(r)" if name == "Initial" else "")
    return figure


def _sensitivities(axes: Axes, layer: Any, r_cut: float) -> None:
    from onekcal.networks.sensitivities import sensitivities

    r = 1.0 / torch.linspace(
        1.0 / 0.8, 1.0 / r_cut, 4 * POINTS, dtype=torch.float64
    )  # as dense as the functions
    phi = (0.5 * torch.pi / r_cut * r).cos().square()
    mu, sigma = (value.detach().double() for value in (layer.mu, layer.sigma))
    order = mu.argsort()  # the nearest in the darkest colour
    curves = sensitivities(1.0 / r, phi, mu[order], sigma[order]).numpy()
    for k, curve in enumerate(curves.T):
        axes.plot(r, curve, lw=1.2, color=ACCENT, alpha=1 - 0.65 * k / len(curves.T))
    axes.plot(r, phi, color=INK, lw=1.4, ls="--", label="φ(r)")
    axes.legend(frameon=False, fontsize=9)


def _hipnn_of(run: Path) -> Any:
    from onekcal.models.artefact import Artefact
    from onekcal.networks.hipnn import HipNN

    model = Artefact.load(run / "model.safetensors").model
    found = [stage for stage in model.stages if isinstance(stage, HipNN)]
    if not found:
        raise InputError(
            f"{run} holds no HIP-NN, but {', '.join(type(one).__name__ for one in model.stages)}; "
            "train one"
        )
    return found[0].networks[0]


def real_spherical_harmonics(degree: int = 4) -> Figure:
    """Draw AtomCloudNet's figure 2: |Y_lm| as the distance from the middle.

    The sign is the colour.

    Parameters
    ----------
    degree
        The highest l.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    from onekcal.features.harmonics import real_harmonics

    polar, around = np.meshgrid(
        np.linspace(0, np.pi, 31), np.linspace(0, 2 * np.pi, 46), indexing="ij"
    )
    unit = np.stack(
        [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1
    )
    values = real_harmonics(torch.from_numpy(unit), degree).numpy()
    figure = canvas(1.05 * (2 * degree + 1), 1.18 * (degree + 1))
    grid = figure.add_gridspec(degree + 1, 2 * degree + 1)
    for order in range(degree + 1):
        for m in range(-order, order + 1):
            axes: Any = figure.add_subplot(grid[order, degree + m], projection="3d")
            _lobes(axes, unit, values[..., order * order + order + m])
            axes.set_title(f"l = {order}, m = {m}".replace("-", "−"), fontsize=8, color=INK, pad=-4)
    return figure


def _lobes(axes: Any, unit: np.ndarray, values: np.ndarray) -> None:
    from matplotlib.colors import LightSource, to_rgb

    x, y, z = np.moveaxis(unit * np.abs(values)[..., None], -1, 0)
    colors = np.where((values > 0)[..., None], to_rgb(ACCENT), to_rgb(SECOND))
    axes.plot_surface(
        x,
        y,
        z,
        facecolors=colors,
        rstride=1,
        cstride=1,
        linewidth=0,
        antialiased=False,
        lightsource=LightSource(azdeg=300, altdeg=50),
    )
    reach = 0.95 * np.abs(values).max()
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
    axes.set_box_aspect((1, 1, 1), zoom=1.45)
    axes.view_init(elev=22, azim=35)
    axes.set_axis_off()


def dimenet_bases(degrees: int = 7, waves: int = 6, exponent: int = 5) -> Figure:
    """Draw the bases of DimeNet++: radial waves under their envelope, and spherical waves.

    Parameters
    ----------
    degrees
        Degrees of the spherical waves.
    waves
        Waves of each degree.
    exponent
        Of the envelope.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    from onekcal.features.bessel import envelope, radial_basis

    figure = canvas(9.4, 7.2)
    parts: Any = figure.subfigures(2, 1, height_ratios=[1, 1.35])
    above, below = parts
    x = torch.linspace(0.02, 1, POINTS, dtype=torch.float64)
    left, right = above.subplots(1, 2)
    frequencies = torch.pi * torch.arange(1, waves + 1, dtype=torch.float64)
    for n, curve in enumerate(radial_basis(x, frequencies, exponent).T):
        left.plot(x, curve, lw=1.5, color=CURVES[n % len(CURVES)], label=f"n = {n + 1}")
    dressed(left, "Radial basis, u(x) sin nπx", "x = d / cut-off", "eₙ(x)").legend(
        frameon=False, ncols=2, fontsize=9
    )
    right.plot(x, x * envelope(x, exponent), lw=1.8, color=INK)
    dressed(right, "Envelope x u(x): two derivatives vanish at 1", "x = d / cut-off", "x u(x)")
    shown = [order for order in (0, 1, 2, 3) if order < degrees], [n for n in (0, 1) if n < waves]
    panels = np.atleast_2d(below.subplots(len(shown[1]), len(shown[0])))
    for row, n in zip(panels, shown[1]):
        for axes, order in zip(row, shown[0]):
            _wave(axes, order, n, exponent)
    return figure


def _wave(axes: Axes, order: int, n: int, exponent: int) -> None:
    """One spherical wave in a half-plane through the bond and its mirror image; the bond
    points up.
    """
    from onekcal.features.bessel import angular_basis, spherical_basis

    line = torch.linspace(-1, 1, 161, dtype=torch.float64)
    x, y = torch.meshgrid(line, line, indexing="xy")
    distance = (x.square() + y.square()).sqrt().clamp_min(0.08)
    radial = spherical_basis(distance.flatten(), order + 1, n + 1, exponent)[:, order, n]
    angular = angular_basis((y / distance).flatten(), max(order + 1, 2))[:, order]
    values = (radial * angular).view(x.shape)
    shown = torch.where(distance < 1, values, torch.nan).numpy()
    limit = float(np.nanquantile(np.abs(shown), 0.97))
    axes.contourf(x, y, shown, levels=np.linspace(-limit, limit, 18), cmap="RdBu", extend="both")
    axes.set_aspect("equal")
    axes.set_title(f"l = {order}, n = {n + 1}", fontsize=9, color=INK)
    axes.set_axis_off()


def coulomb_features(molecule: Molecules, noise_seed: int = 0) -> Figure:
    """Draw the QM7 study's features: the Coulomb matrix in several orders, and its eigenvalues.

    Parameters
    ----------
    molecule
        One molecule.
    noise_seed
        Seed of the random order.

    Returns
    -------
    Figure
        A figure of matplotlib.
    """
    from onekcal.features.coulomb import coulomb_matrix, sorted_by_norm, sorted_eigenvalues
    from onekcal.molecules import SYMBOLS

    matrix = coulomb_matrix(molecule)
    noise = torch.randn(
        matrix.shape[:2], generator=torch.Generator().manual_seed(noise_seed), dtype=torch.float64
    )
    panels = {
        "Coulomb matrix": matrix,
        "rows and columns by norm": sorted_by_norm(matrix),
        "by norm plus noise": sorted_by_norm(matrix, noise),
    }
    figure = canvas(9.6, 6.2)
    parts: Any = figure.subfigures(2, 1, height_ratios=[1.05, 1])
    above, below = parts
    symbol = {round(0.5 * z**2.4, 6): SYMBOLS[z] for z in molecule.elements}
    row = above.subplots(1, 3)
    for axes, (name, values) in zip(row, panels.items()):
        image = axes.imshow(values[0].numpy(), norm="log", vmin=0.1, vmax=float(matrix.max()))
        atoms = [symbol[round(float(entry), 6)] for entry in values[0].diagonal()]
        axes.set(xticks=range(len(atoms)), yticks=range(len(atoms)))
        axes.set_xticklabels(atoms, fontsize=7)
        axes.set_yticklabels(atoms, fontsize=7)
        axes.set_title(name, loc="left", fontsize=11, color=INK)
        axes.tick_params(length=0)
    above.colorbar(image, ax=row, shrink=0.8, label="Hartree")
    left, right = below.subplots(1, 2)
    found = sorted_eigenvalues(matrix)[0]
    left.bar(np.arange(1, len(found) + 1), found.numpy(), color=ACCENT, width=0.7)
    left.set(yscale="log", xlim=(0.3, len(found) + 0.7))
    dressed(left, "Eigenvalues, largest absolute value first", "", "|λ| (Hartree)")
    _binarised(right, (0.0, 0.5, 2.0, 4.5))
    return figure


def _binarised(axes: Axes, entries: Sequence[float], theta: float = 1.0, steps: int = 7) -> None:
    """tanh(x/θ − k) of some entries x at every step k."""
    places = np.arange(steps)
    for k, entry in enumerate(entries):
        axes.plot(
            places,
            np.tanh(entry / theta - places),
            "o-",
            lw=1.4,
            ms=5,
            color=CURVES[k],
            label=f"x = {entry:g}",
        )
    axes.axhline(0, color=FAINT, lw=1)
    dressed(
        axes, "An entry x binarised: tanh(x/θ − k), θ = 1 Hartree", "step k", "input of the network"
    )
    axes.legend(frameon=False, fontsize=9)
