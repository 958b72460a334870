"""Servers whose workers only pretend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

serving = pytest.importorskip("support.serving", reason="needs onekcal[serve]")


@pytest.fixture
def serve(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Start servers with pretending workers; all have the same home."""
    monkeypatch.setenv("ONEKCAL_HOME", str(tmp_path_factory.mktemp("home")))
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            serving.serving(serving.Settings(**{"command": serving.FAKE} | settings))
        )


@pytest.fixture
def client(serve: Callable[..., Any]) -> Any:
    return serve()
