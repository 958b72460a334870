"""Fixtures tests share: a molecule, a small data set, the real data when they are there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Small molecules: threads cost more time than they save, and sums of several threads are not
# reproducible. A number of threads that the user has set stays.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from onekcal.data.dataset import Dataset
from onekcal.molecules import Molecules
from support.molecules import wobbly

REAL = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real benchmark data; tests that need it are skipped where it is absent."""
    if not (REAL / "qm7.npz").is_file():
        pytest.skip("no ../shared/data")
    return REAL


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own cache, nor a mirror the user has set."""
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path_factory.getbasetemp() / "home"))
    monkeypatch.delenv("ONEKCAL_MIRROR", raising=False)


@pytest.fixture
def water() -> Molecules:
    """Experimental geometry."""
    return Molecules.one(
        ["O", "H", "H"],
        [[0.0, 0.0, 0.1173], [0.0, 0.7572, -0.4692], [0.0, -0.7572, -0.4692]],
        name="water",
    )


@pytest.fixture
def wobbly_train() -> Dataset:
    return wobbly(24, seed=1)


@pytest.fixture
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for all tests that look at a page; without one they are skipped."""
    browser = pytest.importorskip(
        "support.browser", reason="needs websockets: pip install onekcal[test]"
    )
    if browser.CHROMIUM is None:
        pytest.skip("no chromium")
    one = browser.Chromium(tmp_path_factory.mktemp("profile"))
    yield one
    one.close()
