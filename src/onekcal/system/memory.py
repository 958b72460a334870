"""The memory of the machine that is free."""

from __future__ import annotations

import os
from pathlib import Path

from onekcal.errors import ConfigError


def free_memory() -> float:
    """Return the bytes a process may still take; caches that the system would give up count."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(
            1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable")
        )
    except (OSError, StopIteration, ValueError):
        return os.sysconf("SC_AVPHYS_PAGES") * float(os.sysconf("SC_PAGE_SIZE"))


def check_free(needed: float, what: str, advice: str, available: float | None = None) -> None:
    """Refuse work that needs more memory than is free.

    Parameters
    ----------
    needed
        Bytes that the work needs.
    what
        What it works on, for the message.
    advice
        What the user can do instead, for the message.
    available
        Bytes that are free; None: ask the system.

    Raises
    ------
    ConfigError
        When less is free than is needed.
    """
    if available is None:
        available = free_memory()
    if needed > available:
        raise ConfigError(
            f"an exact kernel on {what} needs {needed / 2**30:.1f} GiB, "
            f"{available / 2**30:.1f} are free; {advice}"
        )
