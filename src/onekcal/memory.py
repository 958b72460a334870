"""What is free of the machine's memory."""

from __future__ import annotations

import os
from pathlib import Path


def free_memory() -> float:
    """Bytes a process may still take: what the system would give up of its caches counts as free."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return os.sysconf("SC_AVPHYS_PAGES") * float(os.sysconf("SC_PAGE_SIZE"))
