"""onekcal: molecular energies to one kcal/mol and below, with an honest error bar."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onekcal.calculator import Calculator
    from onekcal.data.dataset import Column, Dataset
    from onekcal.datasets import load
    from onekcal.errors import OnekcalError
    from onekcal.geometry.conformers import conformers
    from onekcal.io import read, write
    from onekcal.labels.labelling import label
    from onekcal.models.shipped import load_model
    from onekcal.molecules import Molecules
    from onekcal.prediction.bonds import bonds
    from onekcal.prediction.options import Options
    from onekcal.prediction.prediction import predict
    from onekcal.prediction.react import react
    from onekcal.prediction.reaction import Conditions
    from onekcal.runs.evaluate import evaluate
    from onekcal.runs.experiment import Experiment
    from onekcal.runs.run import run as train
    from onekcal.thermo.ledger import ledger

__version__ = "0.1.0"

_PUBLIC = {
    "Calculator": "onekcal.calculator",
    "Column": "onekcal.data.dataset",
    "Conditions": "onekcal.prediction.reaction",
    "Dataset": "onekcal.data.dataset",
    "Experiment": "onekcal.runs.experiment",
    "Molecules": "onekcal.molecules",
    "OnekcalError": "onekcal.errors",
    "Options": "onekcal.prediction.options",
    "bonds": "onekcal.prediction.bonds",
    "conformers": "onekcal.geometry.conformers",
    "evaluate": "onekcal.runs.evaluate",
    "label": "onekcal.labels.labelling",
    "ledger": "onekcal.thermo.ledger",
    "load": "onekcal.datasets",
    "load_model": "onekcal.models.shipped",
    "predict": "onekcal.prediction.prediction",
    "react": "onekcal.prediction.react",
    "read": "onekcal.io",
    "train": "onekcal.runs.run:run",
    "write": "onekcal.io",
}
__all__ = [
    "Calculator",
    "Column",
    "Conditions",
    "Dataset",
    "Experiment",
    "Molecules",
    "OnekcalError",
    "Options",
    "__version__",
    "bonds",
    "conformers",
    "evaluate",
    "label",
    "ledger",
    "load",
    "load_model",
    "predict",
    "react",
    "read",
    "train",
    "write",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> object:
    """Import a public name at its first use, so that `onekcal --help` does not wait for torch."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'onekcal' has no attribute {name!r}")
    module, _, own = _PUBLIC[name].partition(":")
    return getattr(import_module(module), own or name)
