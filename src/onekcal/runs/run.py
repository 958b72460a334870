"""A run: fit and test an experiment, and keep everything it found in one folder.

    RUN/experiment.yaml    the resolved experiment
        split.npz          row numbers of train, valid and test
        model.safetensors  the fitted stack, its calibration and its card
        card.md            what the model is, for whom, and its errors by size and functional group
        predictions.csv    every test molecule: reference, predicted, interval; kcal/mol or the
                           target's unit
        atoms.npz          predicted forces and energies of the test molecules' atoms, where
                           there are any
        metrics.json       errors, coverage, counts, seconds
        provenance.json    data digest, versions, hardware, commit, command
        epochs.csv         of a network: losses and validation errors after every epoch, in the
                           same unit

Until it is finished the folder is called RUN.part; networks leave the checkpoints there that
`resume` goes on from.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from onekcal import datasets as store
from onekcal.data.dataset import Dataset
from onekcal.data.splits import TEST, VALID
from onekcal.datasets.card import Stored
from onekcal.errors import ConfigError, DataError, unknown
from onekcal.models.artefact import Artefact, Stage
from onekcal.models.model_card import ModelCard
from onekcal.models.registry import build
from onekcal.models.stack import Stack
from onekcal.networks.model import NetworkModel
from onekcal.networks.training import distributed
from onekcal.networks.training.batches import check_elements
from onekcal.networks.training.checkpoint import refuse_differences
from onekcal.networks.training.session import Progress, session
from onekcal.runs.card import about_data
from onekcal.runs.card_page import markdown
from onekcal.runs.choose_split import Split, choose
from onekcal.runs.errors_by import errors_by
from onekcal.runs.evaluate import atoms_of, force_errors, measure, order_errors, spread_between
from onekcal.runs.experiment import Experiment, read
from onekcal.runs.folder import write_atoms, write_predictions
from onekcal.system.files import write_text
from onekcal.system.provenance import provenance
from onekcal.trust.conformal import Conformal


@dataclass(frozen=True)
class Run:
    """What a finished run found."""

    folder: Path
    experiment: Experiment
    metrics: dict[str, Any]
    test: Dataset
    predicted: (
        torch.Tensor
    )  # (test,) kcal/mol, or the target's unit; (atoms of the test part,) of atoms


def run(
    experiment: Experiment,
    folder: Path,
    command: str = "",
    overwrite: bool = False,
    resume: bool = False,
    watch: Callable[[Progress], None] | None = None,
) -> Run:
    """Fit and test an experiment; everything it found lands in `folder`, whole or not at all.

    With `resume`, networks go on from where an interrupted run of the same experiment stood;
    `watch` hears of them.
    """
    with _workplace(experiment, folder, overwrite, resume) as part:
        about = {"experiment": experiment.model_dump(exclude={"name"}, mode="json")}
        with session(part, resume, about, watch):
            done = _run(experiment, folder, part, command)
        distributed.wait()
        if distributed.first():
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(part, folder)
            for checkpoint in folder.glob(
                CHECKPOINTS
            ):  # last: a kill before would lose the training
                checkpoint.unlink()
    return done


CHECKPOINTS = "training-*.safetensors"


@contextmanager
def _workplace(
    experiment: Experiment, folder: Path, overwrite: bool, resume: bool
) -> Iterator[Path]:
    """The folder of an unfinished run; after a failure it stays where there is a checkpoint to go
    on from.
    """
    if folder.exists() and not overwrite:
        raise DataError(
            f"{folder} exists; pass --overwrite, or name the run differently with --set name=…"
        )
    part = folder.with_name(folder.name + ".part")
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
    """Refuse to resume another experiment, naming what differs; without a name its folder has
    another name, too.
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


def _run(experiment: Experiment, folder: Path, part: Path, command: str) -> Run:
    if experiment.data.set in store.names() and distributed.first():
        store.get(experiment.data.set)  # fetched once, at the first experiment that names it
    distributed.wait()
    stored = store.load(experiment.data.set, strict=experiment.data.strict)
    data = stored.dataset.aimed(experiment.data.target)
    _check_target(data, experiment.resolved_stages())
    split = choose(stored, experiment.data)
    test, others = data[split.test], _other_geometries(experiment)

    fitted = _fit(experiment, data, split, others)
    predicted, found = measure(
        experiment,
        fitted.model,
        fitted.calibration,
        test,
        {k: some for k, (_, some) in others.items()},
    )
    found |= {"train": len(fitted.data), "fit_seconds": fitted.seconds}
    terms, atoms = fitted.model.terms(test.molecules), atoms_of(fitted.model, test)
    found |= order_errors(test.energies - predicted, terms) | force_errors(atoms, test)
    found["valid"] = len(split.valid)
    column = data.aim
    half = found.get("interval", math.nan)
    card = _card(experiment, stored, fitted.data, found)
    card.errors_by = errors_by(test, predicted, half)
    artefact = Artefact(
        fitted.stages,
        fitted.model,
        level=column.level,
        kind=column.sort,
        at=column.at,
        elements=fitted.data.molecules.elements,
        largest=int(fitted.data.molecules.sizes.max()),
        calibration=fitted.calibration,
        geometry="" if experiment.geometry == "data" else experiment.geometry,
        novelty_limit=fitted.limit,
        card=card,
        unit=column.unit,
    )
    if distributed.first():
        artefact.save(part / "model.safetensors")
        found["artefact_bytes"] = (part / "model.safetensors").stat().st_size
        (part / "card.md").write_text(markdown(artefact, folder.name), encoding="utf-8")
        np.savez(part / "split.npz", train=split.train, valid=split.valid, test=split.test)
        (part / "metrics.json").write_text(json.dumps(found, indent=1))
        (part / "provenance.json").write_text(
            json.dumps(
                {
                    "experiment": experiment.digest,
                    "data": stored.digest,
                    "command": command,
                    **provenance(),
                },
                indent=1,
            )
        )
        write_predictions(part / "predictions.csv", test, predicted, half, terms)
        write_atoms(part / "atoms.npz", atoms)
    return Run(folder, experiment, found, test, predicted)


@dataclass(frozen=True)
class _Fitted:
    """A model, what it learned from, and what was calibrated on molecules it had not seen."""

    stages: list[Stage]
    model: Stack
    data: Dataset
    calibration: dict[str, Conformal]  # by kind of geometry
    limit: float  # of novelty
    seconds: float


def _fit(
    experiment: Experiment, data: Dataset, split: Split, others: dict[str, tuple[Dataset, Dataset]]
) -> _Fitted:
    train, valid, stages = data[split.train], data[split.valid], experiment.resolved_stages()
    torch.manual_seed(experiment.data.seed)
    started = time.perf_counter()
    model = Stack([build(name, settings) for name, settings in stages])
    if any(isinstance(stage, NetworkModel) for stage in model.stages):
        check_elements(data[split.test].molecules, train.molecules.elements, "test")
    model.fit(train, valid)
    judged = {experiment.geometry: valid} | {kind: some for kind, (some, _) in others.items()}
    calibration = {
        kind: Conformal.calibrated(
            some.energies - model.energies(some.molecules, some.columns),
            spread_between(experiment, kind, some),
        )
        for kind, some in judged.items()
        if len(some)
    }
    limit = _novelty_limit(model, valid) if len(valid) else math.inf
    if experiment.refit:
        stages = [
            (name, settings | dict(stage.chosen))
            for (name, settings), stage in zip(stages, model.stages)
        ]
        train = data[np.concatenate([split.train, split.valid])]
        model = Stack([build(name, settings) for name, settings in stages]).fit(train, data[[]])
    return _Fitted(stages, model, train, calibration, limit, time.perf_counter() - started)


def _other_geometries(experiment: Experiment) -> dict[str, tuple[Dataset, Dataset]]:
    """By kind of geometry: what its interval is calibrated on, and what is tested; the same split
    as the training data's.

    With `valid: 0` its validation part was trained on, and calibrates nothing.
    """
    found = {}
    for kind, name in experiment.also.items():
        if name in store.names():
            store.get(name)
        other = store.load(name, strict=experiment.data.strict)
        if experiment.data.split not in other.splits:
            unknown(f"split of {name}:", experiment.data.split, other.splits, ConfigError)
        labels, data = (
            other.splits[experiment.data.split],
            other.dataset.aimed(experiment.data.target),
        )
        found[kind] = (data[(labels == VALID) & (experiment.data.valid > 0)], data[labels == TEST])
    return found


NOVEL = 0.99
"""Beyond this quantile of the validation molecules' novelty a molecule is outside what the model
has seen.
"""


def _novelty_limit(model: Stack, valid: Dataset) -> float:
    novelty = model.novelty(valid.molecules)
    return math.inf if novelty is None else float(novelty.quantile(NOVEL))


def _card(
    experiment: Experiment, stored: Stored, train: Dataset, found: dict[str, Any]
) -> ModelCard:
    """What `predict --scope` tells of the model besides its scope."""
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
        made=provenance(),
        errors={
            kind: {key: found[prefix + key] for key in kept if prefix + key in found}
            for kind, prefix in (
                (experiment.geometry, ""),
                *((k, f"{k}: ") for k in experiment.also),
            )
        },
    )


def _check_target(data: Dataset, stages: list[Stage]) -> None:
    """Totals have no common zero with predictions: only an explicit fit of atom energies may
    supply one.

    Other properties have no baseline; those of atoms need a model that answers for atoms.
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
