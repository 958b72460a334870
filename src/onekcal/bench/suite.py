"""A suite is a YAML of rows; a row is an experiment, the splits it is averaged over, and the paper's number."""

from __future__ import annotations

import inspect
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from onekcal.errors import ConfigError, unknown
from onekcal.experiment import Experiment, changed, load_yaml, parse
from onekcal.models import model_class


class Row(BaseModel):
    """One line of the table."""

    model_config = ConfigDict(extra="forbid")

    name: str
    experiment: dict[str, Any]
    paper: dict[str, float] = Field(default_factory=dict, description="metric → the paper's number")
    splits: list[str] = Field(default_factory=list, description="the experiment runs once on each; empty: as it says")
    seeds: list[int] = Field(default_factory=list, description="… and once with each; empty: as it says")
    networks: list[int] = Field(default_factory=list, description="… and once with each as the seed of networks' initial "
                                "weights, on the same molecules; empty: as it says")
    note: str = ""
    quick: list[str] | None = Field(None, description="changes such as data.train=500 that make it a matter of a minute; a "
                                    "row without is left out of a quick run")

    def experiments(self) -> list[Experiment]:
        """One validated experiment a split, seed and network."""
        out = []
        data, stages = self.experiment.get("data", {}), self.experiment.get("stages", [])
        for split in self.splits or [data.get("split", "random")]:
            for seed in self.seeds or [data.get("seed", 0)]:
                for network in self.networks or (None,):
                    content = {**self.experiment, "data": {**data, "split": split, "seed": seed},
                               "stages": [_seeded(stage, network) for stage in stages]}
                    out.append(parse(content, f"row {self.name!r}"))
        return out


def _seeded(stage: Any, seed: int | None) -> Any:
    """A stage with this seed of its initial weights, where it is a network."""
    if seed is None or not isinstance(stage, dict):
        return stage
    return {name: {**settings, "seed": seed} if isinstance(settings, dict) and "fit" in _settings(name) else settings
            for name, settings in stage.items()}


def _settings(name: str) -> Any:
    return inspect.signature(model_class(name)).parameters


class Suite(BaseModel):
    """A published table, or one of ours."""

    model_config = ConfigDict(extra="forbid")

    name: str
    title: str
    cite: str = ""
    unit: str = "kcal/mol"
    rows: list[Row]


def _folder() -> Path:
    return Path(str(files("onekcal.bench"))) / "suites"


def names() -> list[str]:
    """The suites that ship."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def with_quick(suites: list[Suite]) -> list[Suite]:
    """The suites that have a quick form, in it; at least one must."""
    found = [quick(one) for one in suites if any(row.quick is not None for row in one.rows)]
    if not found:
        raise ConfigError(f"no row of {', '.join(one.name for one in suites)} has a quick form; run it with --budget full")
    return found


def quick(suite: Suite) -> Suite:
    """The rows that have a quick form, in it: one seed, one split, other numbers – a look at the machine, not a result."""
    rows = []
    for row in suite.rows:
        if row.quick is not None:
            content = deepcopy(row.experiment)
            for change in row.quick:
                content = changed(content, change)
            first = {name: getattr(row, name)[:1] for name in ("splits", "seeds", "networks")}
            rows.append(row.model_copy(update={"experiment": content, **first}))
    for row in rows:
        row.experiments()
    return suite.model_copy(update={"title": f"{suite.title} – quick, not a result", "rows": rows})


def overridden(suite: Suite, seeds: list[int] | None = None, device: str | None = None) -> Suite:
    """Every row with other seeds; networks on another device."""
    rows = []
    for row in suite.rows:
        content = deepcopy(row.experiment)
        if device is not None and content.get("fit"):
            content["fit"]["device"] = device
        rows.append(row.model_copy(update={"experiment": content, "seeds": seeds or row.seeds}))
    return suite.model_copy(update={"rows": rows})


def read(name: str) -> Suite:
    """A shipped suite by name, or one from a YAML file."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else _folder() / f"{name}.yaml"
    if not path.is_file():
        unknown("suite", name, names(), ConfigError)
    try:
        suite = Suite.model_validate(load_yaml(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as problem:
        raise ConfigError(f"{path}: {problem}") from None
    if len({row.name for row in suite.rows}) != len(suite.rows):
        raise ConfigError(f"{path}: two rows have the same name")
    for row in suite.rows:
        row.experiments()
    return suite
