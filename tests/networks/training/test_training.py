"""The loop: it learns, stops when it must, goes on where it stood, and says what it did."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from onekcal.data.dataset import Column, Dataset
from onekcal.errors import ConfigError, DataError, InputError
from onekcal.networks.network import Batch, Output
from onekcal.networks.training.loop import TrainingError
from onekcal.networks.training.session import Progress, session
from onekcal.show.training import line
from support.molecules import wobbly
from support.pair_network import PairModel, PairNetwork

QUICK = {"recipe": "constant", "epochs": 4, "batch": 8, "rate": 1e-2, "checkpoint": 0.0}


def parts() -> tuple[Dataset, Dataset]:
    return wobbly(48, seed=1), wobbly(12, seed=2)


def error(model: PairModel, data: Dataset) -> float:
    return float((model.energies(data.molecules) - data.energies).abs().mean())


def maes(folder: Path) -> list[float]:
    """Validation MAE after each epoch, kcal/mol."""
    with (folder / "epochs.csv").open() as content:
        return [float(row["valid_mae"]) for row in csv.DictReader(content)]


@pytest.mark.parametrize("recipe", ["onecycle", "plateau", "constant"])
def test_every_recipe_learns(recipe: str) -> None:
    train, valid = parts()
    model = PairModel(fit={"recipe": recipe, "epochs": 40, "batch": 8, "rate": 1e-2}).fit(
        train, valid
    )
    spread = float((valid.energies - valid.energies.mean()).abs().mean())
    assert error(model, valid) < 0.1 * spread


def test_labels_that_are_less_certain_count_less_where_that_is_asked_for() -> None:
    train, valid = parts()
    wrong = torch.arange(len(train)) % 3 == 0  # a third of the labels is wrong by 200 kcal/mol
    aim = replace(train.aim, values=train.energies + 200.0 * wrong)
    known = Column(torch.where(wrong, 200.0, 0.0).double(), "property")
    doubtful = replace(
        train, columns=train.columns | {train.target: aim, f"{train.target}_uncertainty": known}
    )
    given = {"recipe": "onecycle", "epochs": 60, "batch": 8, "rate": 1e-2}
    told, untold = (
        PairModel(fit=given | {"label_noise": noise}).fit(doubtful, valid[:0])
        for noise in (0.5, 0.0)
    )
    assert error(told, valid) < 0.3 * error(untold, valid)


@pytest.mark.parametrize(
    "given",
    [
        {"optimizer": "sgd", "rate": 3e-3},
        {"optimizer": "adamw"},
        {"schedule": "cosine", "rate": 0.03},
        {"pairs": 300},
        {"loss": "mse"},
        {"l2": 1e-5},
        {"clip": 1.0},
    ],
)
def test_every_setting_learns(given: dict[str, Any]) -> None:
    train, valid = parts()
    model = PairModel(fit={**QUICK, "epochs": 20, **given}).fit(train, valid)
    assert error(model, valid) < 0.5 * float((valid.energies - valid.energies.mean()).abs().mean())


def test_clipping_holds_the_step_and_a_penalty_shrinks_the_weights() -> None:
    train, valid = parts()

    def size(**given: Any) -> float:
        model = PairModel(fit={**QUICK, **given}).fit(train, valid[:0])
        return sum(float(p.detach().square().sum()) for p in model.networks[0].decayed())

    start = size(optimizer="sgd", rate=1e-15)
    assert size(optimizer="sgd", clip=1e-12) == pytest.approx(start, rel=1e-9)
    assert size(optimizer="sgd") != pytest.approx(start, rel=1e-3)
    assert size(l2=10.0) < 0.8 * size()


def test_bfloat16_products_learn_and_are_other_numbers() -> None:
    train, valid = parts()
    found = [
        error(
            PairModel(dtype="float32", fit={**QUICK, "epochs": 20, "precision": precision}).fit(
                train, valid
            ),
            valid,
        )
        for precision in ("full", "bf16")
    ]
    assert max(found) < 8.0  # kcal/mol, of a spread of 32
    assert found[0] != found[1]


def test_weights_kept_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    train, valid = parts()
    with session(tmp_path):
        model = PairModel(fit={**QUICK, "epochs": 12, "rate": 0.05}).fit(train, valid)
    found = maes(tmp_path)
    assert found.index(min(found)) < 11, "nothing to choose from: the last epoch is the best"
    assert error(model, valid) == pytest.approx(min(found), rel=1e-9)
    assert model.summary["best_epoch"] == 1 + found.index(min(found))


def test_training_on_forces_lowers_their_error() -> None:
    train, valid = parts()

    def wrong(**given: Any) -> float:
        model = PairModel(fit={**QUICK, "epochs": 20, "loss": "mse", **given}).fit(train, valid)
        return float((model.forces(valid.molecules) - valid.forces).abs().mean())

    assert wrong(energy_weight=0.01, force_weight=1.0) < 0.5 * wrong()


def hidden(data: Dataset, frames: int) -> Dataset:
    """The forces of the first `frames` molecules are missing."""
    values = data.forces.clone()
    values[: int(data.molecules.offsets[frames])] = math.nan
    name = f"{data.target}_forces"
    return data.with_column(name, replace(data.columns[name], values=values))


def test_frames_without_forces_give_their_energies_only() -> None:
    """No forces at all is the same as not to weigh them; some forces are not."""
    train, valid = parts()
    settings = {**QUICK, "loss": "mse", "score": "mae"}
    none = PairModel(fit={**settings, "force_weight": 1.0}).fit(
        hidden(train, len(train)), hidden(valid, len(valid))
    )
    plain = PairModel(fit=settings).fit(train, valid)
    some = PairModel(fit={**settings, "force_weight": 1.0}).fit(hidden(train, 30), valid)
    asked = valid.molecules
    assert torch.allclose(none.energies(asked), plain.energies(asked), rtol=1e-9)
    assert torch.isfinite(some.energies(asked)).all()
    assert not torch.allclose(some.energies(asked), plain.energies(asked), rtol=1e-3)


def test_forces_wanted_and_absent_are_named() -> None:
    train, valid = parts()
    bare = replace(train, columns={"pairs": train.columns["pairs"]})
    with pytest.raises(ConfigError, match="'pairs' has no forces"):
        PairModel(fit={"force_weight": 1.0}).fit(bare, valid)


def test_ensemble_is_the_mean_of_its_members_and_knows_their_spread() -> None:
    train, valid = parts()
    both = PairModel(fit={**QUICK, "ensemble": 2}, seed=3).fit(train, valid)
    alone = torch.stack(
        [
            PairModel(fit=QUICK, seed=seed).fit(train, valid).energies(valid.molecules)
            for seed in (3, 4)
        ]
    )
    assert torch.allclose(both.energies(valid.molecules), alone.mean(0), rtol=1e-12)
    assert torch.allclose(
        both.variance(valid.molecules), (alone[0] - alone[1]).square() / 2, rtol=1e-9
    )
    with pytest.raises(InputError, match="ensemble"):
        PairModel(fit=QUICK).fit(train, valid).variance(valid.molecules)
    loaded = PairModel(fit={**QUICK, "ensemble": 2}).load_state(both.state())
    assert torch.equal(loaded.energies(valid.molecules), both.energies(valid.molecules))


def test_terms_come_back_in_the_order_of_the_molecules() -> None:
    train, valid = parts()
    model = PairModel(fit=QUICK).fit(train, valid)
    assert torch.equal(model.terms(valid.molecules)["atoms"], valid.molecules.sizes.double())


def test_training_leaves_the_random_numbers_of_the_caller_alone() -> None:
    train, valid = parts()
    before = torch.get_rng_state()
    PairModel(fit=QUICK).fit(train, valid)
    assert torch.equal(torch.get_rng_state(), before)


def test_forces_keep_the_graph_out_and_energies_keep_it_in() -> None:
    train, valid = parts()
    model = PairModel(fit=QUICK).fit(train, valid)
    positions = valid.molecules.positions.clone().requires_grad_(True)
    slopes = torch.autograd.grad(model.energies(valid.molecules.moved(positions)).sum(), positions)[
        0
    ]
    assert torch.allclose(model.forces(valid.molecules), -slopes, rtol=1e-12)
    assert not model.energies(valid.molecules).requires_grad


# --- stopping ---------------------------------------------------------------------------------


def test_a_diverging_training_stops_and_keeps_the_best_weights(tmp_path: Path) -> None:
    train, valid = parts()
    model = PairModel(fit={**QUICK, "epochs": 50})

    class Poisoned(PairNetwork):
        """The losses of its third epoch are no numbers."""

        calls = 0

        def forward(self, batch: Batch) -> Output:
            out = super().forward(batch)
            Poisoned.calls += self.training
            poison = math.nan if self.training and Poisoned.calls > 14 else 1.0
            return out._replace(energies=out.energies * poison)

    model.network = lambda elements: Poisoned(elements, 16)  # type: ignore[method-assign]
    expected = (
        r"diverged in epoch 3: the loss is nan at rate 0.01; .* kept in "
        r".*Try fit: \{rate: 0.003, clip: 1.0\}"
    )
    with session(tmp_path), pytest.raises(TrainingError, match=expected):
        model.fit(train, valid)
    assert (tmp_path / "training-0.safetensors").is_file()
    assert error(model, valid) == pytest.approx(min(maes(tmp_path)), rel=1e-9)


def test_too_high_a_rate_stops_before_it_overflows() -> None:
    train, valid = parts()
    with pytest.raises(TrainingError, match="diverged in epoch"):
        PairModel(fit={**QUICK, "epochs": 50, "optimizer": "sgd", "loss": "mse", "rate": 5.0}).fit(
            train, valid
        )


def test_a_gpu_out_of_memory_halves_the_batch_once(capsys: pytest.CaptureFixture[str]) -> None:
    train, valid = parts()

    def greedy(most: int) -> PairModel:
        class Greedy(PairNetwork):
            def forward(self, batch: Batch) -> Output:
                if self.training and len(batch.mask) > most:
                    raise torch.cuda.OutOfMemoryError("out of memory")
                return super().forward(batch)

        model = PairModel(fit={**QUICK, "batch": 16})
        model.network = lambda elements: Greedy(elements, 16)  # type: ignore[method-assign]
        return model

    greedy(8).fit(train, valid)
    assert "half as large (8 molecules)" in capsys.readouterr().err
    with pytest.raises(
        TrainingError, match=r"set fit.batch or fit.pairs lower \(now 8 molecules\)"
    ):
        greedy(4).fit(train, valid)


# --- going on ---------------------------------------------------------------------------------


class StopError(Exception):
    pass


def interrupted(folder: Path, after: int, fit: dict[str, Any], **settings: Any) -> None:
    """Train until `after` epochs are done and the checkpoint of the one before is written."""
    train, valid = parts()

    def stop(at: Progress) -> None:
        if at.epoch >= after:
            raise StopError

    with session(folder, watch=stop), pytest.raises(StopError):
        PairModel(fit=fit, **settings).fit(train, valid)


@pytest.mark.parametrize(
    "given",
    [
        {"recipe": "onecycle"},
        {"schedule": "plateau", "patience": 2},
        {"optimizer": "sgd"},
        {"ensemble": 2},
        {"loss": "mse", "force_weight": 1.0, "energy_weight": 0.01},
    ],
)
def test_a_resumed_training_is_the_uninterrupted_one_bit_for_bit(
    given: dict[str, Any], tmp_path: Path
) -> None:
    train, valid = parts()
    fit = {**QUICK, "epochs": 6, **given}
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    with session(whole):
        straight = PairModel(fit=fit).fit(train, valid)
    interrupted(broken, 4, fit)
    with session(broken, resume=True) as inside:
        told: list[str] = []
        inside.say = told.append
        resumed = PairModel(fit=fit).fit(train, valid)
    assert "going on after epoch 3 of 6" in told[0]
    for file in whole.glob("*.csv"):
        assert file.read_text() == (broken / file.name).read_text()
    assert torch.equal(straight.energies(valid.molecules), resumed.energies(valid.molecules))


def test_without_resume_the_checkpoint_is_not_looked_at(tmp_path: Path) -> None:
    """The control: the csv then begins anew."""
    interrupted(tmp_path, 3, QUICK)
    interrupted(tmp_path, 2, QUICK)
    assert len((tmp_path / "epochs.csv").read_text().splitlines()) == 3


def test_resume_with_another_configuration_is_refused_with_the_differences(tmp_path: Path) -> None:
    train, valid = parts()
    interrupted(tmp_path, 3, QUICK)
    with (
        session(tmp_path, resume=True),
        pytest.raises(ConfigError, match=r"fit\.rate: 0\.01 then, 0\.02 now") as refused,
    ):
        PairModel(width=8, fit={**QUICK, "rate": 0.02}).fit(train, valid)
    assert "weights.layers.0.bias.0: 16 then, 8 now" in str(refused.value)
    with (
        session(tmp_path, resume=True),
        pytest.raises(ConfigError, match=r"data: \w+ then, \w+ now\n  train: 48 then, 40"),
    ):
        PairModel(fit=QUICK).fit(train[:40], valid)


def test_the_last_bits_of_what_another_stage_left_are_no_other_data(tmp_path: Path) -> None:
    """Another number of threads adds in another order."""
    train, valid = parts()
    interrupted(tmp_path, 3, QUICK)

    def moved(by: float) -> Dataset:
        return train.with_column(
            "pairs", replace(train.columns["pairs"], values=train.energies + by)
        )

    with (
        session(tmp_path, resume=True),
        pytest.raises(ConfigError, match=r"data: \w+ then, \w+ now"),
    ):
        PairModel(fit=QUICK).fit(moved(0.01), valid)
    with session(tmp_path, resume=True) as inside:
        told: list[str] = []
        inside.say = told.append
        PairModel(fit=QUICK).fit(moved(1e-10), valid)
    assert "going on after epoch" in told[0]


def test_what_was_trained_on_a_gpu_answers_without_one() -> None:
    train, valid = parts()
    model = PairModel(fit=QUICK).fit(train, valid)
    elsewhere = PairModel(fit={**QUICK, "device": "cuda:63"}).load_state(model.state())
    assert torch.equal(elsewhere.energies(valid.molecules), model.energies(valid.molecules))
    with pytest.raises(ConfigError, match=r"fit\.device is 'cuda:63'"):
        elsewhere.fit(train, valid)


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    train, valid = parts()
    (tmp_path / "training-0.safetensors").write_bytes(b"no such thing")
    with (
        session(tmp_path, resume=True),
        pytest.raises(DataError, match="not a checkpoint of onekcal or is damaged"),
    ):
        PairModel(fit=QUICK).fit(train, valid)


# --- telling ----------------------------------------------------------------------------------


def test_the_line_of_progress_says_epoch_losses_rate_and_time_left() -> None:
    last = {"epoch": 12, "rate": 1e-3, "loss": 0.02134, "valid_mae": 1.3172, "valid_force_mae": 0.5}
    assert line(Progress(0, 12.4, 200, 190.0, last)) == (
        "epoch 12/200 · loss 0.0213 · valid MAE 1.32 kcal/mol · forces 0.5 kcal/mol/Å "
        "· rate 1.0e-03 · 0:03:10 left"
    )
    assert line(Progress(0, 0.2, 200, float("nan"))) == "epoch 0/200"


def test_who_watches_hears_of_every_epoch_of_every_member() -> None:
    train, valid = parts()
    heard: list[Progress] = []
    with session(watch=heard.append):
        PairModel(fit={**QUICK, "ensemble": 2}).fit(train, valid)
    whole = [(at.training, at.epoch) for at in heard if at.epoch == int(at.epoch)]
    assert [pair for pair in whole if pair[1]] == [
        (member, epoch) for member in (0, 1) for epoch in (1, 2, 3, 4)
    ]
    assert heard[-1].best == min(at.best for at in heard if at.training == 1)


def test_a_network_that_cannot_be_compiled_trains_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's compiler takes seconds even where it works, so only the way out is tested here."""
    train, valid = parts()

    def refuses(batch: Batch) -> Output:
        raise AssertionError("no such operator\nmore")

    monkeypatch.setattr(torch, "compile", lambda network, dynamic: refuses)
    told: list[str] = []
    with session() as inside:
        inside.say = told.append
        model = PairModel(fit={**QUICK, "compile": True}).fit(train, valid)
    assert told == [
        "torch.compile cannot compile this network (no such operator); going on without it"
    ]
    assert torch.equal(
        model.energies(valid.molecules),
        PairModel(fit=QUICK).fit(train, valid).energies(valid.molecules),
    )
