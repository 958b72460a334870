"""The API has the options of Python and of the command, under the same names."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest

from onekcal.cli import bonds, predict, react
from onekcal.prediction.options import DEFAULTS, Options
from onekcal.prediction.reaction import STANDARD, Conditions
from onekcal.serve.requests import (
    BatchRequest,
    BondsRequest,
    PredictRequest,
    ReactRequest,
    options,
)

NAMES = {field.name for field in fields(Options)}
LONG = {"compute", "budget"}
"""A question at once is never computed; `POST /api/jobs` takes its time."""


@pytest.mark.parametrize(
    ("request_class", "left_out"),
    [
        (PredictRequest, LONG | {"smiles_column"}),
        (BatchRequest, {"budget"}),
        (
            ReactRequest,
            LONG
            | {"smiles_column", "forces", "route", "thermal", "thermochemistry", "max_interval"}
            | {"boltzmann"},
        ),
    ],
)
def test_a_request_has_every_option_of_python(request_class: type, left_out: set[str]) -> None:
    assert NAMES - set(request_class.model_fields) == left_out


def test_options_that_are_not_named_are_those_of_python() -> None:
    told = options(PredictRequest(smiles="C"))
    assert Options(**told) == DEFAULTS
    batch = options(BatchRequest(file="a.csv"))
    assert Options(**batch) == DEFAULTS


def test_an_option_arrives() -> None:
    told = options(PredictRequest(smiles="C", unit="kJ/mol", exact=True, length="bohr"))
    assert Options(**told) == Options(unit="kJ/mol", exact=True, length="bohr")


@pytest.mark.parametrize(
    ("verb", "request_class"),
    [(predict.predict, PredictRequest), (react.react, ReactRequest), (bonds.bonds, BondsRequest)],
)
def test_what_the_api_and_a_verb_share_has_one_name(verb: object, request_class: type) -> None:
    named = set(inspect.signature(verb).parameters)
    shared = NAMES | {field.name for field in fields(Conditions)}
    assert set(request_class.model_fields) & shared - named <= {"boltzmann"}  # --conformers says it
    assert named & NAMES <= set(request_class.model_fields) | LONG | {"smiles_column"}


def test_the_conditions_of_a_reaction_are_those_of_python() -> None:
    asked = ReactRequest(reaction="C >> C")
    assert all(getattr(asked, name) == value for name, value in vars(STANDARD).items())
