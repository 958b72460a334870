"""Molecules are computed on one thread, wherever they are asked for."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from onekcal.features.electrons import electrons
from onekcal.molecules import Molecules
from onekcal.quantum import named
from onekcal.quantum.gfn2 import Levels, TightBinding
from onekcal.system.threads import on_one_thread, one_thread

VERBS = ("bonds", "react", "relax", "md", "field", "predict")


def _most() -> int:
    return max(pool["num_threads"] for pool in threadpool_info())


def test_libraries_have_one_thread_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    with one_thread():
        assert _most() == 1
        assert os.environ["OMP_NUM_THREADS"] == "1"  # for libraries that are loaded now
    assert "OMP_NUM_THREADS" not in os.environ
    assert torch.get_num_threads() == before


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with one_thread():
        assert os.environ["OMP_NUM_THREADS"] == "3"


def test_a_function_has_the_threads_that_the_user_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most = on_one_thread(_most)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert most() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    assert most() == 1


def test_a_function_on_one_thread_is_the_same_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    @on_one_thread
    def most(more: int) -> int:
        """Words."""
        return _most() + more

    assert most(1) == 2
    assert (most.__name__, most.__doc__) == ("most", "Words.")


WATER = Molecules.one(["O", "H", "H"], [[0, 0, 0.117], [0, 0.757, -0.469], [0, -0.757, -0.469]])


@pytest.mark.parametrize(("how", "threads"), [("gfn2", 1), ("b3lyp/6-31g", 2)])
def test_single_points_of_gfn2_have_one_thread_and_those_of_dft_what_there_is(
    monkeypatch: pytest.MonkeyPatch, how: str, threads: int
) -> None:
    monkeypatch.setattr(named, "single_point", lambda *asked: _most())
    with threadpool_limits(2):
        assert named.single_points(WATER, how) == [threads]


def test_electrons_of_a_set_have_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    levels = TightBinding.levels

    def watched(self: TightBinding, place: np.ndarray) -> Levels:
        seen.append(_most())
        return levels(self, place)

    monkeypatch.setattr(TightBinding, "levels", watched)
    with threadpool_limits(2):
        electrons(WATER.moved(WATER.positions * 1.01))
    assert seen == [1]


def test_a_library_that_is_loaded_late_has_one_thread_too() -> None:
    code = (
        "from onekcal.system.threads import one_thread\n"
        "with one_thread():\n"
        "    import tblite.interface\n"
        "    from threadpoolctl import threadpool_info\n"
        "    print(max(pool['num_threads'] for pool in threadpool_info()))\n"
    )
    free = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    said = subprocess.run(
        [sys.executable, "-c", code], env=free, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["1"]


def test_no_verb_sets_threads_by_itself() -> None:
    from pathlib import Path

    import onekcal.cli

    for verb in VERBS:
        text = Path(onekcal.cli.__path__[0], f"{verb}.py").read_text(encoding="utf-8")
        assert "OMP_NUM_THREADS" not in text, verb
