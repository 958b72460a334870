"""Exact kernels say what memory they will take before they begin, and do not begin where it is not there."""

from __future__ import annotations

import os

from onekcal.errors import ConfigError


def check_free(needed: float, what: str, advice: str, available: float | None = None) -> None:
    """Refuse `what` where the bytes `needed` are more than the machine has free (or `available`)."""
    if available is None:
        available = os.sysconf("SC_AVPHYS_PAGES") * float(os.sysconf("SC_PAGE_SIZE"))
    if needed > available:
        raise ConfigError(f"an exact kernel on {what} needs {needed / 2**30:.1f} GiB, {available / 2**30:.1f} are free; "
                          f"{advice}")
