"""A setting of the wrong type is one line: the setting, what it takes, and what was given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from onekcal.errors import ConfigError
from onekcal.models.registry import MODELS, model_class
from onekcal.models.setting_types import check_settings, in_words
from onekcal.runs.experiment import parse
from support.command import onekcal

DATA = {"set": "mini", "target": "b3lyp"}

NEEDED = {"baseline": {"method": "gfn2"}, "blend": {"members": ["dressed_atoms", "dressed_atoms"]}}
"""Settings without a default."""


def refused(stage: Any, **more: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse({"data": DATA, "stages": [stage], **more}, "e.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"regression": {"size": "big"}}, "`size` takes a whole number or null, got 'big'"),
        ({"fchl_kernel": {"sigma": "wide"}}, "`sigma` takes a number or a list"),
        ({"fchl_kernel": {"choose": "best"}}, "`choose` takes 'valid' or 'loo', got 'best'"),
        ({"hipnn": {"features": 2.5}}, "hipnn: `features` takes a whole number, got 2.5"),
        ({"schnet": {"cutoff": "5 A"}}, "schnet: `cutoff` takes a number, got '5 A'"),
        ({"coulomb_mlp": {"hidden": [3, "x"]}}, "`hidden` takes a list of whole"),
        ({"baseline": 7}, "baseline: `method` takes text, got 7"),
        ("baseline", "baseline needs the setting `method` (text)"),
        ({"blend": {"members": ["dressed_atoms"]}}, "blend: `members` takes two models or more"),
        ({"regression": {"standardize": "yes"}}, "`standardize` takes true or false, got 'yes'"),
        ({"hipnn": {"fit": 3}}, "hipnn: `fit` takes keys with values or null, got 3"),
        ({"hipnn": {"fit": {"epochs": "soon"}}}, "fit.epochs takes a whole number, got 'soon'"),
    ],
)
def test_a_wrong_type_is_one_line(stage: Any, message: str) -> None:
    told = refused(stage)
    assert message in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {**DATA, "train": "all"}}, "data.train takes a whole number or null, got 'all'"),
        ({"data": {**DATA, "valid": "x"}}, "data.valid takes a whole number or a number, got 'x'"),
        ({"data": "mini"}, "data takes keys with values, got 'mini'"),
        ({"coverage": "high"}, "coverage takes a number, got 'high'"),
        ({"fit": 3}, "fit takes keys with values, got 3"),
    ],
)
def test_a_wrong_type_outside_the_stages_is_one_line(change: dict[str, Any], message: str) -> None:
    assert refused("dressed_atoms", **change) == f"e.yaml: {message}"


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_setting_can_be_said_in_words_and_takes_its_own_default(name: str) -> None:
    import inspect
    from typing import get_type_hints

    cls = model_class(name)
    hints = get_type_hints(cls.__init__)
    for key, one in inspect.signature(cls).parameters.items():
        assert key in hints, f"{name}: {key} has no type"
        words = in_words(hints[key])
        assert not set("[]|'") & set(words.replace("' or '", "").strip("'")), words
        if one.default is not one.empty and not isinstance(one.default, tuple):
            needed = NEEDED.get(name, {})
            check_settings(name, {**needed, key: one.default})


def test_right_settings_are_taken() -> None:
    for stage in (
        {"fchl_kernel": {"sigma": [2, 4.0], "regularization": 1}},
        {"atomcloudnet": {"degrees": [1, {"0": 4}]}},
        {"coulomb_mlp": {"hidden": [30, 20], "theta": None}},
    ):
        name, settings = next(iter(stage.items()))
        check_settings(name, settings)


def test_the_command_ends_without_a_traceback(in_empty_folder: Path) -> None:
    content = {"data": DATA, "stages": [{"schnet": {"cutoff": "5 A"}}]}
    (in_empty_folder / "e.yaml").write_text(json.dumps(content))
    done = onekcal("train", "e.yaml", cwd=in_empty_folder)
    assert done.returncode == 2
    assert done.stderr == (
        "onekcal: e.yaml: schnet: `cutoff` takes a number, got '5 A' "
        "(see docs/reference/experiment.md)\n"
    )
