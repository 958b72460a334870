"""`onekcal models` describes every stage from its own class."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from onekcal.cli.main import app
from onekcal.models.registry import MODELS, model_class
from onekcal.show.stages import REQUIRED, stages

OWN = '''
class Own:
    """A model of somebody's own. It has two settings.

    Parameters
    ----------
    width : int
        Number of features.
    rate, decay : float
        Speed of learning, and
        how it falls.

    Attributes
    ----------
    other : int
        No setting.
    """

    def __init__(self, width, rate: float = 0.5, decay: float = 1.0, other: int = 3, **rest):
        pass

    fit = energies = state = load_state = None
'''


def test_every_stage_is_listed_with_every_setting_of_its_signature() -> None:
    listed = {stage.name: stage for stage in stages()}
    assert list(listed) == list(MODELS)
    for name, stage in listed.items():
        parameters = inspect.signature(model_class(name)).parameters
        assert [one.name.lstrip("*") for one in stage.settings] == list(parameters)
        assert stage.meaning, f"{name} has no docstring"
        for one in stage.settings:
            default = parameters[one.name.lstrip("*")].default
            if default is not inspect.Parameter.empty:
                assert one.default == repr(default)


def test_meanings_come_from_the_parameters_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "somebodys_own.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    (stage,) = stages(["somebodys_own:Own"])
    sys.modules.pop("somebodys_own")
    assert stage.meaning == "A model of somebody's own."
    told = {one.name: (one.default, one.type, one.meaning) for one in stage.settings}
    assert told == {
        "width": (REQUIRED, "", "Number of features."),
        "rate": ("0.5", "float", "Speed of learning, and how it falls."),
        "decay": ("1.0", "float", "Speed of learning, and how it falls."),
        "other": ("3", "int", ""),
        "**rest": ("", "", ""),
    }


def test_a_sentence_serves_where_there_is_no_section() -> None:
    (stage,) = stages(["hipnn"])
    told = {one.name: one.meaning for one in stage.settings}
    assert "fit" in told
    assert all(told[name] for name in ("fit", "seed", "dtype"))  # of the class it is built on


def test_machines_get_the_same_as_json() -> None:
    told = CliRunner().invoke(app, ["models", "baseline", "schnet", "--json"])
    assert told.exit_code == 0
    found = json.loads(told.stdout)
    assert [stage["name"] for stage in found] == ["baseline", "schnet"]
    assert found[0]["settings"][0]["name"] == "method"
    assert found[0]["settings"][0]["default"] == REQUIRED
