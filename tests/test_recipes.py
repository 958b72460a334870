"""Recipes are experiments, and the one behind the shipped model is the one that was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from onekcal.bench import suite
from onekcal.experiment import read

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_a_valid_experiment(path: Path) -> None:
    assert read(path).resolved_stages()


def test_the_shipped_model_is_measured_as_its_recipe_makes_it() -> None:
    measured = suite.read("shipped").rows[0].experiments()[0]
    assert measured.digest == read(Path(__file__).parents[1] / "recipes/g4mp2.yaml").digest
