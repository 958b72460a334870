"""The API answers, keeps answers, and survives what goes wrong."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from onekcal.serve.limits import Limits
from onekcal.system.home import home


def _kept() -> int:
    """Answers in the cache."""
    with closing(sqlite3.connect(home() / "serve" / "answers.sqlite")) as file:
        return file.execute("SELECT count(*) FROM answers").fetchone()[0]


def test_an_answer_is_computed_once_and_then_kept(client) -> None:
    first = client.ask("/api/predict", {"smiles": "CCO"})
    assert first["formation_298"] == -1.5
    assert client.ask("/api/predict?smiles=CCO") == first
    assert _kept() == 1


def test_an_option_makes_another_question(client) -> None:
    client.ask("/api/predict", {"smiles": "CCO"})
    client.ask("/api/predict", {"smiles": "CCO", "coverage": 0.8})
    assert _kept() == 2


def test_fifty_readers_of_one_question_cost_one_computation(client) -> None:
    with ThreadPoolExecutor(50) as many:
        found = list(many.map(lambda _: client.ask("/api/predict?smiles=SLOW"), range(50)))
    assert len({json.dumps(one) for one in found}) == 1


def test_answers_are_kept_over_a_restart(serve: Callable) -> None:
    first = serve().ask("/api/predict?smiles=SLOW")
    again = serve()
    again.app.state.desk.pool.ask = None  # nobody is asked
    assert again.ask("/api/predict?smiles=SLOW") == first


def test_what_makes_no_sense_is_refused_in_one_line(client) -> None:
    for body, word in (
        ({}, "either"),
        ({"smiles": "C", "geometry": "1\n\nH 0 0 0"}, "either"),
        ({"smiles": "C", "conformer": 3}, "conformer"),
        ({"smiles": "C" * 1001}, "smiles"),
        ({"smiles": "C", "coverage": 2}, "coverage"),
        ({"smiles": "C", "temperature": -1}, "temperature"),
    ):
        code, content, _ = client.raw("/api/predict", body)
        assert code in (400, 422)
        problem = json.loads(content)["problem"]
        assert word in problem
        assert "\n" not in problem
    assert client.raw("/api/predict", b"{")[0] == 422
    assert client.ask("/api/nothing", status=404)["problem"] == "Not Found"


def test_a_strange_key_is_quoted_in_one_short_line(client) -> None:
    for key in ("a\nb", "k" * 50_000):
        said = client.ask("/api/predict", {"smiles": "C", key: 1}, status=422)["problem"]
        assert "\n" not in said
        assert len(said) < 1000


def test_a_crash_costs_one_answer_and_leaves_the_rest(client) -> None:
    said = client.ask("/api/predict?smiles=CRASH", status=500)
    assert "ended" in said["problem"]
    for k in range(4):  # both workers, before and after they have started again
        assert client.ask(f"/api/predict?smiles={'C' * (k + 1)}")["formation_298"] == -1.5


def test_what_takes_too_long_is_stopped_and_leaves_the_rest(serve: Callable) -> None:
    client = serve(limits=Limits(seconds=0.5))
    client.ask("/api/predict?smiles=C")
    said = client.ask("/api/predict?smiles=STUCK", status=504)
    assert "0.5 s" in said["problem"]
    assert client.ask("/api/predict?smiles=CC")["formation_298"] == -1.5


def test_more_questions_than_may_wait_are_told_to_come_again(serve: Callable) -> None:
    client = serve(limits=Limits(waiting=2))
    client.ask("/api/predict?smiles=C")
    long = 6 * "SLOW"  # all have asked before one is answered
    with ThreadPoolExecutor(12) as many:
        found = list(many.map(lambda k: client.raw(f"/api/predict?smiles={long}{k}"), range(12)))
    codes = {code for code, _, _ in found}
    assert codes == {200, 503}
    refused = next(headers for code, _, headers in found if code == 503)
    assert int(refused["Retry-After"]) > 0


def test_the_api_is_described_and_its_page_asks_nobody_else(client) -> None:
    told = client.ask("/api/openapi.json")
    assert {"/api/predict", "/api/react", "/api/bonds", "/api/jobs", "/api/batch"} <= set(
        told["paths"]
    )
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            assert one["description"], (path, method)
            assert {"401", "413", "422", "429"} <= set(one["responses"])
    code, page, _ = client.raw("/api/docs")
    assert code == 200
    assert b"http://" not in page
    assert b"https://" not in page


def test_about_says_what_the_model_knows_and_what_is_taken(client) -> None:
    told = client.ask("/api/about")
    assert told["limits"]["atoms"] == Limits().atoms
    assert told["model"] == "g4mp2"
