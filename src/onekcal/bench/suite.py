"""A suite is a YAML of rows; a row is an experiment, the splits it is averaged over, and the paper's number."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from onekcal.errors import ConfigError, unknown
from onekcal.experiment import Experiment, load_yaml, parse


class Row(BaseModel):
    """One line of the table."""

    model_config = ConfigDict(extra="forbid")

    name: str
    experiment: dict[str, Any]
    paper: dict[str, float] = Field(default_factory=dict, description="metric → the paper's number")
    splits: list[str] = Field(default_factory=list, description="the experiment runs once on each; empty: as it says")
    seeds: list[int] = Field(default_factory=list, description="… and once with each; empty: as it says")
    note: str = ""

    def experiments(self) -> list[Experiment]:
        """One validated experiment a split and seed."""
        out = []
        data = self.experiment.get("data", {})
        for split in self.splits or [data.get("split", "random")]:
            for seed in self.seeds or [data.get("seed", 0)]:
                content = {**self.experiment, "data": {**data, "split": split, "seed": seed}}
                out.append(parse(content, f"row {self.name!r}"))
        return out


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
