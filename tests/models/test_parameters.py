"""The settings of models, as scikit-learn shows them."""

from __future__ import annotations

from onekcal.models.baseline import Baseline
from onekcal.models.dressed_atoms import DressedAtoms
from onekcal.models.kernels.sparse_kernel import SparseKernel
from onekcal.models.model import Model, completed
from onekcal.models.stack import Stack


class Own(Model):
    def __init__(self, width: float = 1.0, *, depth: int = 2, **more: object) -> None:
        self.other = width


class Narrow(Own):
    def __init__(self, depth: int) -> None:
        super().__init__(0.5, depth=depth)


class Foreign:
    def __init__(self, level: str = "low") -> None:
        self.kept = level


def test_settings_are_there_whatever_the_class_keeps() -> None:
    assert Own().get_params() == {"width": 1.0, "depth": 2}
    assert Own(3.0, depth=4, colour="red").get_params() == {
        "width": 3.0,
        "depth": 4,
        "colour": "red",
    }
    assert Narrow(7).get_params() == {"depth": 7}
    assert completed(Foreign)("high").get_params() == {"level": "high"}


def test_a_stack_names_its_stages_and_their_settings() -> None:
    stack = Stack([Baseline("gfn2"), DressedAtoms(), SparseKernel(sigma=3.0), SparseKernel()])
    told = stack.get_params()
    assert told["stages"] == stack.stages
    assert told["Baseline__method"] == "gfn2"
    assert told["SparseKernel2__sigma"] == 3.0
    assert "SparseKernel3__sigma" in told
    assert list(stack.get_params(deep=False)) == ["stages"]
