"""Tasks in local processes: each has its result, whatever happens to another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from onekcal.system import parallel
from onekcal.system.parallel import Task, in_parallel
from support.tasks import work


def named(*keys: str) -> Iterator[Task]:
    return ({"format": 1, "key": key} for key in keys)


@pytest.fixture(autouse=True)
def without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_has_dask", lambda: False)


def test_a_task_that_kills_its_process_costs_only_itself() -> None:
    keys = ["a", "killed", "b", "wrong", "c"]
    results = {r["key"]: r for r in in_parallel(work, named(*keys), len(keys), workers=2)}
    assert set(results) == set(keys)
    assert all(results[key]["threads"] == "1" for key in "abc")
    assert "killed" in results["killed"]["error"]
    assert results["wrong"]["error"] == "ValueError: no such thing"


def test_tasks_are_made_while_others_run() -> None:
    made = []

    def endless() -> Iterator[Task]:
        for k in range(10_000):
            made.append(k)
            yield {"format": 1, "key": str(k)}

    results = in_parallel(work, endless(), 10_000, workers=2)
    next(results)
    assert len(made) <= 2 * parallel.AHEAD
    results.close()  # type: ignore[attr-defined]
