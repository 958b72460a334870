"""Every model by the name an experiment uses. Adding one is a file and a line here.

A model outside this package needs no line: its name is `module:Class`, in a module that Python
finds. A model file from elsewhere must not make Python run a module: see `allowed_modules_only`.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path

from onekcal.errors import ConfigError, did_you_mean, in_short, unknown
from onekcal.models.model import NEEDED, Model, completed

MODELS = {
    "dressed_atoms": "onekcal.models.dressed_atoms:DressedAtoms",
    "baseline": "onekcal.models.baseline:Baseline",
    "blend": "onekcal.models.blend:Blend",
    "bond_correction": "onekcal.models.bond_correction:BondCorrection",
    "density_ridge": "onekcal.models.density_ridge:DensityRidge",
    "fchl_kernel": "onekcal.models.kernels.fchl_kernel:FchlKernel",
    "global_kernel": "onekcal.models.kernels.global_kernel:GlobalKernel",
    "sparse_kernel": "onekcal.models.kernels.sparse_kernel:SparseKernel",
    "regression": "onekcal.models.regression.regression:Regression",
    "hipnn": "onekcal.networks.hipnn:HipNN",
    "schnet": "onekcal.networks.schnet:SchNet",
    "product_net": "onekcal.networks.product_net:ProductNet",
    "milestone": "onekcal.networks.milestone:Milestone",
    "dimenet": "onekcal.networks.dimenet:DimeNet",
    "densenet": "onekcal.networks.voxels:VoxelDenseNet",
    "coulomb_mlp": "onekcal.networks.coulomb_mlp:CoulombMLP",
    "custom_gnn": "onekcal.networks.custom_gnn:CustomGNN",
    "atomcloudnet": "onekcal.networks.atomcloudnet:AtomCloudNet",
}
"""name → module:class. The keys of a stage in an experiment are the keyword arguments of its class.
"""


ALLOW = "ONEKCAL_MODULES"
"""Names of modules, with commas between them, whose classes a model file may name."""
_file: ContextVar[Path | None] = ContextVar("file", default=None)
"""The file from elsewhere that is read at the moment."""


@contextmanager
def allowed_modules_only(path: Path) -> Iterator[None]:
    """Import no module that a file names, unless the user allows it.

    A module may be named where this process has imported it already, or where ONEKCAL_MODULES
    holds it.

    Parameters
    ----------
    path
        The file, which may come from elsewhere.
    """
    before = _file.set(path)
    try:
        yield
    finally:
        _file.reset(before)


def _refuse_strange(name: str, module: str) -> None:
    path = _file.get()
    allowed = [word.strip() for word in os.environ.get(ALLOW, "").split(",")]
    if path is None or module in sys.modules or module in allowed:
        return
    raise ConfigError(
        f"{path.name} asks to run the code of a module, {in_short(module)!r}, for its stage "
        f"{in_short(name)!r}; if you trust it, set {ALLOW}={in_short(module)} or import it first"
    )


def model_class(name: str) -> type[Model]:
    """Return the class of a model, completed with the defaults of the protocol.

    Parameters
    ----------
    name
        A key of `MODELS`, or `module:Class`.

    Raises
    ------
    ConfigError
        There is no such name, module or class, or the class lacks a method.
    """
    if not isinstance(name, str):
        raise ConfigError(f"expected the name of a model, got {in_short(repr(name))}")
    module, colon, attribute = MODELS.get(name, name).partition(":")
    if not colon:
        unknown("model", name, MODELS, ConfigError)
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise ConfigError(f"model {in_short(repr(name))}: expected `module:Class`")
    if name not in MODELS:
        _refuse_strange(name, module)
    try:
        found = getattr(import_module(module), attribute, None)
    except ModuleNotFoundError as problem:
        if problem.name != module:
            raise
        raise ConfigError(
            f"model {name!r}: there is no module {module!r}; put its folder on PYTHONPATH"
        ) from None
    if not isinstance(found, type) or not set(NEEDED) <= set(dir(found)):
        raise ConfigError(
            f"model {name!r}: {module} has no class {attribute} with fit, energies, state "
            "and load_state"
        )
    return completed(found)


def build(name: str, settings: Mapping[str, object]) -> Model:
    """Return an unfitted model.

    Parameters
    ----------
    name
        A key of `MODELS`, or `module:Class`.
    settings
        Keyword arguments of the class.

    Raises
    ------
    ConfigError
        The class has no such setting (the message names the nearest one), or refuses its value.
    """
    cls = model_class(name)
    known = inspect.signature(cls).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in known.values())
    for key in settings:
        if key not in known and not takes_any:
            raise ConfigError(f"{name} takes no {key!r}{did_you_mean(key, known)}")
    return cls(**settings)
