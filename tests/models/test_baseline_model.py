"""A fitted model as the baseline of another: it corrects, it stands alone, and what cannot be is
refused in one line.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from onekcal import datasets as store
from onekcal.errors import DataError, OnekcalError
from onekcal.models.artefact import Artefact
from onekcal.models.baseline import Baseline
from onekcal.models.model import central_differences
from onekcal.models.shipped import load_model
from onekcal.models.stack import Stack
from onekcal.runs.experiment import parse
from onekcal.runs.run import Run, run
from support.molecules import wobbly

KERNEL = {"fchl_kernel": {}}


def small(target: str, train: int, *stages: Any) -> dict[str, Any]:
    return {
        "data": {"set": "mini", "target": target, "train": train, "seed": 1},
        "stages": list(stages),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs are: `cheap`, a model of many GFN2-xTB energies."""
    folder = tmp_path_factory.mktemp("runs")
    run(parse(small("gfn2", 600, "dressed_atoms", KERNEL)), folder / "cheap")
    return folder


@pytest.fixture(scope="module")
def corrected(folder: Path) -> Run:
    """200 B3LYP energies on top of a model of 600 GFN2-xTB energies, which is deleted
    afterwards.
    """
    shutil.copytree(folder / "cheap", folder / "gone")
    found = run(
        parse(
            small("b3lyp", 200, {"baseline": f"model:{folder / 'gone'}"}, "dressed_atoms", KERNEL)
        ),
        folder / "corrected",
    )
    shutil.rmtree(folder / "gone")
    return found


def test_a_model_of_many_cheap_energies_helps_where_few_good_ones_are(
    folder: Path, corrected: Run
) -> None:
    alone = run(
        parse(small("b3lyp", 200, "dressed_atoms", KERNEL)), folder / "alone", overwrite=True
    )
    assert corrected.metrics["mae"] < 0.8 * alone.metrics["mae"]
    cheap = load_model(folder / "cheap").model.energies(corrected.test.molecules)
    assert corrected.metrics["mae"] < 0.5 * float((cheap - corrected.test.energies).abs().mean())


def test_the_model_stands_alone_after_the_first_run_is_deleted(
    folder: Path, corrected: Run
) -> None:
    assert not (folder / "gone").exists()
    again = load_model(folder / "corrected").model.energies(corrected.test.molecules)
    assert torch.equal(again, corrected.predicted)
    with pytest.raises(
        DataError, match="no model at"
    ):  # the control: a baseline that was not fitted does look it up
        Baseline(f"model:{folder / 'gone'}").energies(corrected.test.molecules)


def test_it_remembers_what_the_deleted_model_was(corrected: Run) -> None:
    baseline = load_model(corrected.folder).model.stages[0]
    assert isinstance(baseline, Baseline)
    assert (baseline.about["level"], baseline.about["data"]) == ("gfn2-xtb", "mini")
    assert baseline.about["digest"] == store.load("mini").digest
    assert baseline.about["stages"][0] == ["dressed_atoms", {}]


def test_forces_are_the_slope_of_both_models_together(tmp_path: Path) -> None:
    data = wobbly(24, seed=1)
    kernel = ("fchl_kernel", {"sigma": 2.0, "regularization": 1e-9, "forces": False})
    first = artefact(tmp_path / "first.safetensors", data, kernel)
    stacked = [("baseline", {"method": f"model:{tmp_path / 'first.safetensors'}"}), kernel]
    shifted = data.with_column("pairs", replace(data.columns["pairs"], values=1.1 * data.energies))
    artefact(tmp_path / "second.safetensors", shifted, *stacked)
    second, molecule = (
        load_model(tmp_path / "second.safetensors").model,
        wobbly(4, seed=9).molecules[3],
    )
    pull = second.forces(molecule)
    assert torch.allclose(
        pull, central_differences(second, molecule), atol=0.02
    )  # kcal/mol/Å: h²/6 · d³E/dx³ at 0.005 Å
    assert not torch.allclose(
        pull, first.forces(molecule), atol=0.1
    )  # the second model has its part


def artefact(path: Path, data: Any, *stages: tuple[str, dict[str, Any]], **meaning: Any) -> Stack:
    from onekcal.models.registry import build

    model = Stack([build(name, settings) for name, settings in stages]).fit(data, data[:0])
    Artefact(
        list(stages), model, **{"level": "pair sum", "elements": data.molecules.elements, **meaning}
    ).save(path)
    return model


def test_the_other_models_own_baseline_reads_a_column_only_if_its_zero_is_the_free_atoms(
    tmp_path: Path,
) -> None:
    data = wobbly(12)
    artefact(tmp_path / "m.safetensors", data, ("baseline", {"method": "pairs"}))
    baseline = Baseline(f"model:{tmp_path / 'm.safetensors'}").fit(data, data[:0])
    assert torch.equal(baseline.energies(data.molecules, data.columns), data.energies)
    totals = data.with_column("pairs", replace(data.columns["pairs"], kind="total"))
    with pytest.raises(DataError, match="needs a column 'pairs'"):
        baseline.energies(totals.molecules, totals.columns)


@pytest.mark.parametrize(
    ("meaning", "message"),
    [
        (
            {"kind": "formation", "level": "g3", "at": "298 K"},
            "gives formation energies .g3, 298 K., which cannot be taken off the target "
            ".atomization energy",
        ),
        ({"kind": "total"}, "it takes a model fitted to atomization energies"),
        ({"elements": [1, 6, 7]}, "has never seen O; it knows H, C, N"),
    ],
)
def test_a_model_that_does_not_fit_the_target_is_refused_in_one_line(
    tmp_path: Path, meaning: dict[str, Any], message: str
) -> None:
    data = wobbly(12)
    artefact(tmp_path / "m.safetensors", data, ("dressed_atoms", {}), **meaning)
    with pytest.raises(DataError, match=message) as caught:
        Baseline(f"model:{tmp_path / 'm.safetensors'}").fit(data, data[:0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "no model at nowhere"),
        ("", "no model at"),
        ("notes.txt", "is not an onekcal model"),
    ],
)
def test_a_model_that_is_not_there_is_refused_and_nothing_is_left(
    in_empty_folder: Path, name: str, message: str
) -> None:
    Path("notes.txt").write_text("x")
    with pytest.raises(OnekcalError, match=message) as caught:
        run(parse(small("b3lyp", 50, {"baseline": f"model:{name}"}, "dressed_atoms")), Path("b"))
    assert "\n" not in str(caught.value)
    assert os.listdir() == ["notes.txt"]


def test_a_model_within_a_model_within_a_model_is_one_file(tmp_path: Path) -> None:
    data = wobbly(12)
    data = replace(
        data, columns={"pairs": data.columns["pairs"]}
    )  # no forces: nothing to differentiate
    artefact(
        tmp_path / "1.safetensors",
        data,
        ("regression", {"features": "sorted_eigenvalues", "estimator": "ridge"}),
    )
    for before in (1, 2):
        method = f"model:{tmp_path / f'{before}.safetensors'}"
        artefact(
            tmp_path / f"{before + 1}.safetensors",
            data,
            ("baseline", {"method": method}),
            ("dressed_atoms", {}),
        )
    expected = load_model(tmp_path / "3.safetensors").model.energies(data.molecules)
    for before in (1, 2):
        (tmp_path / f"{before}.safetensors").unlink()
    assert torch.equal(
        load_model(tmp_path / "3.safetensors").model.energies(data.molecules), expected
    )
    assert torch.isfinite(expected).all()
