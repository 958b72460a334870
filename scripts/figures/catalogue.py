"""The figures of the five papers by name; `draw` writes them for the docs.

The modules beside this one hold a function for each. It takes results, a molecule, a data set or a
run, and returns a figure of matplotlib.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from figures import architecture as architecture
from figures import bases as bases
from figures import data as spreads
from figures import fields as space
from figures import losses as losses
from figures import results as charts
from figures import voxels as voxels
from onekcal.errors import DataError, OnekcalError
from onekcal.show.plots import png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from onekcal.data.dataset import Dataset
    from onekcal.molecules import Molecules

CROWDED, FLAT, LINEAR, SMALL = "CC(C)(C)O", "C=CC=C", "N#CC#N", "CCO"
"""Molecules of the embedded set `mini` that are drawn; the linear one is the 3D-DenseNet paper's.
"""


@dataclass(frozen=True)
class Sources:
    """Where figures come from.

    Parameters
    ----------
    results
        The folder of results.
    runs
        Model ("hipnn", "atomcloudnet", "milestone") → the folder of its run.
    """

    results: Path
    runs: Mapping[str, Path] = field(default_factory=dict)

    def run(self, model: str) -> Path:
        """Look up the folder of a model's run.

        Parameters
        ----------
        model
            The name of the model.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        DataError
            When no run was named.
        """
        if model not in self.runs:
            raise DataError(
                f"this figure needs a run of {model}, none was named; train one and give its folder"
            )
        return self.runs[model]


def _molecule(smiles: str) -> Molecules:
    from onekcal.datasets import load

    molecules = load("mini").dataset.molecules
    return molecules[[molecules.names.tolist().index(smiles)]]


def _frames(name: str) -> Dataset:
    from onekcal.datasets import load

    return load(f"md17-{name}").dataset.aimed("pbe_ts")


def _saved(figure: Callable[[Sources], Figure]) -> Callable[[Path, Sources], None]:
    return lambda path, sources: png(figure(sources), path)


def _hierarchy(path: Path, sources: Sources) -> None:
    from onekcal.show.hierarchy import hierarchy_png, read

    hierarchy_png(path, read(sources.run("hipnn")))


def _parity(path: Path, sources: Sources) -> None:
    from onekcal.show.parity import parity_png

    reference, predicted = spreads.answers(sources.run("atomcloudnet"))
    parity_png(path, reference, predicted, "AtomCloudNet")


FIGURES: dict[str, Callable[[Path, Sources], None]] = {
    "hipnn-sensitivities": _saved(lambda at: bases.hipnn_sensitivities(at.run("hipnn"))),
    "hipnn-hierarchy": _hierarchy,
    "hipnn-widths": _saved(lambda at: charts.hipnn_widths(at.results)),
    "hipnn-trajectories": _saved(lambda at: charts.hipnn_trajectories(at.results)),
    "atomcloud-neighbourhood": _saved(lambda at: space.atom_neighbourhood(_molecule(FLAT))),
    "atomcloud-harmonics": _saved(lambda at: bases.real_spherical_harmonics()),
    "atomcloud-learning-curves": _saved(lambda at: charts.atomcloud_learning_curves(at.results)),
    "atomcloud-parity": _parity,
    "kernels-learning-curves": _saved(lambda at: charts.kernel_learning_curves(at.results)),
    "qm7-features": _saved(lambda at: bases.coulomb_features(_molecule(CROWDED))),
    "qm7-methods": _saved(lambda at: charts.qm7_methods(at.results)),
    "qm7-losses": _saved(lambda at: losses.qm7_losses(at.results)),
    "dimenet-bases": _saved(lambda at: bases.dimenet_bases()),
    "milestone-energies": _saved(
        lambda at: spreads.energy_distribution(_frames("ethanol"), "ethanol")
    ),
    "milestone-forces": _saved(
        lambda at: spreads.force_distributions(_frames("ethanol"), "ethanol")
    ),
    "milestone-molecule": _saved(
        lambda at: spreads.molecule_with_forces(_frames("aspirin"), 0, "aspirin")
    ),
    "milestone-answers": _saved(
        lambda at: spreads.predicted_distribution(at.run("milestone"), "aspirin")
    ),
    "voxels-nuclei": _saved(lambda at: space.discrete_voxels(_molecule(LINEAR))),
    "voxels-lol": _saved(lambda at: space.lol_voxels(_molecule(LINEAR))),
    "voxels-network": _saved(lambda at: architecture.densenet_architecture()),
    "voxels-fields": _saved(lambda at: space.field_surfaces(_molecule(SMALL))),
    "voxels-grids": _saved(lambda at: voxels.voxel_grids(at.results)),
    "voxels-sizes": _saved(lambda at: voxels.voxel_sizes(at.results)),
    "voxels-depths": _saved(lambda at: voxels.voxel_depths(at.results)),
    "voxels-densities": _saved(lambda at: voxels.voxel_densities(at.results)),
    "voxels-inputs": _saved(lambda at: voxels.voxel_inputs(at.results)),
}
"""File name without .png → what writes it."""


def draw(folder: Path, sources: Sources, only: str = "") -> Iterator[tuple[str, str]]:
    """Write the figures.

    Parameters
    ----------
    folder
        Where they are written.
    sources
        Where they come from.
    only
        A word that a figure's name must contain.

    Yields
    ------
    tuple
        The name of each figure, and why it was not drawn; empty where it was.
    """
    for name, write in FIGURES.items():
        if only in name:
            try:
                write(folder / f"{name}.png", sources)
                yield name, ""
            except OnekcalError as problem:
                yield name, str(problem)
