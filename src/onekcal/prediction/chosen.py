"""Options that were named one by one, checked."""

from __future__ import annotations

from dataclasses import replace

from onekcal.errors import InputError, unknown
from onekcal.prediction.estimate import unit_of
from onekcal.prediction.options import LEVELS, ROUTES, RUNGS, OptionKeywords, Options
from onekcal.thermo.free_energies import check_conditions


def chosen(options: Options, settings: OptionKeywords) -> Options:
    """Return options with those that were named one by one.

    Parameters
    ----------
    options
        The others.
    settings
        Fields of `Options`.

    Raises
    ------
    InputError
        A name is unknown, or a value has no meaning.
    """
    for name in settings:
        if name not in Options.__dataclass_fields__:
            unknown("option", name, Options.__dataclass_fields__)
    options = replace(options, **settings)
    options = replace(options, unit=unit_of(options.unit))
    if options.conformers < 1:
        raise InputError(f"`conformers` must be at least 1, got {options.conformers}")
    if not 0 < options.coverage < 1:
        hint = f"; did you mean {options.coverage / 100:g}?" if 1 < options.coverage < 100 else ""
        raise InputError(f"`coverage` must lie between 0 and 1, got {options.coverage:g}{hint}")
    if options.thermal not in ("auto", "gfn2", "regression"):
        raise InputError(f"`thermal` must be auto, gfn2 or regression, got {options.thermal!r}")
    if options.max_interval is not None and not options.max_interval > 0:
        raise InputError(f"`max_interval` must be positive, got {options.max_interval:g}")
    check_conditions(options.temperature, options.pressure)
    if options.rung not in RUNGS:
        raise InputError(f"`rung` must be one of {', '.join(RUNGS)}, got {options.rung!r}")
    if options.route not in ROUTES:
        raise InputError(f"`route` must be one of {', '.join(ROUTES)}, got {options.route!r}")
    if options.level not in LEVELS:
        raise InputError(f"`level` must be one of {', '.join(LEVELS)}, got {options.level!r}")
    return options
