"""onekcal: molecular energies to one kcal/mol and below, with an honest error bar."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onekcal.data.dataset import Column, Dataset
    from onekcal.datasets import load
    from onekcal.errors import OnekcalError
    from onekcal.io import read, write
    from onekcal.models.shipped import load_model
    from onekcal.molecules import Molecules
    from onekcal.prediction.prediction import predict

__version__ = "0.1.0"

_PUBLIC = {
    "Column": "onekcal.data.dataset",
    "Dataset": "onekcal.data.dataset",
    "Molecules": "onekcal.molecules",
    "OnekcalError": "onekcal.errors",
    "load": "onekcal.datasets",
    "load_model": "onekcal.models.shipped",
    "predict": "onekcal.prediction.prediction",
    "read": "onekcal.io",
    "write": "onekcal.io",
}
__all__ = [
    "Column",
    "Dataset",
    "Molecules",
    "OnekcalError",
    "__version__",
    "load",
    "load_model",
    "predict",
    "read",
    "write",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Imported on first use, so that `onekcal --help` does not wait for torch."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'onekcal' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
