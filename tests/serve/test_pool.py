"""The pool of workers leaves nothing behind, whenever it is closed."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Any

import pytest

from onekcal.serve.pool import Pool
from support.serving import FAKE


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Python finds open when it cleans up."""
    found: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: found.append(str(what.exc_value)))
    return found


def test_a_pool_that_closes_while_its_workers_start_leaves_no_process(left: list[str]) -> None:
    async def opened_for(seconds: float) -> None:
        pool = Pool("", 2, FAKE)
        pool.open()
        await asyncio.sleep(seconds)
        await pool.close()

    for k in range(30):
        asyncio.run(opened_for(k * 1e-3))
        gc.collect()
    assert left == []


def test_a_worker_that_is_stopped_with_the_pool_is_not_started_again(left: list[str]) -> None:
    async def closed() -> list[Any]:
        pool = Pool("", 2, FAKE)
        pool.open()
        await pool.loaded.wait()
        asked = asyncio.create_task(pool.ask({"kind": "row", "smiles": "STUCK", "options": {}}))
        await asyncio.sleep(0.05)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await pool.close()
        return [worker.alive for worker in pool.workers]

    assert asyncio.run(closed()) == [False, False]
    gc.collect()
    assert left == []
