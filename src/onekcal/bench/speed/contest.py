"""Contestants that take turns in one process, and the ratio between them."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple, NotRequired, TypedDict

import numpy as np
import torch
from numpy.typing import ArrayLike

from onekcal.models.kernels.packed_cholesky import place

PATIENCE = 300.0
"""Seconds after which a contestant gets no further turn."""

Contestant = Callable[[], ArrayLike]
"""Does its work once, and returns something that can be compared."""


class SpeedRow(TypedDict):
    """The outcome of one contest: a row of results/speed.json."""

    name: str
    unit: str
    medians: dict[str, float]  # in `unit`, of each contestant
    ratio: dict[str, float]  # seconds of each peer over ours
    differs: dict[str, float]  # of each peer's result from ours, relative
    turns: dict[str, list[float]]  # seconds
    peak_mib: int
    note: str
    part: NotRequired[str]
    time: NotRequired[str]
    commit: NotRequired[str | None]


class SpeedResults(TypedDict):
    """results/speed.json."""

    suite: str
    title: str
    cite: str
    unit: str
    threads: int
    data: str
    rows: list[SpeedRow]
    commit: str | None
    hardware: str
    time: str
    packages: dict[str, str | None]


class Contest(NamedTuple):
    """Contestants that do the same work.

    Parameters
    ----------
    name
        What they do.
    unit
        "s", or "molecules/s" where a turn does `work` molecules.
    work
        Molecules of one turn.
    contestants
        Name → contestant; one is "onekcal".
    note
        A remark for the reader.
    same
        Whether all compute the same numbers.
    """

    name: str
    unit: str
    work: int
    contestants: dict[str, Contestant]
    note: str = ""
    same: bool = True


def measure(contest: Contest, rounds: int) -> SpeedRow:
    """Let every contestant work in turn, and take medians.

    With one thread, seconds are those of the processor. So what else runs on the machine counts
    only as far as it takes cache and memory away.

    Parameters
    ----------
    contest
        Who takes part.
    rounds
        Turns of each. A contestant that has used up PATIENCE gets no further turn.

    Returns
    -------
    SpeedRow
        Medians, ratios and differences.
    """
    turns: dict[str, list[float]] = {name: [] for name in contest.contestants}
    results: dict[str, np.ndarray] = {}
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    for _ in range(rounds):
        for name, contestant in contest.contestants.items():
            if sum(turns[name]) > PATIENCE:
                continue
            started = clock()
            result = contestant()
            turns[name].append(clock() - started)
            results[name] = np.asarray(result)
    seconds = {name: median(each) for name, each in turns.items()}
    peers = [name for name in turns if name != "onekcal"]
    return {
        "name": contest.name,
        "unit": contest.unit,
        "medians": {
            name: _rounded(s if contest.unit == "s" else contest.work / s)
            for name, s in seconds.items()
        },
        "ratio": {name: _rounded(seconds[name] / seconds["onekcal"]) for name in peers},
        "differs": {
            name: _rounded(difference(results["onekcal"], results[name]))
            for name in peers
            if contest.same
        },
        "turns": {name: [_rounded(s) for s in each] for name, each in turns.items()},
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "note": contest.note,
    }


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Compare two results.

    Parameters
    ----------
    ours
        An array; of a symmetric matrix it may be the packed half.
    theirs
        The same, whole.

    Returns
    -------
    float
        The largest difference, over the largest value.
    """
    if ours.ndim < theirs.ndim:
        row, column = np.triu_indices(len(theirs))
        ours, theirs = ours[place(row, column, len(theirs))], theirs[row, column]
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
