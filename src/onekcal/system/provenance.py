"""What a number was made with: versions, hardware, commit."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict

PACKAGES = ("onekcal", "torch", "numpy", "scipy", "scikit-learn", "kernelforge", "tblite", "rdkit")


class Provenance(TypedDict):
    """The circumstances of a computation."""

    python: str
    packages: dict[str, str | None]
    """Package → version; None where it is not installed."""
    hardware: str
    commit: str | None
    time: str


def provenance() -> Provenance:
    """Return the versions of what computes, the hardware, the commit and the time (UTC)."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "hardware": hardware(),
        "commit": commit(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def hardware() -> str:
    """One line, such as "x86_64, 2 cores, 24 GiB"."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB"


def commit() -> str | None:
    """Return the commit of the checkout, with "+" if files differ; None outside a checkout."""
    here = Path(__file__).parent
    try:
        ask = ["git", "-C", str(here)]
        head = subprocess.run(
            [*ask, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            [*ask, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
