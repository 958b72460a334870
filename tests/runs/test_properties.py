"""Properties other than energies, of molecules and of atoms: trained, told in their own unit, or
refused.
"""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Stored
from onekcal.errors import ConfigError, InputError
from onekcal.labels.labelling import label
from onekcal.molecules import Molecules
from onekcal.networks.atomcloudnet import AtomCloudNet
from onekcal.runs.evaluate import evaluate
from onekcal.runs.experiment import parse
from onekcal.runs.run import run
from support.molecules import wobbly

MOMENT = {"recipe": "fast", "epochs": 3, "batch": 8}
SAME = 1e-9
"""Relative: float64 sums, in another order."""


def with_properties(count: int = 24) -> Dataset:
    """`wobbly` with a property of molecules, its radius of gyration, and one of atoms, the
    distance from the middle.
    """
    data = wobbly(count)
    middle = data.molecules.sum_atoms(data.molecules.positions) / data.molecules.sizes[:, None]
    apart = (data.molecules.positions - middle[data.molecules.owner]).norm(dim=1)  # (A,)
    radius = (data.molecules.sum_atoms(apart.square()) / data.molecules.sizes).sqrt()
    return data.with_column("radius", Column(radius, "property", unit="Å")).with_column(
        "apart", Column(apart, "charges", "geometry", unit="e")
    )


def experiment(path: Path, target: str, **settings: Any) -> dict:
    path.mkdir(exist_ok=True)
    store.save(path / "data.h5", Stored(with_properties()))
    return {
        "data": {"set": str(path / "data.h5"), "target": target, "train": 12, "valid": 4},
        "stages": [{"atomcloudnet": {"features": 4, "hidden": 8, "fit": MOMENT, **settings}}],
    }


def test_a_property_is_learned_and_told_in_its_own_unit(tmp_path: Path) -> None:
    done = run(parse(experiment(tmp_path, "radius")), tmp_path / "run")
    assert (done.metrics["unit"], done.metrics["of"], done.metrics["count"]) == (
        "Å",
        "molecules",
        2,
    )
    assert "above_1" not in done.metrics
    card = (tmp_path / "run" / "card.md").read_text()
    assert "radius (property), level unknown, Å" in card
    assert "MAE and median: Å" in card
    with (tmp_path / "run" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["reference"]) for row in rows] == pytest.approx(
        done.test.energies.tolist(), rel=1e-5
    )
    again = evaluate(tmp_path / "run", with_properties().aimed("radius"))
    assert again["unit"] == "Å"
    with pytest.raises(InputError, match=r"the model gives property in Å, but 'pairs' is"):
        evaluate(tmp_path / "run", with_properties())


def test_predict_says_that_a_property_is_no_energy(tmp_path: Path) -> None:
    from onekcal.models.shipped import load_model
    from onekcal.prediction.prediction import predict

    run(parse(experiment(tmp_path, "radius")), tmp_path / "run")
    with pytest.raises(InputError, match="gives property in Å, and `predict` is about energies"):
        predict(["C"], load_model(tmp_path / "run"))


def test_atoms_are_learned_one_by_one_and_told_by_name(tmp_path: Path) -> None:
    done = run(parse(experiment(tmp_path, "apart", readout="atoms")), tmp_path / "run")
    atoms = len(done.test.molecules.numbers)
    assert (done.metrics["unit"], done.metrics["of"], done.metrics["count"]) == (
        "e",
        "atoms",
        atoms,
    )
    assert done.predicted.shape == (atoms,)
    with (tmp_path / "run" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    first = done.test.molecules[0]
    assert [row["atom"] for row in rows[: len(first.numbers)]] == [
        str(k + 1) for k in range(len(first.numbers))
    ]
    assert {row["element"] for row in rows} <= {"H", "C", "N", "O"}
    assert "| element | atoms |" in (tmp_path / "run" / "card.md").read_text()


@pytest.mark.parametrize(
    ("target", "change", "message"),
    [
        ("apart", {}, "one value an atom, but not every stage answers so"),
        ("radius", {"readout": "atoms"}, "one value a molecule, but not every stage answers so"),
        ("pairs_forces", {}, "name the energy they belong to"),
    ],
)
def test_a_target_that_no_stage_answers_is_refused(
    target: str, change: dict, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(parse(experiment(tmp_path, target, **change)), tmp_path / "run")


def test_a_property_has_no_baseline(tmp_path: Path) -> None:
    content = experiment(tmp_path, "radius")
    with pytest.raises(ConfigError, match="a baseline is an energy and cannot be taken off it"):
        run(
            parse({**content, "stages": [{"baseline": "pairs"}, *content["stages"]]}),
            tmp_path / "run",
        )


def test_answers_of_atoms_stand_with_their_atoms() -> None:
    data = with_properties(8).aimed("apart")
    model = AtomCloudNet(features=4, hidden=8, readout="atoms", dtype="float64", fit=MOMENT).fit(
        data, data[:0]
    )
    together = model.energies(data.molecules)
    alone = torch.cat([model.energies(data.molecules[m]) for m in range(8)])
    assert torch.allclose(together, alone, rtol=SAME)
    turned_over = Molecules.one(
        data.molecules[3].numbers.flip(0).tolist(), data.molecules[3].positions.flip(0).numpy()
    )
    assert torch.allclose(
        model.energies(turned_over).flip(0), model.energies(data.molecules[3]), rtol=SAME
    )
    assert not torch.allclose(
        model.energies(turned_over), model.energies(data.molecules[3]), rtol=1e-3
    )


def test_partial_charges_are_learned_from_our_own_labels(tmp_path: Path) -> None:
    """GFN2-xTB's Mulliken charges. The control knows the elements alone: each one's mean charge."""
    source = wobbly(48, seed=4)
    label(
        Dataset(source.molecules),
        tmp_path / "charges.h5",
        "gfn2",
        charges=True,
        workers=1,
        quiet=True,
    )
    data = store.read(tmp_path / "charges.h5").dataset.aimed("gfn2_charges")
    assert (data.aim.quantity, data.aim.unit, data.aim.level) == ("charges", "e", "gfn2-xtb")
    assert data.molecules.sum_atoms(data.energies).abs().max() < 1e-6  # neutral molecules
    train, test = data[:36], data[36:]
    fit = {"recipe": "fast", "epochs": 100, "batch": 6, "ema": 0.9}
    model = AtomCloudNet(features=8, hidden=24, readout="atoms", fit=fit).fit(train, train[:0])
    wrong = float((model.energies(test.molecules) - test.energies).abs().mean())
    means = {
        z: float(train.energies[train.molecules.numbers == z].mean())
        for z in train.molecules.elements
    }
    control = float(
        (torch.tensor([means[z] for z in test.molecules.numbers.tolist()]) - test.energies)
        .abs()
        .mean()
    )
    assert wrong < 0.02 < 2 * wrong + 0.02 < control


def test_missing_charges_are_named_by_their_molecule() -> None:
    data = with_properties(8)
    values = data.columns["apart"].values.clone()
    values[int(data.molecules.offsets[5])] = math.nan
    broken = data.with_column("apart", replace(data.columns["apart"], values=values))
    with pytest.raises(Exception, match=r"first: molecule 5 \('wobbly 5'\)"):
        broken.aimed("apart")
