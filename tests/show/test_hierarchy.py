"""The hierarchy of HIP-NN, as a run tells and draws it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from onekcal.errors import InputError
from onekcal.runs.experiment import Experiment
from onekcal.runs.run import Run, run
from onekcal.show import study
from onekcal.show.hierarchy import read


def small(folder: Path, **hipnn: object) -> Run:
    told = {
        "data": {"set": "mini", "target": "b3lyp", "train": 200, "valid": 50, "test": 100},
        "stages": [{"hipnn": {"features": 4, "onsite": 0, **hipnn}}],
        "fit": {"recipe": "fast", "epochs": 4},
    }
    return run(Experiment.model_validate(told), folder, "test")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    done = small(tmp_path_factory.mktemp("runs") / "hipnn")
    study.picture(done)
    return done


def test_the_error_up_to_each_order_is_that_of_the_written_orders(finished: Run) -> None:
    with (finished.folder / "predictions.csv").open() as file:
        lines = list(csv.DictReader(file))
    reference, orders = (
        np.array([[float(line[name]) for name in names] for line in lines])
        for names in (["reference"], ["orders_0", "orders_1", "orders_2"])
    )
    by_hand = np.abs(orders.cumsum(1) - reference).mean(0)
    told = [finished.metrics[f"mae_order_{k}"] for k in range(3)]
    assert told == pytest.approx(by_hand, rel=1e-4)  # the file has four decimals
    assert told[2] == pytest.approx(finished.metrics["mae"], abs=1e-3)
    assert abs(told[0] - told[2]) > 1  # E⁰ alone is another energy


def test_a_run_of_hipnn_draws_its_hierarchy(finished: Run) -> None:
    assert (finished.folder / "hierarchy.png").stat().st_size > 10_000
    assert len(read(finished.folder).R) == 100


def test_without_hierarchy_there_is_none_to_draw(tmp_path: Path) -> None:
    done = small(tmp_path / "flat", hierarchy=False)
    study.picture(done)
    assert not (done.folder / "hierarchy.png").exists()
    with pytest.raises(InputError, match="holds no R"):
        read(done.folder)
