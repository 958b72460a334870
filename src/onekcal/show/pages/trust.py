"""The page that compares what models doubt: an HTML file that needs no network."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from onekcal.runs.card import NO_TEST, SANITY_HEADS, sanity
from onekcal.show.endings import HTML, writable
from onekcal.show.pages import embed
from onekcal.signals.compare import Compared, Told, large_of
from onekcal.system.files import whole_file
from onekcal.trust.bins import QUANTILES
from onekcal.trust.judged import Judged
from onekcal.trust.ranking import REFUSED

FEW = 100
"""Fewer test molecules say little about a tail of the errors."""


def save(compared: list[Compared], out: Path) -> Path:
    """Write the page.

    Parameters
    ----------
    compared
        The signals of each model.
    out
        An HTML file.

    Returns
    -------
    Path
        The file.
    """
    writable(out, "the page of signals", HTML)
    text = render(compared)
    with whole_file(out) as part:
        part.write_text(text, encoding="utf-8")
    return out


def render(compared: list[Compared]) -> str:
    """Make the page.

    Parameters
    ----------
    compared
        The signals of each model.

    Returns
    -------
    str
        HTML that needs no network.
    """
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        embed.part("trust.html")
    )
    return template.render(
        title=" · ".join(one.subject.name for one in compared),
        runs=[_words(one) for one in compared],
        sanity_heads=SANITY_HEADS,
        heads=HEADS,
        part=_safe_part,
        data=Markup(embed.as_json([_data(one) for one in compared])),
    )


def _safe_part(name: str) -> Markup:
    """A file of `page/`, which the template does not escape."""
    return Markup(embed.part(name))


def _words(one: Compared) -> dict[str, object]:
    """The text of one model."""
    size, unit = np.abs(one.error), one.subject.artefact.unit
    large = large_of(one.subject)
    tiles = [("molecules", f"{len(size):,}", "not fitted to"), ("MAE", f"{size.mean():.3g}", unit)]
    if math.isfinite(large):
        tiles.append((f"above {large:g} kcal/mol", _share((size > large).mean()), "of molecules"))
    if math.isfinite(one.oracle.plain_width):
        nominal = f"{100 * one.coverage:.0f} % interval"
        tiles.append((nominal, f"± {one.oracle.plain_width:.3g}", f"{unit}, the same for all"))
    return {
        "name": one.subject.name,
        "unit": unit,
        "tiles": tiles,
        "notes": _notes(one),
        "rows": [_row(name, told) for name, told in one.told.items()],
        "oracle": cells(one.oracle),
        "absent": list(one.absent.items()),
        "signals": list(one.told),
        "sanity": sanity(one.subject.artefact.card),
    }


def _notes(one: Compared) -> list[str]:
    notes = []
    if one.subject.part:
        notes.append(f"There is no test part: {NO_TEST[one.subject.part]}")
    if one.lost:
        notes.append(f"{one.lost:,} predictions are not a number; they are in no figure.")
    if len(one.error) < FEW:
        notes.append(f"Only {len(one.error)} molecules: the figures are rough.")
    return notes


def _row(name: str, told: Told) -> dict[str, object]:
    meaning = told.meaning + (f" ({told.unit})" if told.unit else "")
    return {
        "name": name,
        "meaning": meaning + ("; of atoms, too" if told.of_atoms else ""),
        "cells": cells(told.judged),
    }


HEADS = (
    "Spearman",
    "AUROC",
    f"large errors in the worst {100 * REFUSED:.0f} %",
    "area of risk",
    "of the way to perfect",
    "mean ±",
    "it holds",
)
"""Heads of the table of signals."""


def cells(judged: Judged) -> list[str]:
    """Write the figures of a signal, in the order of `HEADS`.

    Parameters
    ----------
    judged
        The figures.

    Returns
    -------
    list of str
        A dash for what is not known.
    """
    return [
        _number(judged.spearman),
        _number(judged.auroc),
        _share(judged.caught),
        _number(judged.area),
        _share(judged.useful),
        _number(judged.width),
        _share(judged.coverage),
    ]


def _data(one: Compared) -> dict[str, object]:
    """What the page's script draws of one model."""
    return {
        "name": one.subject.name,
        "unit": one.subject.artefact.unit,
        "coverage": one.coverage,
        "mae": float(np.abs(one.error).mean()),
        "oracle": one.oracle.curve,
        "levels": QUANTILES,
        "signals": [
            {
                "name": name,
                "unit": told.unit,
                "curve": told.judged.curve,
                "parts": told.judged.parts,
                "plain": told.judged.plain,
                "at": told.judged.figure.signal.tolist(),
                "sizes": told.judged.figure.size.T.tolist(),
            }
            for name, told in one.told.items()
        ],
    }


def _number(value: float) -> str:
    return f"{value:#.3g}".replace("-", "−") if math.isfinite(value) else "–"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %".replace("-", "−") if math.isfinite(value) else "–"
