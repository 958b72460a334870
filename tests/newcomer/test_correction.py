"""Correcting a fitted model explains itself: what is compared, and whether it helps."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from onekcal.runs import correction
from onekcal.runs.correction import Point, compared, curve, verdict
from onekcal.runs.experiment import Experiment, parse
from support.command import onekcal

LATER = ["dressed_atoms", {"fchl_kernel": {"sigma": 4.0, "regularization": 1e-4}}]


def experiment(target: str, *stages: Any, data: str = "qm9-small", train: int = 60) -> Experiment:
    chosen = {"set": data, "target": target, "train": train, "valid": 10, "test": 20}
    return parse({"data": chosen, "stages": [{"baseline": "model:g4mp2"}, *(stages or LATER)]})


def test_level_and_zero_point_energy_are_compared_first() -> None:
    theirs, ours, follows, fitted = compared(experiment("b3lyp"), "g4mp2")
    assert theirs == (
        "your energies: atomization, b3lyp/6-31g(2df,p), 0 K (with zero-point energy)"
    )
    assert ours == "g4mp2 gives: atomization, g4mp2, 0 K (with zero-point energy)"
    assert follows.startswith("they differ in level of theory: g4mp2 knows nothing")
    assert fitted.startswith("g4mp2 was fitted to g4mp2-relaxed")


def test_missing_zero_point_energy_is_noticed() -> None:
    theirs, _, follows, _ = compared(experiment("gfn2"), "g4mp2")
    assert "electronic (without zero-point energy)" in theirs
    assert "level of theory and zero-point energy or heat" in follows


def test_the_curve_compares_with_the_same_stages_without_the_model() -> None:
    """After 50 energies the model as baseline is better than none, by far more than chance."""
    zero, fifty = curve(experiment("b3lyp"), "g4mp2", sizes=(50,))
    assert zero.energies == 0
    assert math.isnan(zero.bare)
    assert zero.corrected > fifty.corrected  # B3LYP is not G4(MP2)
    assert fifty.bare > 2 * fifty.corrected


def test_no_curve_is_made_of_networks() -> None:
    assert curve(experiment("b3lyp", {"hipnn": {"fit": {"epochs": 1}}}), "g4mp2") == []


def test_the_verdict_names_the_better_baseline() -> None:
    start = Point(0, 4.0, math.nan, math.nan)
    helped = verdict([start, Point(200, 0.8, 2.1, 5.2)], "g4mp2")
    assert helped.startswith("g4mp2 helps: after 200 energies the error is 0.80, with GFN2-xTB")
    not_helped = verdict([start, Point(200, 2.1, 2.1, 5.2)], "g4mp2")
    assert not_helped.endswith("2.10 kcal/mol; use baseline: gfn2")
    hardly = verdict([start, Point(200, 2.0, 2.1, 5.2)], "g4mp2")
    assert hardly.startswith("g4mp2 hardly helps")
    assert "too few energies" in verdict([start], "g4mp2")


def test_a_baseline_that_is_no_model_is_not_explained() -> None:
    content = {"data": {"set": "mini", "target": "b3lyp"}, "stages": [{"baseline": "gfn2"}, *LATER]}
    assert correction.corrected_model(parse(content)) is None
    assert correction.corrected_model(experiment("b3lyp")) == "g4mp2"


def test_train_prints_the_comparison_and_the_curve(
    in_empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correction, "SIZES", (50,))
    words = ("train", "qm9-small", "--target", "b3lyp", "--correct", "g4mp2")
    small = ("--set", "data.train=60", "--set", "data.valid=10", "--set", "data.test=10")
    done = onekcal(*words, *small, cwd=in_empty_folder)
    assert done.returncode == 0, done.stderr
    assert "your energies: atomization, b3lyp" in done.stderr
    assert "energies of your own  g4mp2 corrected  GFN2-xTB corrected  no baseline" in done.stdout
    assert "g4mp2 helps" in done.stdout
