"""Every data set by name. A new one needs a file in `sets` and a line here."""

from __future__ import annotations

from importlib import import_module

from onekcal.datasets.source import Source
from onekcal.errors import DataError, unknown

TRAJECTORIES = (
    "aspirin",
    "azobenzene",
    "benzene",
    "ethanol",
    "malonaldehyde",
    "naphthalene",
    "paracetamol",
    "salicylic",
    "toluene",
    "uracil",
)

CATALOGUE = {
    "mini": "mini:molecules",
    "mini-frames": "mini:frames",
    "qm9-small": "qm9_small:source",
    "qm7": "qm7:source",
    "qm9": "qm9:source",
    "qm9-properties": "qm9:properties",
    "qm9-g4mp2": "qm9_g4mp2:source",
    "qm9-g4mp2-relaxed": "qm9_g4mp2:relaxed",
    "thermo": "thermo:source",
    "iso17": "iso17:source",
    **{f"rmd17-{name}": "md17:revised" for name in TRAJECTORIES},
    **{f"md17-{name}": "md17:original" for name in TRAJECTORIES},
}
"""name → module:function in onekcal.datasets.sets. The function returns the `Source` of a name."""


def names() -> list[str]:
    """Return the names of all data sets."""
    return list(CATALOGUE)


def source(name: str) -> Source:
    """Return the source of one data set.

    Parameters
    ----------
    name
        Its name in the catalogue.
    """
    if name not in CATALOGUE:
        unknown("data set", name, CATALOGUE, DataError)
    module, _, function = CATALOGUE[name].partition(":")
    return getattr(import_module(f"onekcal.datasets.sets.{module}"), function)(name)
