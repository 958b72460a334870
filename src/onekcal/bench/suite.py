"""A suite is a YAML file of rows.

A row is an experiment, the splits that it is averaged over, and the paper's number. A curve is one
experiment at several numbers of training molecules; it becomes a row for each of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from onekcal.errors import ConfigError, in_short, unknown
from onekcal.models.registry import model_class
from onekcal.runs.experiment import Content, Experiment, StageEntry, changed, load_yaml, parse


class Row(BaseModel):
    """One line of the table."""

    model_config = ConfigDict(extra="forbid")

    name: str
    experiment: Content
    paper: dict[str, float] = Field(default_factory=dict, description="metric → the paper's number")
    splits: list[str] = Field(
        default_factory=list, description="the experiment runs on each; empty: on its own split"
    )
    seeds: list[int] = Field(
        default_factory=list, description="it runs with each seed of the data; empty: with its own"
    )
    networks: list[int] = Field(
        default_factory=list,
        description="it runs with each seed of the networks' initial weights, on the same "
        "molecules; empty: with its own",
    )
    note: str = ""
    quick: list[str] | None = Field(
        default=None,
        description="changes such as data.train=500 after which it takes a minute; a row "
        "without them is left out of a quick run",
    )
    budget: Literal["full", "quick"] = Field(
        default="full", description="quick: a row of a quick run; its result says so"
    )
    curve: str = Field(default="", description="the learning curve it is a point of")

    def experiments(self) -> list[Experiment]:
        """One validated experiment a split, seed and network."""
        out = []
        data, stages = self.experiment.get("data"), self.experiment.get("stages")
        if not isinstance(data, dict) or not isinstance(stages, list):
            return [parse(self.experiment, f"row {self.name!r}")]  # says what is wrong
        for split in self.splits or [data.get("split", "random")]:
            for seed in self.seeds or [data.get("seed", 0)]:
                for network in self.networks or (None,):
                    content = {
                        **self.experiment,
                        "data": {**data, "split": split, "seed": seed},
                        "stages": [_seeded(stage, network) for stage in stages],
                    }
                    out.append(parse(content, f"row {self.name!r}"))
        return out


def _seeded(stage: StageEntry, seed: int | None) -> StageEntry:
    """A stage with this seed of its initial weights, if it is a network."""
    if seed is None or not isinstance(stage, dict):
        return stage
    return {
        name: {**settings, "seed": seed}
        if isinstance(settings, dict) and "fit" in _settings(name)
        else settings
        for name, settings in stage.items()
    }


def _settings(name: str) -> Mapping[str, inspect.Parameter]:
    """The settings that a stage takes."""
    return inspect.signature(model_class(name)).parameters


class Curve(BaseModel):
    """A model's error against the number of training molecules.

    With one seed, a smaller training set lies inside a larger one.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    experiment: Content
    sizes: list[int] = Field(min_length=1, description="numbers of training molecules")
    seeds: list[int] = Field(
        default_factory=lambda: [0, 1, 2], min_length=1, description="each draws its own molecules"
    )
    paper: dict[int, float] = Field(
        default_factory=dict, description="training molecules → the paper's error"
    )
    note: str = ""
    quick: list[str] | None = None

    def rows(self) -> list[Row]:
        """A row for each size, `data.train` set to it."""
        out = []
        for size in sorted(set(self.sizes)):
            content = {
                **self.experiment,
                "data": {**(self.experiment.get("data") or {}), "train": size},
            }
            paper = {"mae": self.paper[size]} if size in self.paper else {}
            out.append(
                Row(
                    name=f"{self.name}, N = {size:,}",
                    experiment=content,
                    seeds=self.seeds,
                    paper=paper,
                    note=self.note,
                    quick=self.quick,
                    curve=self.name,
                )
            )
        return out


class Suite(BaseModel):
    """A published table, or one of ours."""

    model_config = ConfigDict(extra="forbid")

    name: str
    title: str
    cite: str = ""
    unit: str = "kcal/mol"
    quick: list[str] | None = Field(
        default=None, description="the quick form of rows that have none of their own"
    )
    rows: list[Row] = Field(default_factory=list)
    curves: list[Curve] = Field(default_factory=list)

    @model_validator(mode="after")
    def _points_and_quick_forms(self) -> Suite:
        """Rows of the curves come after the others; rows take the suite's quick form."""
        there = {row.name for row in self.rows}
        self.rows += [row for curve in self.curves for row in curve.rows() if row.name not in there]
        for row in self.rows:
            row.quick = self.quick if row.quick is None else row.quick
        return self


GROUPS = {
    "qm7": ("qm7-classical", "qm7-kernels", "qm7-networks"),
    "schnet": ("schnet-tables", "schnet-milestone"),
}
"""Names that stand for several suites."""


def _folder() -> Path:
    return Path(str(files("onekcal.bench"))) / "suites"


def names() -> list[str]:
    """The suites that ship."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def chosen(name: str) -> list[Suite]:
    """Read the suites that a name stands for.

    Parameters
    ----------
    name
        "all", the name of a group or of a suite, or a YAML file.

    Returns
    -------
    list of Suite
        At least one.
    """
    if name == "all":
        return [read(one) for one in names()]
    return [read(one) for one in GROUPS.get(name, (name,))]


def picked(suites: list[Suite], words: str | None) -> list[Suite]:
    """Keep the rows whose name contains some words.

    Parameters
    ----------
    suites
        The suites.
    words
        What the name must contain; None: all rows.

    Returns
    -------
    list of Suite
        The suites that have such a row.

    Raises
    ------
    ConfigError
        When no row has such a name.
    """
    if words is None:
        return suites
    found = [
        one.model_copy(update={"rows": rows})
        for one in suites
        if (rows := [r for r in one.rows if words in r.name])
    ]
    if not found:
        there = ", ".join(row.name for one in suites for row in one.rows)
        raise ConfigError(
            f"no row of {', '.join(one.name for one in suites)} contains {words!r}; available: "
            f"{there}"
        )
    return found


def with_quick(suites: list[Suite]) -> list[Suite]:
    """Keep the suites that have a quick form, in that form.

    Parameters
    ----------
    suites
        The suites.

    Returns
    -------
    list of Suite
        At least one.

    Raises
    ------
    ConfigError
        When no row has a quick form.
    """
    quick_ones = [quick(one) for one in suites if any(row.quick is not None for row in one.rows)]
    if not quick_ones:
        raise ConfigError(
            f"no row of {', '.join(one.name for one in suites)} has a quick form; run it with "
            "--budget full"
        )
    return quick_ones


def quick(suite: Suite) -> Suite:
    """Turn a suite into its quick form: one seed, one split, and small numbers.

    Its numbers show that the machine works; they are no results.

    Parameters
    ----------
    suite
        The suite; rows without a quick form are left out.

    Returns
    -------
    Suite
        The quick form; all its rows are valid.
    """
    rows = []
    for row in suite.rows:
        if row.quick is not None:
            content = deepcopy(row.experiment)
            for change in row.quick:
                content = changed(content, change)
            first = {name: getattr(row, name)[:1] for name in ("splits", "seeds", "networks")}
            rows.append(row.model_copy(update={"experiment": content, "budget": "quick", **first}))
    for row in rows:
        row.experiments()
    return suite.model_copy(update={"title": f"{suite.title} – quick, not a result", "rows": rows})


def overridden(suite: Suite, seeds: list[int] | None = None, device: str | None = None) -> Suite:
    """Change the seeds or the device of every row.

    Parameters
    ----------
    suite
        The suite.
    seeds
        Seeds of the data; None: those of the suite.
    device
        Where networks are trained; None: as the suite says.

    Returns
    -------
    Suite
        The changed suite.
    """
    rows = []
    for row in suite.rows:
        content = deepcopy(row.experiment)
        if device is not None and content.get("fit"):
            content["fit"]["device"] = device
        rows.append(row.model_copy(update={"experiment": content, "seeds": seeds or row.seeds}))
    return suite.model_copy(update={"rows": rows})


def read(name: str) -> Suite:
    """Read a suite.

    Parameters
    ----------
    name
        The name of a suite that ships, or a YAML file.

    Returns
    -------
    Suite
        The suite; all its rows are valid.

    Raises
    ------
    ConfigError
        When there is no such suite, or it is not valid.
    """
    is_file = name.endswith((".yaml", ".yml"))
    path = Path(name) if is_file else _folder() / f"{name}.yaml"
    if is_file and not path.is_file():
        raise ConfigError(
            f"there is no file {name}; `onekcal bench list` shows the suites that ship"
        )
    if not path.is_file():
        unknown("suite", name, [*names(), *GROUPS, "all"], ConfigError)
    try:
        suite = Suite.model_validate(load_yaml(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError, OSError) as problem:
        raise ConfigError(f"{path}: {in_short(problem, 1000)}") from None
    if len({row.name for row in suite.rows}) != len(suite.rows):
        raise ConfigError(f"{path}: two rows have the same name")
    for row in suite.rows:
        row.experiments()
    return suite
