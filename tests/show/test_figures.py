"""The papers' figures: they show the numbers they are given, say what is absent, and are the
pictures of the docs.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from figures import bases as figures_bases
from figures import catalogue as figures
from figures import data as figures_data
from figures import fields as figures_fields
from figures import results as figures_results
from figures import voxels as figures_voxels
from figures.rows import Suite
from matplotlib.colors import to_rgb
from mpl_toolkits.mplot3d import Axes3D

import onekcal.bench.suite
from onekcal.datasets import load
from onekcal.errors import DataError, InputError
from onekcal.features.bessel import radial_basis
from onekcal.features.coulomb import coulomb_matrix, sorted_by_norm, sorted_eigenvalues
from onekcal.features.harmonics import real_harmonics
from onekcal.molecules import Molecules
from onekcal.networks.hipnn import HipNNNetwork
from onekcal.networks.sensitivities import sensitivities
from onekcal.runs.experiment import Experiment
from onekcal.runs.run import run
from onekcal.show import plots
from support.molecules import wobbly

ROOT = Path(__file__).parents[2]
SUITES = Path(onekcal.bench.__file__).parent / "suites"
PICTURE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?!https?:)(?P<path>[^)]+)\)")


def results(folder: Path, suite: str, errors: dict[str, list[float]], **paper: float) -> Path:
    """A file of results with these rows; each error is a run of ten epochs and fifty seconds."""
    runs = {
        name: [{"mae": mae, "training_seconds": 50.0, "epochs": 10} for mae in maes]
        for name, maes in errors.items()
    }
    rows = [
        {"name": name, "paper": paper, "ours": {"mae": float(np.mean(errors[name]))}, "runs": some}
        for name, some in runs.items()
    ]
    (folder / f"{suite}.json").write_text(json.dumps({"rows": rows}))
    return folder


def curves(axes: Any) -> dict[str, list[tuple[float, float]]]:
    """The points of each labelled curve."""
    return {bars.get_label(): list(zip(*map(list, bars[0].get_data()))) for bars in axes.containers}


def heights(axes: Any) -> list[float]:
    return [patch.get_height() for patch in axes.patches]


def test_sensitivities_are_those_of_an_initial_network() -> None:
    axes = figures_bases.hipnn_sensitivities().axes[0]
    *drawn, cut_off = axes.lines
    r, layer = torch.as_tensor(drawn[0].get_xdata()), HipNNNetwork((1, 6)).interactions[0]
    phi = (torch.pi * r / 30.0).cos().square()
    expected = sensitivities(1 / r, phi, layer.mu.detach().double(), layer.sigma.detach().double())
    assert len(drawn) == 20
    np.testing.assert_allclose(
        np.stack([line.get_ydata() for line in drawn], 1), expected.numpy(), atol=1e-12
    )
    np.testing.assert_allclose(cut_off.get_ydata(), phi.numpy(), atol=1e-12)
    assert all((line.get_ydata() <= cut_off.get_ydata() + 1e-12).all() for line in drawn)


def test_of_a_run_the_trained_layers_stand_beside_the_initial_one(tmp_path: Path) -> None:
    told = {
        "data": {"set": "mini", "target": "b3lyp", "train": 100, "valid": 20, "test": 20},
        "stages": [{"hipnn": {"features": 3, "onsite": 0, "r_cut": 12.0}}],
        "fit": {"recipe": "fast", "epochs": 2},
    }
    folder = run(Experiment.model_validate(told), tmp_path / "hipnn", "test").folder
    panels = figures_bases.hipnn_sensitivities(folder).axes
    assert [axes.get_title("left") for axes in panels] == [
        "Initial",
        "Trained, layer 1",
        "Trained, layer 2",
    ]
    before, first, second = (np.stack([line.get_ydata() for line in axes.lines]) for axes in panels)
    assert np.abs(before - first).max() > 1e-6
    assert np.abs(first - second).max() > 1e-6
    assert [axes.lines[0].get_xdata()[-1] for axes in panels] == pytest.approx(
        [12.0] * 3
    )  # the run's cut-off
    told["stages"] = [{"dressed_atoms": {}}]
    told.pop("fit")
    other = run(Experiment.model_validate(told), tmp_path / "other", "test").folder
    with pytest.raises(InputError, match="holds no HIP-NN, but DressedAtoms"):
        figures_bases.hipnn_sensitivities(other)


def test_a_lobe_is_as_far_out_as_its_harmonic_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(
        Axes3D,
        "plot_surface",
        lambda self, x, y, z, **how: drawn.append((np.stack([x, y, z], -1), how)),
    )
    figure = figures_bases.real_spherical_harmonics(2)
    assert [axes.get_title() for axes in figure.axes[:3]] == [
        "l = 0, m = 0",
        "l = 1, m = −1",
        "l = 1, m = 0",
    ]
    assert len(drawn) == 9
    for k, (places, how) in enumerate(drawn):
        far = np.linalg.norm(places, axis=-1)
        out = far > 1e-6  # the direction of the middle is not known
        values = real_harmonics(torch.from_numpy(places[out] / far[out][:, None]), 2)[:, k].numpy()
        np.testing.assert_allclose(np.abs(values), far[out], rtol=1e-9)
        blue = (how["facecolors"] == to_rgb(plots.ACCENT)).all(-1)
        assert (blue[out] == (values > 0)).all()


def test_radial_waves_are_those_of_the_model() -> None:
    axes = figures_bases.dimenet_bases().axes[0]
    x = torch.as_tensor(axes.lines[0].get_xdata())
    expected = radial_basis(x, torch.pi * torch.arange(1, 7, dtype=torch.float64), 5).numpy()
    np.testing.assert_allclose(np.stack([line.get_ydata() for line in axes.lines], 1), expected)


def test_coulomb_features_are_those_of_the_molecule(water: Molecules) -> None:
    water = Molecules.one(
        ["H", "O", "H"], water.positions[[1, 0, 2]]
    )  # not in the order of its norms
    figure = figures_bases.coulomb_features(water)
    matrix = coulomb_matrix(water)
    plain, ordered = (axes.images[0].get_array() for axes in figure.axes[:2])
    np.testing.assert_allclose(plain, matrix[0])
    np.testing.assert_allclose(ordered, sorted_by_norm(matrix)[0])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["H", "O", "H"]
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["O", "H", "H"]
    eigenvalues = next(
        axes for axes in figure.axes if axes.get_title("left").startswith("Eigenvalues")
    )
    np.testing.assert_allclose(heights(eigenvalues), sorted_eigenvalues(matrix)[0])


def test_a_neighbourhood_counts_the_atoms_within_its_radius(water: Molecules) -> None:
    assert "2 neighbours within 1 Å" in figures_fields.atom_neighbourhood(water, 0, 1.0).axes[
        0
    ].get_title("left")
    assert "1 neighbours within 1 Å" in figures_fields.atom_neighbourhood(water, 1, 1.0).axes[
        0
    ].get_title("left")


def test_as_many_voxels_are_filled_as_there_are_nuclei(water: Molecules) -> None:
    axes = figures_fields.discrete_voxels(water, 26).axes[0]
    assert len(axes.collections) == 3  # a box of six faces for each
    assert axes.get_title("left") == "H2O: nuclei on 26³ voxels"


def test_spreads_count_every_energy_and_force() -> None:
    data = wobbly(40).aimed("pairs")
    stairs = figures_data.energy_distribution(data, "wobbly").axes[0].patches[0]
    assert stairs.get_data().values.sum() == 40
    panels = figures_data.force_distributions(data, "wobbly").axes
    assert data.forces is not None
    for k, axes in enumerate(panels):
        inside = data.forces[:, k].abs() <= float(np.quantile(data.forces.abs().numpy(), 0.995))
        assert axes.patches[0].get_data().values.sum() == int(inside.sum())
    bare = data.minus(torch.zeros(40, dtype=torch.float64))
    bare.columns.pop("pairs_forces")
    with pytest.raises(InputError, match="no forces to draw"):
        figures_data.force_distributions(bare)


def test_answers_and_data_are_told_from_the_run(tmp_path: Path) -> None:
    rows = "\n".join(f"m{k},{k}.0,{k + 0.5}" for k in range(50))
    (tmp_path / "predictions.csv").write_text(f"name,reference,predicted\n{rows}\n")
    axes = figures_data.predicted_distribution(tmp_path, "m").axes[0]
    assert axes.get_title("left") == "m: 50 test energies, MAE 0.50 kcal/mol"
    with pytest.raises(DataError, match="folder of a finished run"):
        figures_data.answers(tmp_path / "elsewhere")


def test_curves_stand_where_the_results_say(tmp_path: Path) -> None:
    folder = results(
        tmp_path,
        "hipnn-tables",
        {"QM9, 5 features, fast recipe": [2.0, 2.4], "QM9, 20 features, fast recipe": [1.0]},
    )
    figure = figures_results.hipnn_widths(folder)
    drawn = curves(figure.axes[0])
    assert drawn["onekcal, 10,000 molecules"] == [(5, 2.2), (20, 1.0)]
    assert drawn["paper, 110,426 molecules"][0] == (5, 1.177)
    assert figure.get_supxlabel() == "not measured yet: 5 of onekcal's 7 rows"


def test_the_note_is_gone_when_all_is_measured(tmp_path: Path) -> None:
    names = {f"QM9, {n} features, fast recipe": [1.0] for n in (5, 10, 20, 40)}
    names |= {
        f"QM9, 5 features, the paper's protocol, N = {n:,}": [1e4 / n]
        for n in (1_000, 3_000, 10_000)
    }
    figure = figures_results.hipnn_widths(results(tmp_path, "hipnn-tables", names))
    assert figure.get_supxlabel() == ""
    (dotted,) = (line for line in figure.axes[1].lines if line.get_label() == "extrapolated")
    assert np.asarray(dotted.get_ydata()) == pytest.approx([1.0, 1e4 / 109_426])


def test_slopes_are_those_of_a_power_law(tmp_path: Path) -> None:
    rows = {f"N = {n:,}, FCHL19, dressed atoms": [50.0 / n**0.6] for n in (100, 1_000, 10_000)}
    figure = figures_results.kernel_learning_curves(results(tmp_path, "qm9-kernels", rows))
    assert "FCHL19, dressed atoms, b = 0.60" in curves(figure.axes[0])


def test_methods_of_qm7_gain_the_networks_once_they_are_measured(tmp_path: Path) -> None:
    results(
        tmp_path, "qm7-classical", {name: [10.0] for name in figures_results.QM7_ROWS}, mae=11.0
    )
    before = [
        text.get_text() for text in figures_results.qm7_methods(tmp_path).axes[0].get_yticklabels()
    ]
    assert before == list(figures_results.QM7_ROWS)
    results(
        tmp_path,
        "qm7-networks",
        {
            "MLP, eigenvalues, fold 0, the study's protocol": [9.0],
            "MLP, eigenvalues, fold 0": [8.0],
            "DimeNet++, small, fold 0": [2.0],
        },
        mae=12.0,
    )
    axes = figures_results.qm7_methods(tmp_path).axes[0]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names[8:] == ["MLP, eigenvalues (fold 0)", "DimeNet++, small (fold 0)"]
    assert [patch.get_width() for patch in axes.patches] == [11.0] * 8 + [12.0] * 2 + [10.0] * 8 + [
        8.0,
        2.0,
    ] + [9.0]


def test_voxel_charts_read_every_row_of_the_suite(tmp_path: Path) -> None:
    names = [
        row["name"]
        for row in yaml.safe_load((SUITES / "voxels.yaml").read_text(encoding="utf-8"))["rows"]
    ]
    results(tmp_path, "voxels", {name: [0.1 * (k + 1)] for k, name in enumerate(names)})
    voxels = figures_voxels
    found = [
        draw(tmp_path)
        for draw in (
            voxels.voxel_grids,
            voxels.voxel_sizes,
            voxels.voxel_depths,
            voxels.voxel_densities,
            voxels.voxel_inputs,
        )
    ]
    assert [figure.get_supxlabel() for figure in found] == [
        ""
    ] * 5  # nothing asked for that the suite has not
    expected = [0.1 * (names.index(f"figure 4, LOL, N = {n}") + 1) for n in (12, 14, 16)]
    assert [y for _, y in curves(found[0].axes[0])["LOL"]] == pytest.approx(expected)
    assert [y for _, y in curves(found[0].axes[1])["LOL"]] == pytest.approx(
        [5.0] * 3
    )  # seconds an epoch
    sizes = curves(found[1].axes[0])
    assert [x for x, _ in sizes["NEP"]] == [500, 1_000, 2_000, 4_000]
    assert sizes["paper, (16, 16)"] == [(25_000, 0.287)]


@pytest.mark.parametrize(
    ("suite", "draw"),
    [
        ("hipnn-tables", figures_results.hipnn_widths),
        ("hipnn-tables", figures_results.hipnn_trajectories),
        ("atomcloud", figures_results.atomcloud_learning_curves),
        ("qm9-kernels", figures_results.kernel_learning_curves),
        ("qm7-classical", figures_results.qm7_methods),
    ],
)
def test_charts_ask_for_rows_that_their_suite_has(
    suite: str, draw: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        Suite, "row", lambda self, name: asked.append(name)
    )  # as if nothing were measured
    with pytest.raises(DataError, match="hold no row of this figure"):
        draw(results(tmp_path, suite, {}))
    assert asked
    assert set(asked) <= {row.name for row in onekcal.bench.suite.read(suite).rows}


def test_papers_errors_are_those_of_the_suites(tmp_path: Path) -> None:
    for suite in ("hipnn-tables", "atomcloud", "qm9-kernels", "voxels"):
        rows = yaml.safe_load((SUITES / f"{suite}.yaml").read_text(encoding="utf-8"))["rows"]
        results(tmp_path, suite, {row["name"]: [1.0] for row in rows})
    left, right = figures_results.hipnn_widths(tmp_path).axes
    table = [(5, 1.177), (10, 0.653), (20, 0.398), (40, 0.274), (60, 0.261), (80, 0.256)]
    assert curves(left)["paper, 110,426 molecules"] == table
    assert curves(right)["paper, 80 features"][-1] == (110_426, 0.256)
    trajectories = figures_results.hipnn_trajectories(tmp_path).axes[0]
    assert heights(trajectories)[:4] == [0.162, 0.970, 1.444, 0.880]
    radii = curves(figures_results.atomcloud_learning_curves(tmp_path).axes[0])
    assert radii["paper, 4 Å"] == [(100, 157.05), (1_000, 47.12), (10_000, 7.53)]
    kernels = curves(figures_results.kernel_learning_curves(tmp_path).axes[0])
    (slatm,) = (points for name, points in kernels.items() if name.startswith("paper: SLATM"))
    assert slatm == [(100, 54.176), (1_000, 14.54), (10_000, 1.28)]


def test_missing_results_are_named_with_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="no results of voxels at .*; run `onekcal bench run voxels`"
    ):
        figures_voxels.voxel_grids(tmp_path)
    results(tmp_path, "voxels", {"some other row": [1.0]})
    with pytest.raises(
        DataError,
        match=r"hold no row of this figure, which needs figure 7, LOL of one-shot, 6-31G; .*run",
    ):
        figures_voxels.voxel_densities(tmp_path)


def test_what_cannot_be_drawn_is_skipped_and_said(tmp_path: Path) -> None:
    found = dict(figures.draw(tmp_path, figures.Sources(tmp_path), "n-"))
    assert "needs a run of hipnn" in found.pop("hipnn-sensitivities")
    assert "needs a run of hipnn" in found.pop("hipnn-hierarchy")
    assert found == dict.fromkeys(found, found["hipnn-widths"])
    assert "no results of hipnn-tables" in found["hipnn-widths"]
    assert list(tmp_path.iterdir()) == []
    assert dict(figures.draw(tmp_path, figures.Sources(tmp_path), "dimenet")) == {
        "dimenet-bases": ""
    }
    assert [path.name for path in tmp_path.iterdir()] == ["dimenet-bases.png"]


def test_a_picture_is_a_png_and_nothing_else(tmp_path: Path) -> None:
    figure = plots.canvas(2, 2)
    plots.png(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match=r"saved as \.png"):
        plots.png(figure, tmp_path / "a.jpg")


def test_the_molecules_drawn_are_in_the_embedded_set() -> None:
    names = load("mini").dataset.molecules.names.tolist()
    assert {figures.CROWDED, figures.FLAT, figures.LINEAR, figures.SMALL} <= set(names)


def test_pages_show_every_picture_there_is_and_no_other() -> None:
    shown = {}
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for match in PICTURE.finditer(page.read_text(encoding="utf-8")):
            assert len(match["alt"]) > 20, (
                f"{page.name}: {match['path']} has no words for those who cannot see it"
            )
            shown[(page.parent / match["path"]).resolve()] = page.name
    there = set((ROOT / "docs" / "figures").glob("*.png"))
    learned = set((ROOT / "results").glob("*.png"))  # a suite of learning curves draws its own
    assert set(shown) == there | learned
    screens = {path for path, page in shown.items() if page == "report.md"}  # what a browser shows
    assert {path.stem for path in there - screens} <= set(figures.FIGURES)
    assert all(path.stat().st_size < 120_000 for path in there - screens)
