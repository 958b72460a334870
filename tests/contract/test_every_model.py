"""One contract over every registered model. A model joins by one line in `CASES`
(tests/support/cases.py); a test refuses to let it be absent.

A stage that is not invariant by nature says so in `broken`, and the violation is measured, not
assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest
import torch
from scipy.spatial.transform import Rotation
from sklearn.metrics import r2_score

from onekcal.data.dataset import Columns, Dataset
from onekcal.datasets import store
from onekcal.datasets.card import Stored
from onekcal.errors import InputError
from onekcal.models.artefact import Artefact
from onekcal.models.model import NEEDED, Model, completed
from onekcal.models.registry import MODELS, build
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.runs.experiment import parse
from onekcal.runs.run import run
from support.cases import CASES, EXACT, Case
from support.molecules import wobbly


def fitted(case: Case, data: Dataset | None = None) -> tuple[Model, Dataset]:
    data = wobbly(24, seed=1) if data is None else data
    return build(case.model, case.settings).fit(data, data[:0]), data


def ask(model: Model, data: Dataset, case: Case) -> torch.Tensor:
    return model.energies(data.molecules, data.columns if case.reads_columns else None)


def unseen() -> Molecules:
    """Not the training molecules: 1/distance weights of nearest neighbours are infinite there."""
    return wobbly(12, seed=9).molecules


every = pytest.mark.parametrize("case", CASES, ids=str)
ASKED = [c for c in CASES if not c.reads_columns]
invariant = pytest.mark.parametrize("case", ASKED, ids=str)
smooth = pytest.mark.parametrize(
    "case", [c for c in ASKED if "smooth" not in c.broken and c.model != "regression"], ids=str
)
"""Those whose energy has a slope; the forces of `regression` are central differences themselves."""


def test_every_registered_model_is_under_contract() -> None:
    assert {case.model for case in CASES} == set(MODELS)


@every
def test_batch_equals_one_by_one(case: Case) -> None:
    model, data = fitted(case)
    together = ask(model, data, case)
    alone = torch.cat([ask(model, data[m], case) for m in range(len(data))])
    assert together.shape == (len(data),)
    assert torch.allclose(together, alone, atol=case.exact, rtol=0)


@every
def test_every_capability_answers_or_says_that_it_cannot(case: Case) -> None:
    model, data = fitted(case)
    assert isinstance(model, Model)
    assert "\n" not in repr(model)
    assert all(isinstance(each, Mapping) for each in (model.chosen, model.summary))
    assert not model.of_atoms
    model.check(data.molecules)
    if case.reads_columns:
        return
    for values in (model.novelty(data.molecules), *model.terms(data.molecules).values()):
        assert values is None or len(values) == len(data)
    atomic = model.atomic_energies(data.molecules)
    assert atomic is None or atomic.shape == data.molecules.numbers.shape
    try:
        assert model.variance(data.molecules).shape == (len(data),)
    except InputError:
        with pytest.raises(InputError, match="variance"):
            model.variance(data.molecules)


@every
def test_settings_and_score_are_those_that_scikit_learn_knows(case: Case) -> None:
    model, data = fitted(case)
    told = model.get_params()
    again = type(model)(**{key: value for key, value in told.items() if "__" not in key})
    assert again.get_params(deep=False).keys() == model.get_params(deep=False).keys()
    if not case.reads_columns and not model.of_atoms:
        reference, found = data.energies.numpy(), model.energies(data.molecules).detach().numpy()
        assert model.score(data) == pytest.approx(r2_score(reference, found), abs=1e-9)


@every
def test_nuclei_on_one_point_are_refused(case: Case) -> None:
    model, _ = fitted(case)
    with pytest.raises(InputError, match="atoms 1 and 2 are"):
        model.check(Molecules.one(["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))


class Plain:
    """A model of somebody else: four methods, and nothing inherited."""

    def fit(self, train: Dataset, valid: Dataset) -> Self:
        self.mean = float(train.energies.mean())
        self.summary = {"mean": self.mean}
        return self

    def energies(self, molecules: Molecules, columns: Columns | None = None) -> torch.Tensor:
        return torch.full((len(molecules),), self.mean, dtype=torch.float64)

    def state(self) -> dict[str, torch.Tensor]:
        return {"mean": torch.tensor(self.mean, dtype=torch.float64)}

    def load_state(self, state: dict[str, torch.Tensor]) -> Self:
        self.mean = float(state["mean"])
        return self


def test_a_plain_class_is_completed_with_every_default() -> None:
    data = wobbly(4, seed=1)
    model = build(f"{__name__}:Plain", {}).fit(data, data[:0])
    assert isinstance(model, Plain)
    assert isinstance(model, Model)
    assert completed(Plain) is type(model)
    assert set(NEEDED) <= set(dir(model))
    assert torch.equal(model.forces(data.molecules), torch.zeros_like(data.molecules.positions))
    assert model.novelty(data.molecules) is None
    assert model.summary == {"mean": model.mean}
    with pytest.raises(InputError, match="Plain gives no variance"):
        model.variance(data.molecules)


@every
def test_energies_are_float64_and_finite(case: Case) -> None:
    model, data = fitted(case)
    energies = ask(model, data, case)
    assert energies.dtype == torch.float64
    assert torch.isfinite(energies).all()


@invariant
def test_one_atom_molecule_works(case: Case) -> None:
    model, _ = fitted(case)
    energy = model.energies(Molecules.one(["C"], [[0.0, 0.0, 0.0]]))
    assert energy.shape == (1,)
    assert torch.isfinite(energy).all()


def check_symmetry(case: Case, symmetry: str, energies: torch.Tensor, others: torch.Tensor) -> None:
    """Equal, unless the case declares that they are not."""
    apart = float((energies - others).abs().max())
    if symmetry in case.broken:
        assert apart > EXACT, (
            f"declared without invariance under {symmetry}, but it has it: remove the declaration"
        )
    else:
        assert apart < case.moved


@invariant
def test_energy_does_not_move_with_the_molecule(case: Case) -> None:
    model, _ = fitted(case)
    still = unseen()
    shifted = still.moved(still.positions + torch.tensor([3.1, -2.2, 0.7]))
    check_symmetry(case, "translation", model.energies(shifted), model.energies(still))


@invariant
def test_energy_does_not_turn_with_the_molecule(case: Case) -> None:
    model, _ = fitted(case)
    still = unseen()
    turn = torch.from_numpy(Rotation.from_euler("xyz", [0.3, 1.1, -0.8]).as_matrix())
    turned = still.moved(still.positions @ turn.T)
    check_symmetry(case, "rotation", model.energies(turned), model.energies(still))


def test_a_model_of_raw_coordinates_fails_the_rotation_test() -> None:
    """The control: the tests above can fail."""
    data = wobbly(4, seed=1)
    turn = torch.from_numpy(Rotation.from_euler("xyz", [0.3, 1.1, -0.8]).as_matrix())
    turned = data.molecules.moved(data.molecules.positions @ turn.T)

    def raw(molecules: Molecules) -> torch.Tensor:
        return molecules.sum_atoms(molecules.numbers * molecules.positions[:, 0])

    assert not torch.allclose(raw(turned), raw(data.molecules), atol=EXACT, rtol=0)


def shuffled(molecules: Molecules) -> Molecules:
    """Every molecule's atoms in reverse order."""
    return Molecules.concatenate(
        [Molecules.one(m.numbers.flip(0).tolist(), m.positions.flip(0).numpy()) for m in molecules]
    )


@invariant
def test_energy_does_not_depend_on_the_order_of_atoms_or_says_so(case: Case) -> None:
    model, _ = fitted(case)
    check_symmetry(
        case, "permutation", model.energies(shuffled(unseen())), model.energies(unseen())
    )


def slopes(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    """Forces (3A,) of one unseen molecule of each kind, and central differences of another step
    than `forces` has.
    """
    model, _ = fitted(case)
    molecules = unseen()[:4]
    step = 1e-3  # Å; the curvature of these models leaves an error of ~1e-4 kcal/mol/Å
    shifts = step * torch.eye(molecules.positions.numel(), dtype=torch.float64).reshape(
        -1, *molecules.positions.shape
    )
    totals = [
        [
            model.energies(molecules.moved(molecules.positions + sign * shift)).sum()
            for sign in (1, -1)
        ]
        for shift in shifts
    ]
    numeric = torch.tensor([-(up - down) / (2 * step) for up, down in totals], dtype=torch.float64)
    return model.forces(molecules).flatten(), numeric


@smooth
def test_forces_are_minus_the_gradient(case: Case) -> None:
    analytic, numeric = slopes(case)
    assert torch.allclose(analytic, numeric, atol=0.02, rtol=1e-3)
    assert case.model == "dressed_atoms" or float(numeric.abs().max()) > 0.5, (
        "too flat to tell a wrong sign"
    )


@smooth
def test_energies_and_forces_together_are_those_asked_one_by_one(case: Case) -> None:
    model, _ = fitted(case)
    energies, forces = model.energies_and_forces(unseen())
    assert not energies.requires_grad
    assert torch.allclose(energies, model.energies(unseen()), atol=case.exact, rtol=0)
    assert torch.allclose(forces, model.forces(unseen()), atol=1e-9, rtol=1e-9)
    # a bond correction has no slope where every bond holds a hydrogen
    still = case.model in ("dressed_atoms", "bond_correction")
    assert still or not torch.allclose(forces[:3], forces[3:6], atol=1e-3)  # atoms in their order


def test_a_kernel_of_absolute_differences_has_kinks_everywhere() -> None:
    """The control: these two slopes must not agree."""
    (case,) = (c for c in CASES if c.settings.get("features") == "slatm" and "smooth" in c.broken)
    analytic, numeric = slopes(case)
    assert float((analytic - numeric).abs().max()) > 1.0


def test_a_stack_leaves_energies_and_forces_for_the_next_stage_and_sums_both() -> None:
    data = wobbly(24, seed=1)
    settings = {"features": "sorted_eigenvalues", "estimator": "krr", "gamma": 0.01, "alpha": 1e-3}
    stages = [
        build("dressed_atoms", {}),
        build("regression", settings),
        build("regression", settings),
    ]
    stack = Stack(stages).fit(data, data[:4])
    parts = torch.stack([stage.energies(data.molecules, data.columns) for stage in stages])
    assert torch.allclose(stack.energies(data.molecules, data.columns), parts.sum(0))
    pulls = torch.stack([stage.forces(data.molecules, data.columns) for stage in stages])
    assert torch.allclose(stack.forces(data.molecules, data.columns), pulls.sum(0))
    left = [float((data.energies - parts[: k + 1].sum(0)).abs().mean()) for k in range(3)]
    assert left[0] > left[1] > left[2]


@every
def test_saved_and_loaded_model_predicts_bit_for_bit(case: Case, tmp_path: Path) -> None:
    model, data = fitted(case)
    stages = [(case.model, case.settings)]
    Artefact(stages, Stack([model]), elements=[1, 6]).save(tmp_path / "model.safetensors")
    loaded = Artefact.load(tmp_path / "model.safetensors").model
    assert torch.equal(ask(loaded, data, case), ask(model, data, case))


@every
def test_same_seed_gives_the_same_model(case: Case) -> None:
    (first, data), (second, _) = fitted(case), fitted(case)
    apart = (ask(first, data, case) - ask(second, data, case)).abs().max()
    assert (
        float(apart) < 1e-9
    )  # kcal/mol: the same draws; LAPACK may add in another order from call to call


@every
def test_eight_molecules_are_learned_by_heart(case: Case) -> None:
    model, data = fitted(replace(case, settings=case.settings | case.longer), wobbly(8, seed=2))
    assert case.overfit < 0.2 * float(
        (data.energies - data.energies.mean()).abs().mean()
    )  # more than their mean
    assert float((ask(model, data, case) - data.energies).abs().mean()) < case.overfit


@every
def test_input_is_left_untouched(case: Case) -> None:
    data = wobbly(24, seed=1)
    positions, energies = data.molecules.positions.clone(), data.energies.clone()
    model, _ = fitted(case, data)
    ask(model, data, case)
    assert torch.equal(data.molecules.positions, positions)
    assert torch.equal(data.energies, energies)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_experiment_can_be_run_with_it(case: Case, tmp_path: Path) -> None:
    """What a run asks of a stage beside the protocol (settings chosen, training told, forces) must
    not trip over it.
    """
    store.save(tmp_path / "wobbly.h5", Stored(wobbly(24)))
    done = run(
        parse(
            {
                "data": {
                    "set": str(tmp_path / "wobbly.h5"),
                    "target": "pairs",
                    "train": 12,
                    "valid": 4,
                    "test": 2,
                },
                "stages": [{case.model: case.settings}],
            }
        ),
        tmp_path / "run",
    )
    assert done.metrics["count"] == 2
    assert (tmp_path / "run" / "model.safetensors").is_file()
