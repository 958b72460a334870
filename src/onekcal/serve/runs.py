"""Runs on this machine and their reports, which the page shows and never changes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from onekcal.errors import DataError, InputError
from onekcal.system.files import read_json

MOST = 500
"""Runs that are listed, the newest first."""


class Run(NamedTuple):
    """A finished run."""

    id: str
    name: str
    folder: Path
    metrics: dict[str, Any]
    when: float
    """Seconds since 1970."""

    @property
    def report(self) -> Path:
        """Its report, which may be absent."""
        return self.folder / "report.html"

    def described(self) -> dict[str, Any]:
        """What the page shows of it."""
        kept = ("mae", "rmse", "median", "interval", "coverage", "unit", "count", "train")
        return {
            "id": self.id,
            "name": self.name,
            "when": self.when,
            "report": self.report.is_file(),
            **{key: self.metrics.get(key) for key in kept},
        }


def runs(folders: Sequence[Path]) -> list[Run]:
    """List the finished runs in folders, the newest first.

    Parameters
    ----------
    folders
        They hold run folders, at most two levels down.
    """
    found: dict[str, Run] = {}
    for base in folders:
        root = base.resolve()
        for pattern in ("metrics.json", "*/metrics.json", "*/*/metrics.json"):
            for path in sorted(root.glob(pattern)):
                if path.resolve().is_relative_to(root):  # no link leads out of the folder
                    one = _run(root, path)
                    found |= {one.id: one} if one else {}
    return sorted(found.values(), key=lambda one: -one.when)[:MOST]


def _run(root: Path, metrics: Path) -> Run | None:
    try:
        content = read_json(metrics)
    except DataError:
        return None
    if not isinstance(content, dict):
        return None
    folder = metrics.parent
    name = folder.relative_to(root).as_posix() if folder != root else folder.name
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return Run(key, name, folder, content, metrics.stat().st_mtime)


def report(folders: Sequence[Path], key: str) -> Path:
    """Return the report of a run that is listed.

    Parameters
    ----------
    folders
        As in `runs`.
    key
        The `id` of the run. No part of a path comes from the reader.

    Raises
    ------
    InputError
        There is no such run, or it has no report.
    """
    for one in runs(folders):
        if one.id == key:
            path = one.report.resolve()
            if path.is_file() and path.parent == one.folder.resolve():
                return path
            raise InputError(f"{one.name} has no report; `onekcal show` makes one")
    raise InputError("there is no such run")
