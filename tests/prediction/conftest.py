"""The model that the tests of answers ask."""

from __future__ import annotations

import pytest

from onekcal.models.artefact import Artefact
from support.answering import small_model


@pytest.fixture(scope="session")
def artefact() -> Artefact:
    """GFN2-xTB and dressed atoms, presented as the model that ships is."""
    return small_model()
