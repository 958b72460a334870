"""Exact kernels say what memory they will take before they begin, and do not begin where it is not there."""

from __future__ import annotations

from onekcal.errors import ConfigError
from onekcal.memory import free_memory


def check_free(needed: float, what: str, advice: str, available: float | None = None) -> None:
    """Refuse `what` where the bytes `needed` are more than the machine has free (or `available`)."""
    if available is None:
        available = free_memory()
    if needed > available:
        raise ConfigError(f"an exact kernel on {what} needs {needed / 2**30:.1f} GiB, {available / 2**30:.1f} are free; "
                          f"{advice}")
