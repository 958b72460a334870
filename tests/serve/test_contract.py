"""The API keeps what its own description says: no request of any kind ends in a crash, and every
status, content type and body is one that is described.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis")

# the server runs in a thread, and what it draws at random is not the strategy's
pytestmark = pytest.mark.filterwarnings(
    "ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning"
)
MOST = 15
"""Requests of each kind to each route."""
BOUNDED = settings(
    max_examples=MOST,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def description(client, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The API of a server whose workers only pretend, as its OpenAPI document describes it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return schemathesis.openapi.from_url(f"{client.address}/api/openapi.json")


def _asked(operation: Any, mode: str) -> list[int]:
    """Statuses of the replies to requests that are as described, or are not."""
    checks = [
        schemathesis.checks.not_a_server_error,
        *(
            getattr(schemathesis.specs.openapi.checks, name)
            for name in (
                "status_code_conformance",
                "content_type_conformance",
                "response_schema_conformance",
            )
        ),
    ]
    found: list[int] = []

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode[mode]))
    def each(case: Any) -> None:
        response = case.call_and_validate(checks=checks)
        found.append(response.status_code)

    with contextlib.suppress(Unsatisfiable):  # nothing can be wrong with a path alone
        each()
    return found


def _statuses(description: Any, mode: str) -> dict[str, set[int]]:
    """The statuses of each route."""
    operations = (found.ok() for found in description.get_all_operations())
    return {operation.label: set(_asked(operation, mode)) for operation in operations}


def test_whatever_is_asked_as_described_is_answered_as_described(description: Any) -> None:
    statuses = _statuses(description, "POSITIVE")
    assert len(statuses) >= 15
    assert all(statuses.values())
    for label in ("GET /api/predict", "POST /api/react", "POST /api/bonds", "GET /api/jobs"):
        assert statuses[label] & {200}, label


def test_whatever_is_asked_otherwise_is_refused_as_described(description: Any) -> None:
    statuses = _statuses(description, "NEGATIVE")
    for label in ("GET /api/predict", "POST /api/predict", "POST /api/react", "POST /api/jobs"):
        assert statuses[label], label
        assert not statuses[label] & {200, 202, 500}, label


def test_a_refusal_that_is_not_described_is_noticed(client, description: Any) -> None:
    told = client.ask("/api/openapi.json")
    del told["paths"]["/api/react"]["post"]["responses"]["422"]
    lying = schemathesis.openapi.from_dict(told)
    lying.config.update(base_url=client.address)
    with pytest.raises(BaseExceptionGroup, match="failure"):
        _asked(lying["/api/react"]["POST"], "NEGATIVE")
