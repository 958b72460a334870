"""The settings of a model as scikit-learn shows them, whatever the model keeps of them itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Any

GIVEN = "_made_with"
"""The attribute that holds the settings a model was made with."""


def recorded(init: Callable[..., None]) -> Callable[..., None]:
    """Make a constructor keep its arguments, defaults included, for `parameters`.

    Parameters
    ----------
    init
        The `__init__` of a model.
    """
    taken = signature(init)

    @wraps(init)
    def keeping(self: Any, *args: Any, **named: Any) -> None:
        init(self, *args, **named)
        bound = taken.bind(self, *args, **named)
        bound.apply_defaults()
        own = dict(list(bound.arguments.items())[1:])
        for name, one in taken.parameters.items():
            if one.kind is Parameter.VAR_KEYWORD:
                own |= own.pop(name)
        vars(self)[GIVEN] = own  # that of the outermost class is the last

    return keeping


def parameters(model: object) -> dict[str, Any]:
    """Return the settings that a model was made with, defaults included.

    Parameters
    ----------
    model
        A model.
    """
    return dict(vars(model).get(GIVEN, {}))
