"""Check settings against the types that their class names, and say what was expected.

Settings come from YAML, so they are checked as JSON: a list stands for a tuple, and a whole number
for any number. Nothing is converted: the text "3" is no number.
"""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    PydanticSchemaGenerationError,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import ErrorDetails

from onekcal.errors import ConfigError, in_short
from onekcal.models.registry import model_class

WORDS: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    type(None): "null",
    dict: "keys with values",
    object: "anything",
    Any: "anything",
}
"""Types as a reader of YAML knows them."""


def settings_of(name: str, value: object) -> dict[str, object]:
    """Write out the settings of a stage: `baseline: gfn2` gives its value to the first setting.

    Parameters
    ----------
    name
        The stage: a key of `MODELS`, or `module:Class`.
    value
        What YAML holds behind the name.

    Raises
    ------
    ConfigError
        The stage takes no settings.
    """
    if isinstance(value, dict):
        return dict(value)
    first = next(iter(inspect.signature(model_class(name)).parameters), None)
    if value is None:
        return {}
    if first is None:
        raise ConfigError(f"stage {name!r} takes no settings, got {in_short(repr(value))}")
    return {first: value}


def check_settings(name: str, settings: Mapping[str, object]) -> None:
    """Refuse settings of another type than the constructor names, and settings that are missing.

    Parameters
    ----------
    name
        The stage: a key of `MODELS`, or `module:Class`.
    settings
        Keyword arguments of its class. Unknown names are left to `build`.

    Raises
    ------
    ConfigError
        Names the setting, what it takes, and what was given.
    """
    cls = model_class(name)
    try:
        hints = get_type_hints(cls.__init__)
    except NameError:  # a class from outside whose annotations are names that it does not import
        hints = {}
    for key, parameter in inspect.signature(cls).parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if key not in settings:
            if parameter.default is parameter.empty:
                takes = f" ({in_words(hints[key])})" if key in hints else ""
                raise ConfigError(f"{name} needs the setting `{key}`{takes}")
        elif key in hints and not _fits(settings[key], hints[key]):
            raise ConfigError(
                f"{name}: `{key}` takes {in_words(hints[key])}, got {in_short(repr(settings[key]))}"
            )


def _fits(value: object, hint: Any) -> bool:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):  # an object that a Python caller made
        return True
    try:
        TypeAdapter(hint, config=ConfigDict(strict=True)).validate_json(text)
    except PydanticSchemaGenerationError:  # a type of its own, which only its class understands
        return True
    except ValidationError:
        return False
    return True


def in_words(hint: Any) -> str:
    """Say what a type takes, in the words of YAML.

    Parameters
    ----------
    hint
        A type, as `get_type_hints` returns it.

    Returns
    -------
    str
        Such as "a number or a list of numbers".
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(in_words(one) for one in inner))
    if issubclass(origin or hint, (Mapping, BaseModel)):
        return WORDS[dict]
    if inner:
        *_, last = (one for one in inner if one is not Ellipsis)
        return f"a list of {in_words(last).removeprefix('a ').replace('number', 'numbers')}"
    return WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def expected(error: ErrorDetails, model: type[BaseModel], key: str) -> str | None:
    """Say which type a key takes, where pydantic objects to the type of its value.

    Parameters
    ----------
    error
        What pydantic objects to.
    model
        The class that has the key.
    key
        The key.

    Returns
    -------
    str or None
        Such as "takes a whole number, got 'all'"; None where something else is wrong.
    """
    if not error["type"].endswith(("_type", "_parsing")) or key not in model.model_fields:
        return None
    takes = in_words(model.model_fields[key].annotation)
    return f"takes {takes}, got {in_short(repr(error['input']))}"
