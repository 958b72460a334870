"""Choose which molecules of a pool are worth a label.

    top     the k molecules that a signal doubts most
    drawn   k molecules drawn one after the other, each with a probability proportional to s²

The most doubtful molecules of a pool often resemble each other; a draw takes fewer of a kind.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from onekcal.errors import InputError, unknown
from onekcal.signals.registry import gather, signal
from onekcal.signals.signal import Asked
from onekcal.trust.ranking import Floats

RANDOM = "random"
"""What is chosen by where no signal is: the control of every other choice."""
How = Literal["top", "drawn"]
Rows = npt.NDArray[np.int64]


def choose(asked: Asked, count: int, by: str, how: How = "top", seed: int = 0) -> Rows:
    """Choose molecules.

    Parameters
    ----------
    asked
        The model and the pool.
    count
        How many are chosen.
    by
        The name of a signal, or `RANDOM`.
    how
        "top" or "drawn".
    seed
        Seed of all draws.

    Returns
    -------
    array
        (count,) rows of the pool, the most doubtful first, or in the order of the draw.

    Raises
    ------
    InputError
        The pool is too small, or the model does not give the signal.
    """
    refuse_unknown(by, how)
    if not 0 < count <= len(asked.data):
        raise InputError(f"{count} of {len(asked.data)} molecules cannot be chosen")
    draw = np.random.default_rng(seed)
    if by == RANDOM:
        return draw.permutation(len(asked.data))[:count]
    return chosen(_doubts(asked, by), count, how, draw)


def _doubts(asked: Asked, by: str) -> Floats:
    """(M,) the signal; infinite where a molecule holds an element that was not trained on."""
    molecules = asked.data.molecules
    out = np.full(len(molecules), np.inf)
    known = np.ones(len(molecules), bool)
    if asked.trained is not None:
        seen = torch.isin(molecules.numbers, asked.trained.data.molecules.numbers.unique())
        known = (molecules.sum_atoms(seen.to(torch.int64)) == molecules.sizes).numpy()
    rows = np.flatnonzero(known)
    gathered = gather(replace(asked, data=asked.data[rows]), [by])
    if by in gathered.absent:
        raise InputError(f"the model gives no {by}: {gathered.absent[by]}")
    out[rows] = gathered.doubts[by].values.double().numpy()
    return out


def refuse_unknown(by: str, how: str) -> None:
    """Refuse a signal or a way of choosing that does not exist.

    Parameters
    ----------
    by, how
        As in `choose`.
    """
    if by != RANDOM:
        signal(by)
    if how not in get_args(How):
        unknown("way to choose", how, get_args(How))


def chosen(doubt: Floats, count: int, how: How, draw: np.random.Generator) -> Rows:
    """Choose rows by their doubt.

    Parameters
    ----------
    doubt
        (M,) 0 or more; what is not finite comes first.
    count
        How many.
    how
        "top" or "drawn".
    draw
        Where random numbers come from.

    Returns
    -------
    array
        (count,) rows.
    """
    known = np.isfinite(doubt)
    largest = doubt[known].max(initial=1.0)
    doubt = np.where(known, doubt, 2.0 * largest)
    if how == "top":
        return np.argsort(-doubt, kind="stable")[:count]
    # the count largest of log(u)/s²: a weighted draw without replacement (Efraimidis, Spirakis,
    # Inf. Process. Lett. 97, 181, 2006)
    weights = np.maximum(doubt / doubt.max(), 1e-6) ** 2 if doubt.max() > 0 else np.ones(len(doubt))
    return np.argsort(-np.log(draw.random(len(doubt))) / weights, kind="stable")[:count]
