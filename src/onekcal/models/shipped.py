"""Models by name: one that ships, the model of a run folder, or a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from onekcal.errors import DataError, did_you_mean
from onekcal.models.artefact import Artefact

SHIPPED = Path(__file__).parents[1] / "shipped"
"""Models that ship: `g4mp2` is g4mp2.safetensors in here, its card g4mp2.md."""
DEFAULT = "g4mp2"
"""The model that answers where none is named."""


def load_model(name: str | Path = DEFAULT) -> Artefact:
    """Return a fitted model by name.

    Parameters
    ----------
    name
        A run folder, a model file, or a model that ships. A file or folder of that name in the
        working folder comes first.

    Raises
    ------
    DataError
        There is no such model.
    """
    path = Path(name)
    if path.is_dir():
        return Artefact.load(path / "model.safetensors")
    if path.exists():
        return Artefact.load(path)
    shipped = {found.stem: found for found in sorted(SHIPPED.glob("*.safetensors"))}
    if str(name) not in shipped:
        raise DataError(
            f"no model at {name}: neither a file, nor a run folder, nor a model that ships"
            f"{did_you_mean(str(name), shipped) if shipped else ''}"
        )
    return replace(Artefact.load(shipped[str(name)]), ships=True)
