"""How a network is trained: the keys under `fit`, checked before any data is touched.

    fit: {recipe: onecycle, epochs: 200, batch: 64}

A recipe is a set of values; keys beside it change them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from onekcal.errors import ConfigError, did_you_mean, in_short, unknown
from onekcal.models.setting_types import expected

Loss = Literal["mae", "rmse", "mae+rmse", "mse"]

Recipes = dict[str, dict[str, object]]
"""Names of recipes, and the values of each."""

RECIPES: Recipes = {
    "onecycle": {
        "optimizer": "adamw",
        "schedule": "onecycle",
        "rate": 2e-3,
        "weight_decay": 1e-5,
        "ema": 0.999,
        "clip": 10.0,
        "batch": 64,
        "epochs": 200,
    },
    "plateau": {
        "optimizer": "adam",
        "schedule": "plateau",
        "rate": 1e-3,
        "batch": 30,
        "epochs": 2000,
    },
    "constant": {"optimizer": "adam", "schedule": "constant", "rate": 1e-3, "epochs": 100},
}
"""Recipes every network has; a network's file may add its paper's own."""


class Settings(BaseModel):
    """The keys of `fit`. Losses divide errors by the deviation of the training energies."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str = Field("onecycle", description="the values all other keys start from")
    epochs: int = Field(200, ge=1, description="passes over the training molecules, at most")
    batch: int = Field(64, ge=1, description="molecules a step")
    pairs: int | None = Field(
        None,
        ge=1,
        description="at most this many pairs of (padded) atoms a step, instead of `batch`",
    )
    window: int = Field(32, ge=1, description="batches whose molecules are sorted by size together")
    loss: Loss = Field("mae+rmse", description="loss of the energies and of the force components")
    energy_weight: float = Field(
        1.0, ge=0, description="ρ: weight of the energies beside the forces"
    )
    force_weight: float = Field(0.0, ge=0, description="weight of the forces; 0 leaves them out")
    label_noise: float = Field(
        0.0,
        ge=0,
        description="s, kcal/mol: an energy of the uncertainty u counts s² / (s² + u²); "
        "0: all count alike",
    )
    l2: float = Field(
        0.0, ge=0, description="λ: adds λ · Σ w² of the decayed parameters to the loss"
    )
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    rate: float = Field(1e-3, gt=0, description="learning rate; the highest of a schedule")
    betas: tuple[float, float] = Field((0.9, 0.999), description="β₁ and β₂ of adam and adamw")
    momentum: float = Field(0.9, ge=0, lt=1, description="Nesterov momentum of sgd")
    weight_decay: float = Field(
        0.0, ge=0, description="decoupled decay of the decayed parameters (adamw)"
    )
    schedule: Literal["plateau", "onecycle", "cosine", "constant"] = "constant"
    warmup: float = Field(0.3, ge=0, le=1, description="share of a one-cycle spent on the way up")
    patience: int = Field(
        50, ge=1, description="plateau: epochs without a better score before the rate falls"
    )
    decay: float = Field(0.5, gt=0, lt=1, description="plateau: factor of the rate")
    watch: Literal["score", "loss"] = Field(
        "score", description="plateau: what must fall; the training loss never ends the training"
    )
    threshold: float = Field(0.0, ge=0, description="plateau: by how much it must fall to count")
    floor: float = Field(0.0, ge=0, description="plateau: the lowest rate")
    hold: int = Field(0, ge=0, description="plateau: epochs before the rate may fall")
    stop: int | None = Field(
        None, ge=1, description="stop after this many epochs without a better score"
    )
    score: Literal["auto", "mae", "force_mae", "loss"] = Field(
        "auto",
        description="what the best weights are chosen by, on "
        "the validation part; auto: loss with forces, else mae",
    )
    ema: float = Field(
        0.0, ge=0, lt=1, description="decay of the moving average of weights; 0: none"
    )
    clip: float | None = Field(None, gt=0, description="largest norm of the gradient")
    precision: Literal["full", "bf16"] = Field(
        "full", description="bf16: matrix products in bfloat16"
    )
    compile: bool = Field(False, description="torch.compile (energies only)")
    standardize: bool = Field(
        True, description="learn (E − mean)/std; false: kcal/mol as they come, and the loss too"
    )
    ensemble: int = Field(1, ge=1, description="networks trained with seeds seed, seed + 1, …")
    device: str = Field("auto", description="auto: a GPU where there is one; cpu, cuda, cuda:1")
    checkpoint: float = Field(
        30.0, ge=0, description="seconds between checkpoints, at the end of an epoch"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        if self.energy_weight == self.force_weight == 0:
            raise ValueError("energy_weight and force_weight are both 0: nothing would be learned")
        if self.compile and self.force_weight:
            raise ValueError(
                "torch.compile cannot differentiate twice, which forces need; leave out `compile`"
            )
        return self

    @property
    def judged_by(self) -> str:
        """The score in full: `auto` is resolved."""
        return ("loss" if self.force_weight else "mae") if self.score == "auto" else self.score

    @classmethod
    def of(cls, given: Mapping[str, object], more: Recipes | None = None) -> Settings:
        """Return settings from a recipe and the keys beside it.

        Parameters
        ----------
        given
            The keys of `fit` in an experiment; `recipe` names the recipe.
        more
            A network's own recipes, beside `RECIPES`.

        Raises
        ------
        ConfigError
            If a key is unknown or a value is not allowed.
        """
        recipes = RECIPES | (more or {})
        name = given.get("recipe", "paper" if "paper" in recipes else "onecycle")
        if not isinstance(name, str) or name not in recipes:
            unknown("recipe", str(name), recipes, ConfigError)
        try:
            return cls.model_validate({**recipes[name], "recipe": name, **given})
        except ValidationError as problem:
            raise ConfigError("\n".join(map(_explain, problem.errors()))) from None

    def answering(self) -> torch.device:
        """Return the device to answer on; any, where that of the training does not exist."""
        try:
            return self.where()
        except ConfigError:
            return self.model_copy(update={"device": "auto"}).where()

    def where(self) -> torch.device:
        """Return the device to train on."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(self.device)
        except RuntimeError:
            raise ConfigError(
                f"fit.device must be auto, cpu, cuda or such as cuda:1, got "
                f"{in_short(repr(self.device))}"
            ) from None
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise ConfigError(
                f"fit.device is {self.device!r}, but torch sees {torch.cuda.device_count()} GPUs; "
                "device: auto takes one where there is one"
            )
        return device


def _explain(error: ErrorDetails) -> str:
    where = in_short(".".join(map(str, error["loc"])))
    if error["type"] == "extra_forbidden":
        return f"fit takes no {where!r}{did_you_mean(where, Settings.model_fields)}"
    if where and (takes := expected(error, Settings, str(error["loc"][0]))):
        return f"fit.{error['loc'][0]} {takes}"
    message = error["msg"].removeprefix("Value error, ")
    return (
        f"fit.{where}: {message}, got {in_short(repr(error['input']))}"
        if where
        else f"fit: {message}"
    )
