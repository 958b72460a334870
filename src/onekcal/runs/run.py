"""A run: fit and test an experiment, and keep the whole result in one folder.

    RUN/experiment.yaml    the resolved experiment
        split.npz          row numbers of train, valid and test
        model.safetensors  the fitted stack, its calibration and its card
        card.md            what the model is, for whom, and its errors by size and functional group
        calibration.csv    what the intervals were calibrated on, before a refit
        predictions.csv    every test molecule: reference, predicted, interval; kcal/mol or the
                           target's unit
        atoms.npz          predicted forces and energies of the test molecules' atoms, if the
                           model has any
        metrics.json       errors, coverage, counts, seconds
        provenance.json    data digest, versions, hardware, commit, command
        epochs.csv         of a network: losses and validation errors after every epoch, in the
                           same unit

An unfinished folder is called RUN.part. Networks leave checkpoints there, and `resume` goes on from
the last one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml

from onekcal import datasets as store
from onekcal.data.dataset import Dataset
from onekcal.datasets.card import Stored
from onekcal.errors import ConfigError, DataError
from onekcal.models.artefact import Artefact, Stage
from onekcal.models.model_card import ModelCard
from onekcal.models.registry import build
from onekcal.networks.training import distributed
from onekcal.networks.training.config_differences import refuse_differences
from onekcal.networks.training.session import Progress, session
from onekcal.runs.card import about_data
from onekcal.runs.card_page import markdown
from onekcal.runs.choose_split import Split, choose, judged
from onekcal.runs.data_choice import load as load_data
from onekcal.runs.errors_by import errors_by
from onekcal.runs.evaluate import atoms_of, force_errors, measure, order_errors
from onekcal.runs.experiment import Experiment, read
from onekcal.runs.fitting import Fitted, fit, other_geometries
from onekcal.runs.predictions_file import write_atoms, write_calibration, write_predictions
from onekcal.runs.unit_check import check_units
from onekcal.system.files import write_text
from onekcal.system.provenance import provenance
from onekcal.trust.metrics import Metrics


@dataclass(frozen=True)
class Run:
    """A finished run.

    Parameters
    ----------
    folder
        Where everything lies.
    experiment
        What was run.
    metrics
        Errors, counts and times by name, as in metrics.json.
    test
        The test part, of M molecules with A atoms.
    predicted
        (M,) in kcal/mol or the target's unit; (A,) where the target is of atoms.
    """

    folder: Path
    experiment: Experiment
    metrics: Metrics
    test: Dataset
    predicted: torch.Tensor

    def __repr__(self) -> str:
        found = self.metrics
        mae = f"MAE {found['mae']:.4g} {found['unit']}"
        return f"Run({self.folder}: {mae}, {found['count']:,} test {found['of']})"


def run(
    experiment: Experiment,
    folder: Path,
    command: str = "",
    overwrite: bool = False,
    resume: bool = False,
    watch: Callable[[Progress], None] | None = None,
    draw: Callable[[Run], object] | None = None,
) -> Run:
    """Fit and test an experiment; the folder appears whole or not at all.

    Parameters
    ----------
    experiment
        What to run.
    folder
        Where everything is written.
    command
        The command line that asked for it, for the provenance.
    overwrite
        Replace a folder that exists.
    resume
        Let networks go on from the last checkpoint of an interrupted run of the same experiment.
    watch
        Hears of the progress of networks.
    draw
        Adds pictures to the folder before it appears.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    DataError
        When the folder exists, or holds an interrupted training.
    ConfigError
        When the experiment does not fit the data.
    """
    with _workplace(experiment, folder, overwrite, resume) as part:
        about = {"experiment": experiment.model_dump(exclude={"name"}, mode="json")}
        with session(part, resume, about, watch):
            done = _run(experiment, folder, part, command)
        distributed.wait()
        if distributed.first():
            if draw is not None:
                draw(replace(done, folder=part))
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(part, folder)
            # last: a kill before would lose the training
            for checkpoint in folder.glob(CHECKPOINTS):
                checkpoint.unlink()
    return done


CHECKPOINTS = "training-*.safetensors"
"""Names of the checkpoints in the folder of an unfinished run."""


def part_of(folder: Path) -> Path:
    """Return the folder of the run while it is not finished.

    After a failure it is there only if it holds a checkpoint.

    Parameters
    ----------
    folder
        The folder of the finished run.
    """
    return folder.with_name(folder.name + ".part")


@contextmanager
def _workplace(
    experiment: Experiment, folder: Path, overwrite: bool, resume: bool
) -> Iterator[Path]:
    """The folder of an unfinished run; after a failure it stays if it holds a checkpoint."""
    if folder.exists() and not overwrite:
        raise DataError(
            f"{folder} exists; pass --overwrite, or name the run differently with --set name=…"
        )
    part = part_of(folder)
    for there in (folder, part):
        if there.exists() and not (there / "experiment.yaml").is_file() and any(there.iterdir()):
            raise DataError(
                f"{there} is no run (it holds no experiment.yaml) and is left alone; name the run "
                "differently with --set name=…"
            )
    if resume:
        _check_same(experiment, part)
    elif not overwrite and any(part.glob(CHECKPOINTS)):
        raise DataError(
            f"{part} is a training that was interrupted; go on with --resume, or start again with "
            "--overwrite"
        )
    distributed.wait()
    if distributed.first():
        if not resume:
            shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True, exist_ok=True)
        write_text(
            part / "experiment.yaml",
            yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False),
        )
    distributed.wait()
    try:
        yield part
    except BaseException:
        if distributed.first() and not any(part.glob(CHECKPOINTS)):
            shutil.rmtree(part, ignore_errors=True)
        raise


def _check_same(experiment: Experiment, part: Path) -> None:
    """Refuse to resume another experiment, and name the differences.

    The folder of an experiment without a name is named after its content; the folder of another
    such experiment is found by the rest of its name.
    """
    own = experiment.digest[:8]
    left = [part]
    if experiment.name is None and not part.exists() and part.stem.endswith(own):
        left = sorted(part.parent.glob(f"{part.stem.removesuffix(own)}????????.part"))
    for folder in left:
        if not (folder / "experiment.yaml").is_file():
            continue
        old = read(folder / "experiment.yaml").model_dump(exclude={"name"}, mode="json")
        refuse_differences(folder, old, experiment.model_dump(exclude={"name"}, mode="json"))


class _Tested(NamedTuple):
    """What a fitted model answers for the test part of M molecules with A atoms."""

    predicted: torch.Tensor  # (M,), or (A,) where the target is of atoms
    metrics: Metrics
    terms: dict[str, torch.Tensor]  # (M, …) each
    atoms: dict[str, torch.Tensor]  # (A, …) each
    half: torch.Tensor  # (M,) or (A,) half widths of the intervals; not a number: there is none


def _run(experiment: Experiment, folder: Path, part: Path, command: str) -> Run:
    """Fit, test, and write everything into `part`."""
    stored = _loaded(experiment)
    data = stored.dataset.aimed(experiment.data.target)
    _check_target(data, experiment.resolved_stages())
    check_units(data, experiment.data)
    split = choose(stored, experiment.data)
    tested_on = judged(split.train, split.valid, split.test)
    test, others = data[tested_on.rows], other_geometries(experiment)
    fitted = fit(experiment, data, split, others)
    tested = _tested(experiment, fitted, test, {kind: some for kind, (_, some) in others.items()})
    tested.metrics["valid"] = len(split.valid)
    if tested_on.part:
        tested.metrics["judged_on"] = tested_on.part
    card = _card(experiment, stored, fitted.data, tested.metrics)
    card.errors_by = errors_by(test, tested.predicted, tested.half)
    artefact = _artefact(experiment, fitted, card)
    if distributed.first():
        origin = {"experiment": experiment.digest, "data": stored.digest, "command": command}
        _write(part, folder.name, artefact, split, test, tested, origin | provenance())
        write_calibration(part / "calibration.csv", fitted.judged)
    return Run(folder, experiment, tested.metrics, test, tested.predicted)


def _loaded(experiment: Experiment) -> Stored:
    """The data set; the first process fetches it at the first experiment that names it."""
    for name in (experiment.data.set, *experiment.data.more):
        if name in store.names() and distributed.first():
            store.get(name)
    distributed.wait()
    return load_data(experiment.data)


def _tested(
    experiment: Experiment, fitted: Fitted, test: Dataset, others: Mapping[str, Dataset]
) -> _Tested:
    """Ask the model for the test part, also at other geometries, and measure its errors."""
    predicted, half, metrics = measure(
        experiment, fitted.model, fitted.calibration, test, dict(others)
    )
    metrics |= {"train": len(fitted.data), "fit_seconds": fitted.seconds}
    terms, atoms = fitted.model.terms(test.molecules), atoms_of(fitted.model, test)
    metrics |= order_errors(test.energies - predicted, terms) | force_errors(atoms, test)
    return _Tested(predicted, metrics, terms, atoms, half)


def _write(
    part: Path,
    name: str,
    artefact: Artefact,
    split: Split,
    test: Dataset,
    tested: _Tested,
    origin: Mapping[str, object],
) -> None:
    """Write the model, its card, and what it answered."""
    artefact.save(part / "model.safetensors")
    tested.metrics["artefact_bytes"] = (part / "model.safetensors").stat().st_size
    (part / "card.md").write_text(markdown(artefact, name), encoding="utf-8")
    np.savez(part / "split.npz", train=split.train, valid=split.valid, test=split.test)
    _write_json(part / "metrics.json", tested.metrics)
    _write_json(part / "provenance.json", origin)
    write_predictions(part / "predictions.csv", test, tested.predicted, tested.half, tested.terms)
    write_atoms(part / "atoms.npz", tested.atoms)


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _artefact(experiment: Experiment, fitted: Fitted, card: ModelCard) -> Artefact:
    """The fitted stack with its scope, its calibration and its card."""
    column = fitted.data.aim
    return Artefact(
        fitted.stages,
        fitted.model,
        level=column.level,
        kind=column.sort,
        at=column.at,
        elements=fitted.data.molecules.elements,
        largest=int(fitted.data.molecules.sizes.max()),
        unpaired=int(fitted.data.molecules.spins.max()),
        charges=fitted.data.molecules.charges.unique().tolist(),
        calibration=fitted.calibration,
        geometry="" if experiment.geometry == "data" else experiment.geometry,
        novelty_limit=fitted.limit,
        card=card,
        unit=column.unit,
        own_geometry=column.own_geometry,
    )


def _card(experiment: Experiment, stored: Stored, train: Dataset, found: Metrics) -> ModelCard:
    """The model's card, without its errors by group."""
    heavy = train.molecules.sum_atoms((train.molecules.numbers > 1).to(torch.int64))
    kept = ("count", "mae", "rmse", "median", "max", "above_1", "bias", "coverage")
    return ModelCard(
        unit=found["unit"],
        data=stored.card.name,
        digest=stored.digest,
        experiment=experiment.model_dump(mode="json"),
        train=found["train"],
        valid=found["valid"],
        refit=experiment.refit,
        heavy_atoms=int(heavy.max()),
        data_card=about_data(stored.card),
        made=dict(provenance()),
        errors={
            kind: {key: found[prefix + key] for key in kept if prefix + key in found}
            for kind, prefix in (
                (experiment.geometry, ""),
                *((k, f"{k}: ") for k in experiment.also),
            )
        },
    )


def _check_target(data: Dataset, stages: list[Stage]) -> None:
    """Refuse a target that the stages cannot learn.

    Total energies need a stage that fits energies of atoms, because their zero is not known. Other
    properties have no baseline. Properties of atoms need a model that answers for atoms.
    """
    column = data.aim
    target = f"data.target {data.target!r} is {column.meaning}"
    if column.quantity == "forces":
        raise ConfigError(
            f"{target}; name the energy they belong to, and give networks fit: "
            f"{{force_weight: 1.0}}"
        )
    if any(build(*stage).of_atoms is not column.atomic for stage in stages):
        each = "an atom" if column.atomic else "a molecule"
        raise ConfigError(
            f"{target}: one value {each}, but not every stage answers so; atomcloudnet does "
            "either, with readout: atoms or molecules"
        )
    if column.quantity != "energy":
        if any(name == "baseline" for name, _ in stages):
            raise ConfigError(f"{target}: a baseline is an energy and cannot be taken off it")
        return
    first = next((stage for stage in stages if stage[0] != "baseline"), None)
    if column.kind == "total" and not (first and build(*first).fits_atoms):
        raise ConfigError(
            f"{data.target!r} holds total energies at {column.level or 'an unknown level'}, whose "
            "free atoms are not known: put the stage `dressed_atoms`, which fits them, before the "
            "model"
        )
