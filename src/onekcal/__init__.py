"""onekcal: molecular energies to one kcal/mol and below, with an honest error bar."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Molecules": "onekcal.molecules",
    "Dataset": "onekcal.data.dataset",
    "Column": "onekcal.data.dataset",
    "read": "onekcal.io",
    "write": "onekcal.io",
    "OnekcalError": "onekcal.errors",
}
__all__ = ["Column", "Dataset", "Molecules", "OnekcalError", "__version__", "read", "write"]


def __getattr__(name: str) -> Any:
    """Imported on first use, so that `onekcal --help` does not wait for torch."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'onekcal' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
