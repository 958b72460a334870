"""An experiment is one YAML file: which data, which stages.

It is validated before any data is read.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from onekcal.errors import ConfigError, did_you_mean, in_short
from onekcal.models.artefact import Stage
from onekcal.models.registry import build, model_class
from onekcal.models.setting_types import check_settings, expected, settings_of
from onekcal.runs.data_choice import DataChoice

Content = dict[str, Any]
"""Keys and values as YAML holds them."""
StageEntry = str | dict[str, Any]
"""A stage as YAML holds it: its name, or its name and settings."""


class Experiment(BaseModel):
    """The content of one YAML file."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(
        None, description="the run folder's name; made from the content when absent"
    )
    data: DataChoice
    stages: list[StageEntry] = Field(
        min_length=1, description="each is fitted to what the earlier ones left"
    )
    fit: Content = Field(
        default_factory=dict, description="how networks are trained; a stage's own `fit` goes first"
    )
    coverage: float = Field(
        0.9, gt=0, lt=1, description="share of molecules that the conformal interval is to cover"
    )
    geometry: str = Field(
        "data", description="kind of geometry in `data`: gfn2 (minima of GFN2-xTB), b3lyp, …"
    )
    also: dict[str, str] = Field(
        default_factory=dict,
        description="other geometries of the same molecules: kind → data set with the same "
        "target and split; the model is tested and calibrated on them, never fitted to them",
    )
    refit: bool = Field(
        False, description="at the end, fit again to train and valid together; keep the calibration"
    )

    @field_validator("name")
    @classmethod
    def _a_folder_s_name(cls, name: str | None) -> str | None:
        if name is not None and (name != Path(name).name or name in ("", ".", "..")):
            raise ValueError("expected a folder's name, without / and not empty")
        return name

    @field_validator("stages")
    @classmethod
    def _one_name_a_stage(cls, stages: list[StageEntry]) -> list[StageEntry]:
        for stage in stages:
            if isinstance(stage, dict) and len(stage) != 1:
                raise ValueError(f"a stage is `name` or `name: {{settings}}`, got {stage}")
        return stages

    def __repr__(self) -> str:
        stages = " + ".join(one if isinstance(one, str) else next(iter(one)) for one in self.stages)
        return f"Experiment({self.data.set}, {self.data.target}: {stages})"

    def resolved_stages(self) -> list[Stage]:
        """Write out the stages: `baseline: gfn2` gives its value to the first setting.

        Returns
        -------
        list
            Name and settings of each stage.

        Raises
        ------
        ConfigError
            When a stage takes no settings, or `fit` is there and no stage is a network.
        """
        out: list[Stage] = []
        trains = False
        for stage in self.stages:
            name, given = (stage, None) if isinstance(stage, str) else next(iter(stage.items()))
            value: dict[str, Any] = settings_of(name, given)
            if self.fit and "fit" in inspect.signature(model_class(name)).parameters:
                value, trains = {**value, "fit": {**self.fit, **(value.get("fit") or {})}}, True
            out.append((name, value))
        if self.fit and not trains:
            raise ConfigError(
                "`fit` says how networks are trained, but no stage is one; leave it out, or add a "
                "network"
            )
        return out

    @property
    def digest(self) -> str:
        """SHA-256 of the content without the name; run folders and results are known by it."""
        content = self.model_dump(exclude={"name"} | (set() if self.fit else {"fit"}), mode="json")
        content["data"] = self.data.as_first_written()
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def parse(content: object, origin: str = "experiment") -> Experiment:
    """Validate an experiment.

    Parameters
    ----------
    content
        What a YAML file holds.
    origin
        Where it comes from, for messages.

    Returns
    -------
    Experiment
        The experiment; its stages were built once, on no data.

    Raises
    ------
    ConfigError
        All problems in one error.
    """
    if content is None:
        raise ConfigError(f"{origin} is empty; `onekcal init` writes an experiment to start from")
    if not isinstance(content, dict):
        raise ConfigError(
            f"{origin}: expected keys such as `data` and `stages`, got {type(content).__name__}"
        )
    try:
        experiment = Experiment.model_validate(content)
    except ValidationError as problem:
        raise ConfigError(
            "\n".join(f"{origin}: {line}" for line in dict.fromkeys(_explained(problem)))
        ) from None
    try:
        for name, settings in experiment.resolved_stages():
            check_settings(name, settings)
            build(name, settings)  # refuses unknown models and settings before any data is read
    except ConfigError as problem:
        raise ConfigError(f"{origin}: {problem}") from None
    return experiment


def _explained(problem: ValidationError) -> Iterator[str]:
    """What pydantic objects to, in our words."""
    for error in problem.errors():
        place = error["loc"]
        where = in_short(".".join(map(str, place)))
        inner = place[0] == "data" and len(place) > 1
        model: type[BaseModel] = DataChoice if inner else Experiment
        if takes := expected(error, model, str(place[inner])):
            yield f"{'.'.join(map(str, place[: inner + 1]))} {takes}"
        elif error["type"] == "extra_forbidden":
            yield f"no key {where!r}{did_you_mean(str(place[-1]), model.model_fields)}"
        elif error["type"] == "missing":
            yield f"key {where!r} is missing"
        else:
            what = error["msg"].removeprefix("Value error, ")
            yield f"{where}: {what}, got {in_short(repr(error['input']))}"


class _Loader(yaml.SafeLoader):
    """Reads 1e-5 (no dot) as a number; YAML 1.1 takes it for text."""


MOST = 200_000
"""Entries of a YAML file: a few lines of aliases can stand for billions."""

_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def load_yaml(text: str) -> Any:
    """Read a YAML text; 1e-5 is a number.

    Parameters
    ----------
    text
        The text.

    Returns
    -------
    object
        Dicts, lists, strings, numbers, booleans and None, nested.
    """
    try:
        content = yaml.load(text, Loader=_Loader)  # a SafeLoader
        if (entries := _entries(content, {})) > MOST:
            raise yaml.YAMLError(f"its aliases stand for {entries:,} entries, at most {MOST:,}")
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply, or holds itself") from None
    except (ValueError, TypeError, OverflowError) as problem:  # a day 99, a number of 5000 digits
        raise yaml.YAMLError(in_short(problem)) from None
    return content


def _entries(node: object, seen: dict[int, int]) -> int:
    """How many entries a tree has when every alias is written out."""
    if not isinstance(node, (dict, list)):
        return 1
    if id(node) not in seen:
        inside = [*node, *node.values()] if isinstance(node, dict) else node
        seen[id(node)] = MOST + 1  # of a tree that holds itself
        seen[id(node)] = 1 + sum(_entries(one, seen) for one in inside)
    return seen[id(node)]


def read(path: Path, changes: list[str] | None = None) -> Experiment:
    """Read an experiment from a YAML file.

    Parameters
    ----------
    path
        The file.
    changes
        Changes to make to it, such as "data.train=1000".

    Returns
    -------
    Experiment
        The validated experiment.

    Raises
    ------
    ConfigError
        When the file is absent, is no YAML, or holds no valid experiment.
    """
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no experiment file {path}; `onekcal init` writes one") from None
    except OSError as problem:
        raise ConfigError(
            f"{path} cannot be read: {problem.strerror}; expected a YAML file"
        ) from None
    except yaml.MarkedYAMLError as problem:
        mark, what = problem.problem_mark, problem.problem or problem.context
        raise ConfigError(
            f"{path} is not valid YAML"
            + (f", line {mark.line + 1}, column {mark.column + 1}" if mark else "")
            + f": {in_short(str(what))}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} is not valid YAML: {in_short(problem)}") from None
    for change in changes or []:
        content = changed(content, change)
    return parse(content, str(path))


def changed(content: Any, change: str) -> Any:
    """Make one change to the content of a YAML file, in place.

    Parameters
    ----------
    content
        Dicts and lists, nested.
    change
        Such as "data.train=1000" or "stages.0.hipnn.features=5": the keys, where the place in a
        list is a number, and a value in YAML.

    Returns
    -------
    object
        The same content.

    Raises
    ------
    ConfigError
        When the content has no such key.
    """
    where, equals, value = change.partition("=")
    if not equals:
        raise ConfigError(f"--set takes a.b=value, got {change!r}")
    node = content
    *path, last = where.split(".")
    try:
        for key in path:
            if node is content and key in Experiment.model_fields:
                node.setdefault(key, {})  # `fit`, say, is absent from many files
            node = node[int(key)] if isinstance(node, list) else node[key]
        node[int(last) if isinstance(node, list) else last] = load_yaml(value)
    except (AttributeError, KeyError, IndexError, ValueError, TypeError):
        raise ConfigError(f"--set {change!r}: there is no {where!r} in the experiment") from None
    return content
