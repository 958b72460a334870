"""The shipped model answers alike on other processors: libraries are told that theirs is older."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

ASKED = ["CCCO", "NCC#N", "c1ccoc1", "CC1CCCO1", "CC[CH2]"]
CLOSE = 0.01
"""kcal/mol."""
OLDER = {
    "without AVX": {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Nehalem",
    },
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
    },
}


def answers(settings: dict[str, str]) -> list[float]:
    """Energies and upper bounds (kcal/mol) of the learned rung."""
    done = subprocess.run(
        [sys.executable, "-m", "onekcal", "predict", *ASKED, "--rung", "learned", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **settings},
    )
    told = json.loads(done.stdout)
    return [one["atomization"][key] for one in told for key in ("value", "upper")]


@pytest.fixture(scope="module")
def here() -> list[float]:
    return answers({})


@pytest.mark.parametrize("settings", OLDER.values(), ids=OLDER)
def test_another_processor_gives_the_same_answers(
    settings: dict[str, str], here: list[float]
) -> None:
    assert len(here) == 2 * len(ASKED)
    assert answers(settings) == pytest.approx(here, abs=CLOSE)
