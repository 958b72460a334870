"""What is cited for an answer is what it came from."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.prediction.answers import Answer
from onekcal.prediction.citations import bibtex, sources


@pytest.fixture(scope="module")
def model() -> Artefact:
    return load_model()


def keys(text: str) -> list[str]:
    return re.findall(r"^@\w+\{([\w-]+),", text, re.M)


def test_every_entry_can_be_parsed_and_has_a_title_authors_and_a_year() -> None:
    for name, entry in sources().items():
        assert re.fullmatch(r"@\w+\{[\w-]+,\n(  .*\n)+\}", entry), name
        assert entry.count("{") == entry.count("}")
        assert "title = {" in entry
        assert "author = {" in entry
        assert name == "onekcal" or re.search(r"year = \{\d{4}\}", entry)


def test_a_learned_answer_cites_the_data_and_the_level(model: Artefact) -> None:
    answer = Answer("CCO", smiles="CCO", level="g4mp2", energy=-1.0, geometry="gfn2")
    found = keys(bibtex(answer, model))
    assert found == ["onekcal", "gfn2", "g4mp2", "qm9", "qm9-g4mp2"]


def test_a_computed_answer_cites_no_training_data(model: Artefact) -> None:
    answer = Answer("CCO", smiles="CCO", level="g4mp2", energy=-1.0, rung="g4mp2", geometry="b3lyp")
    assert keys(bibtex(answer, model)) == ["onekcal", "g4mp2", "b3lyp"]


def test_a_model_of_the_reader_cites_what_its_data_say(model: Artefact) -> None:
    card = replace(model.card, data="mine", data_card={"citation": "Me, J. Mine 1, 1 (2026) {x}"})
    own = replace(model, card=card)
    answer = Answer("CCO", level="pbe0", energy=-1.0)
    text = bibtex(answer, own)
    assert "Me, J. Mine 1, 1 (2026) x" in text
    assert "qm9" not in keys(text)
    assert keys(bibtex(Answer("CCO", problem="none"), own)) == ["onekcal"]
