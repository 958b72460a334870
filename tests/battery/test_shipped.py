"""The model that ships carries the outcome of its battery on its card."""

from __future__ import annotations

from pathlib import Path

import onekcal
from onekcal.models.shipped import load_model

CARD = Path(onekcal.__file__).parent / "shipped" / "g4mp2.md"


def test_the_card_of_the_model_that_ships_tells_its_battery() -> None:
    checks = load_model("g4mp2").card.battery["checks"]
    assert any(check["passed"] for check in checks)
    card = CARD.read_text(encoding="utf-8")
    assert "Not checked yet" not in card
    assert all(f"| {check['name']}: " in card for check in checks)
