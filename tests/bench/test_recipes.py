"""Recipes are experiments, and the one behind the shipped model is the one that was measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from onekcal.bench import suite
from onekcal.models.shipped import load_model
from onekcal.runs.experiment import Experiment, read

ROOT = Path(__file__).parents[2]
RECIPES = sorted([*(ROOT / "recipes").glob("*.yaml"), *(ROOT / "examples").glob("*.yaml")])
BLOCK = re.compile(r"```yaml\n(.*?)```", re.S)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_a_valid_experiment(path: Path) -> None:
    assert read(path).resolved_stages()


LEAST = {"data": "data: {set: qm9, target: u0}\n", "stages": "stages: [dressed_atoms]\n"}
"""What an experiment needs; a block in a page may show another part."""
BLOCKS = [
    (page, block)
    for page in PAGES
    for block in BLOCK.findall(page.read_text("utf-8"))
    if set(yaml.safe_load(block)) <= set(Experiment.model_fields)
]


@pytest.mark.parametrize(
    "block", [block for _, block in BLOCKS], ids=[page.stem for page, _ in BLOCKS]
)
def test_an_experiment_in_a_page_is_valid(block: str, tmp_path: Path) -> None:
    path = tmp_path / "block.yaml"
    path.write_text(
        block + "".join(least for part, least in LEAST.items() if f"{part}:" not in block), "utf-8"
    )
    assert read(path).resolved_stages()


@pytest.mark.parametrize(("row", "recipe"), [(0, "g4mp2"), (1, "b3lyp")])
def test_a_shipped_model_is_measured_as_its_recipe_makes_it(row: int, recipe: str) -> None:
    measured = suite.read("shipped").rows[row].experiments()[0]
    assert measured.digest == read(ROOT / f"recipes/{recipe}.yaml").digest
    shipped = load_model(recipe).card.experiment
    assert shipped["stages"] == measured.model_dump(mode="json")["stages"]
