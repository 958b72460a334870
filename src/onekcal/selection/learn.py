"""Learn a pool actively: choose, label, fit, and again.

    OUT/learn.json        the plan; another plan is refused
        test/labels.h5    labels of the test molecules, which are never chosen
        K/chosen.json     rows of the pool that round K chose
        K/labels.h5       their labels
        K/data.h5         the test molecules, and those of all rounds so far
        K/split.npz       which of them are for fitting, choosing settings and testing
        K/run/            the run of round K, a run folder like any other
        curve.json        labels and errors of each round

Every file appears whole or not at all, and a step whose file is there is not done again. So the
same command goes on where it was stopped, by Ctrl-C or by a kill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from onekcal import datasets
from onekcal.data.dataset import Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Card, Stored
from onekcal.errors import DataError, InputError
from onekcal.labels.labelling import label
from onekcal.models.shipped import load_model
from onekcal.molecules import Molecules
from onekcal.quantum.named import method
from onekcal.runs.experiment import Experiment
from onekcal.runs.folder import load
from onekcal.runs.run import CHECKPOINTS, part_of, run
from onekcal.selection.choose import How, Rows, choose, refuse_unknown
from onekcal.signals.signal import Asked, Trained
from onekcal.system.files import read_json, whole_file, write_json

PLAN, CURVE = "learn.json", "curve.json"
VALID = 0.1
"""The share of the labels that chooses settings and calibrates."""


@dataclass(frozen=True)
class Plan:
    """How a pool is learned.

    Parameters
    ----------
    pool
        A data set's name or a file of molecules with geometries.
    stages
        The stages of the experiment, as its YAML has them.
    by, how
        The signal by which molecules are chosen, or "random"; "top" or "drawn".
    start
        Molecules of the first round, drawn at random.
    count
        Molecules of every later round.
    rounds
        Rounds in all.
    test
        Test molecules, drawn at random.
    method
        The quantum method of the labels; empty: the column `target` of the pool.
    target
        The column that is learned; the method's own where one is named.
    among
        Molecules of the pool that are looked at in each round, drawn at random.
    seed
        Seed of all draws.
    """

    pool: str
    stages: list[Any]
    by: str
    how: How = "top"
    start: int = 100
    count: int = 50
    rounds: int = 5
    test: int = 100
    method: str = ""
    target: str = ""
    among: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_unknown(self.by, self.how)
        for name in ("start", "count", "rounds", "test", "among"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be at least 1, got {getattr(self, name)}")
        if bool(self.method) is bool(self.target):
            raise InputError(
                "labels come from a method (such as gfn2), or from a column of the pool; name one "
                "of them"
            )


class Point(NamedTuple):
    """A round.

    Parameters
    ----------
    labels
        Molecules that were labelled for it and the rounds before, without the test molecules.
    mae
        Mean absolute error of the test molecules, kcal/mol.
    """

    labels: int
    mae: float


def learn(
    plan: Plan,
    out: Path,
    workers: int | None = None,
    watch: Callable[[str], None] = lambda step: None,
) -> list[Point]:
    """Learn a pool, or go on with it.

    Parameters
    ----------
    plan
        How.
    out
        The folder.
    workers
        Processes that label; None: as many as there are processors.
    watch
        Hears of every step.

    Returns
    -------
    list of Point
        One for each round.

    Raises
    ------
    DataError
        The folder was begun with another plan.
    InputError
        The pool is too small.
    """
    pool = datasets.load(plan.pool).dataset
    needed = plan.test + plan.start + (plan.rounds - 1) * plan.count
    if needed > len(pool):
        raise InputError(f"{needed} molecules are asked for, but the pool has {len(pool)}")
    _begin(plan, out)
    work = _Work(plan, pool, out, workers, watch)
    points = [work.round(k) for k in range(plan.rounds)]
    write_json(out / CURVE, [point._asdict() for point in points])
    return points


def _begin(plan: Plan, out: Path) -> None:
    """Write the plan, or refuse another one."""
    path, own = out / PLAN, asdict(plan)
    if path.is_file():
        before = read_json(path)
        # more rounds go on with a finished one
        changed = [k for k, value in own.items() if k != "rounds" and before.get(k) != value]
        if changed:
            key = changed[0]
            raise DataError(
                f"{out} was begun with {key} = {before.get(key)!r}, not {own[key]!r}; take another "
                "folder"
            )
    elif out.exists() and any(out.iterdir()):
        raise DataError(f"{out} holds something else (no {PLAN}) and is left alone")
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, own)


class _Work:
    """The steps of a plan, each done once."""

    def __init__(
        self,
        plan: Plan,
        pool: Dataset,
        out: Path,
        workers: int | None,
        watch: Callable[[str], None],
    ) -> None:
        self.plan, self.pool, self.out = plan, pool, out
        self.workers, self.watch = workers, watch
        order = np.random.default_rng([plan.seed, 0]).permutation(len(pool))
        # first what every model needs: no element may be among the test molecules alone
        self.first = np.sort(covering(pool.molecules, order, plan.start))
        self.test = np.sort(order[~np.isin(order, self.first)][: plan.test])
        self.target = method(plan.method).column if plan.method else plan.target

    def round(self, k: int) -> Point:
        """Choose, label and fit."""
        folder = self.out / str(k) / "run"
        if not folder.is_dir():
            rows = self._chosen(k)
            self.watch(f"round {k}: labels of {len(rows)} molecules")
            self._labels(self.test, self.out / "test" / "labels.h5")
            self._labels(rows, self.out / str(k) / "labels.h5")
            self._put_together(k)
            self.watch(f"round {k}: fit")
            self._fit(k, folder)
        labels = sum(len(self._chosen(j)) for j in range(k + 1))
        point = Point(labels, float(load(folder)[1]["mae"]))
        self.watch(f"round {k}: {labels} labels, MAE {point.mae:.3g} kcal/mol")
        return point

    def _chosen(self, k: int) -> Rows:
        """Rows of the pool that a round chose; the choice is made once."""
        path = self.out / str(k) / "chosen.json"
        if not path.is_file():
            rows = self.first if k == 0 else self._choice(k)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, rows.tolist())
        return np.array(read_json(path), dtype=np.int64)

    def _choice(self, k: int) -> Rows:
        plan = self.plan
        taken = np.concatenate([self.test, *(self._chosen(j) for j in range(k))])
        free = np.setdiff1d(np.arange(len(self.pool)), taken)
        draw = np.random.default_rng([plan.seed, k])
        free = np.sort(draw.permutation(free)[: max(plan.among, plan.count)])
        self.watch(f"round {k}: {plan.count} of {len(free)} molecules by {plan.by}")
        before = self.out / str(k - 1)
        known = datasets.load(str(before / "data.h5")).dataset.aimed(self.target)
        with np.load(before / "split.npz") as split:
            trained = Trained(known[split["train"]])
        asked = Asked.of(load_model(before / "run"), self.pool[free], trained)
        seed = int(draw.integers(2**31))
        return free[choose(asked, plan.count, plan.by, plan.how, seed)]

    def _labels(self, rows: Rows, path: Path) -> None:
        """Label rows of the pool; a method computes them, or the pool holds them."""
        if path.is_file():
            return
        if self.plan.method:
            path.parent.mkdir(parents=True, exist_ok=True)
            label(self.pool[rows], path, self.plan.method, workers=self.workers, quiet=True)
        else:
            store.save(path, Stored(self.pool[rows], card=Card(path.stem)))

    def _put_together(self, k: int) -> None:
        """The data and the split of a round: the test molecules first."""
        folder = self.out / str(k)
        paths = [self.out / "test", *(self.out / str(j) for j in range(k + 1))]
        parts = [datasets.load(str(path / "labels.h5")).dataset for path in paths]
        tested, every = len(parts[0]), sum(map(len, parts))
        if not (folder / "data.h5").is_file():
            card = Card(f"round {k}", molecules=every)
            store.save(folder / "data.h5", Stored(joined(parts, self.target), card=card))
        whole = datasets.load(str(folder / "data.h5")).dataset.molecules
        order = np.random.default_rng([self.plan.seed, k, 1]).permutation(np.arange(tested, every))
        train = covering(whole, order, len(order) - int(VALID * len(order)))
        valid = np.setdiff1d(order, train)
        with whole_file(folder / "split.npz") as part, part.open("wb") as file:
            np.savez(file, train=train, valid=valid, test=np.arange(tested))

    def _fit(self, k: int, folder: Path) -> None:
        data = {
            "set": str(self.out / str(k) / "data.h5"),
            "target": self.target,
            "split": str(self.out / str(k) / "split.npz"),
        }
        told = {"data": data, "stages": self.plan.stages}
        resume = any(part_of(folder).glob(CHECKPOINTS))
        run(Experiment.model_validate(told), folder, "onekcal learn", resume=resume)


def covering(molecules: Molecules, order: Rows, count: int) -> Rows:
    """Take the first molecules of an order, and for each element that they lack one that has it.

    A model cannot answer for an element that it has never seen.

    Parameters
    ----------
    molecules
        The pool.
    order
        Rows of the pool.
    count
        How many are taken in all, at least as many as there are elements.

    Returns
    -------
    array
        (count,) rows.
    """
    has = molecules.composition(molecules.elements).numpy() > 0  # (M, elements)
    # of each element the first molecule; then the others in their order
    needed = [order[has[order, k]][:1] for k in range(has.shape[1])]
    lacking = [rows for k, rows in enumerate(needed) if not has[order[:count], k].any()]
    first = np.concatenate([*lacking, order])
    return first[np.sort(np.unique(first, return_index=True)[1])][:count]


def joined(parts: list[Dataset], target: str) -> Dataset:
    """Put data sets one after the other.

    Parameters
    ----------
    parts
        Data sets; all have the column `target`.
    target
        The column that is learned.

    Returns
    -------
    Dataset
        All molecules, with the columns that every part has.
    """
    names = [name for name in parts[0].columns if all(name in part.columns for part in parts)]
    if target not in names:
        raise DataError(f"not all labels have the column {target!r}")
    columns = {
        name: replace(
            parts[0].columns[name],
            values=torch.cat([part.columns[name].values for part in parts]),
        )
        for name in names
    }
    return Dataset(Molecules.concatenate([part.molecules for part in parts]), columns)
