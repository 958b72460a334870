"""What a newcomer stumbled over with the answers in Python and on the command line."""

from __future__ import annotations

import csv
import inspect
import io
import itertools
import json
import math
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import torch
from threadpoolctl import threadpool_limits

import onekcal
from onekcal.cli.predict import predict as command
from onekcal.errors import InputError, OnekcalError
from onekcal.models.artefact import Artefact
from onekcal.models.shipped import load_model
from onekcal.models.stack import Stack
from onekcal.molecules import Molecules
from onekcal.prediction import prediction
from onekcal.prediction.answers import Answer
from onekcal.prediction.options import OptionKeywords, Options
from onekcal.prediction.questions import Question
from onekcal.units import EV, KJ
from support.command import onekcal as run

SOME = ["CCO", "CC(", "O"]
TABLE = "id,smiles,source\n17,CCO,us\n18,CC(,them\n19,O,us\n"


@pytest.fixture(scope="module")
def shipped() -> Artefact:
    return load_model()


@pytest.fixture(scope="module")
def answers(shipped: Artefact) -> onekcal.prediction.answer_table.Answers:
    """Two answers and one refusal between them."""
    return onekcal.predict(SOME, shipped)


# --- Python -----------------------------------------------------------------------------------


def test_answers_are_a_list_and_a_table(answers: Any, tmp_path: Path) -> None:
    assert len(answers) == 3
    assert isinstance(answers, list)
    answers[:2].to_csv(tmp_path / "two.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "two.csv").read_text("utf-8"))))
    assert [row["source"] for row in rows] == ["CCO", "CC("]
    text = answers.to_csv()
    assert text == run("predict", *SOME, "--csv", cwd=tmp_path).stdout


def test_answers_are_a_frame(answers: Any) -> None:
    pandas = pytest.importorskip("pandas")
    frame = answers.to_frame()
    assert frame["formation_298K_kcal_per_mol"].dtype == "float64"
    assert frame["formation_298K_kcal_per_mol"].isna().tolist() == [False, True, False]
    assert frame["formation_298K_lower_kcal_per_mol"][0] == answers[0].formation_298.lower
    assert pandas.DataFrame(onekcal.predict([]).to_frame()).empty


def test_without_pandas_one_line_says_what_to_install(
    answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(OnekcalError, match="pip install pandas"):
        answers.to_frame()


def test_a_heat_of_formation_has_its_interval_everywhere(answers: Any) -> None:
    ethanol = answers[0]
    value, lower, upper, unit = ethanol.formation_298
    assert value == ethanol.ledger.formation_298
    half = ethanol.heat_half  # with the correction to experiment; the energy's own is without
    assert 0 < half != ethanol.half
    assert (value - lower, upper - value) == pytest.approx((half, half))
    assert unit == "kcal/mol"
    told, row = ethanol.to_dict(), ethanol.to_row()
    assert (told["formation_298_lower"], told["formation_298_upper"]) == (lower, upper)
    assert float(row["formation_298K_lower_kcal_per_mol"]) == pytest.approx(lower, abs=1e-4)


def test_a_refusal_gives_its_reason_and_raises_nothing(answers: Any) -> None:
    refused = answers[1]
    assert "nor a SMILES that can be read" in refused.refused
    assert not answers[0].refused
    assert math.isnan(refused.formation_298.value)
    assert refused.to_dict()["formation_298"] is None


def test_what_python_shows_is_short(answers: Any) -> None:
    assert repr(answers[0]).startswith("Answer(ethanol: -759")
    assert "ΔfH(298 K) -5" in repr(answers[0])
    shown = (answers[0], answers[0].ledger, answers[0].conformers, answers[0].molecule)
    assert all("\n" not in repr(one) and len(repr(one)) < 160 for one in shown)
    many = onekcal.prediction.answer_table.Answers(list(answers) * 100)
    assert repr(many).startswith("300 answers, 100 refused\n")
    assert len(repr(many).splitlines()) == 12


def test_a_stream_answers_when_it_is_asked(shipped: Artefact) -> None:
    taken: list[int] = []

    def endless() -> Iterator[str]:
        for k in itertools.count():
            taken.append(k)
            yield "O"

    stream = onekcal.predict(endless(), shipped, stream=True)
    assert [next(stream).formula for _ in range(3)] == ["H2O"] * 3
    assert len(taken) < 6


@pytest.mark.parametrize(
    ("unit", "scale", "end"), [("kJ/mol", 1 / KJ, "kJ_per_mol"), ("eV", 1 / EV, "eV")]
)
def test_an_answer_is_told_in_another_unit(
    answers: Any, shipped: Artefact, unit: Any, scale: float, end: str
) -> None:
    (other,) = onekcal.predict("CCO", shipped, unit=unit)
    first = answers[0]
    assert other.energy == first.energy  # the fields stay in kcal/mol
    assert other.formation_298.value == pytest.approx(first.formation_298.value * scale)
    told = other.to_dict()
    assert told["unit"] == unit
    assert told["atomization"]["upper"] == pytest.approx(first.upper * scale)
    assert sum(term["value"] for term in told["terms"]) == pytest.approx(told["formation_298"])
    assert "at 51.63 kcal/mol" in told["terms"][1]["label"]
    assert told["novelty"] == first.novelty  # it is no energy
    assert float(other.to_row()[f"energy_{end}"]) == pytest.approx(first.energy * scale, abs=1e-4)
    assert unit in repr(other)


def test_a_wider_coverage_is_a_wider_interval(answers: Any, shipped: Artefact) -> None:
    (wide,) = onekcal.predict("CCO", shipped, coverage=0.95)
    assert wide.half > answers[0].half
    with pytest.raises(InputError, match="did you mean 0.95"):
        onekcal.predict("CCO", shipped, coverage=95)


def test_an_option_without_a_meaning_is_named(shipped: Artefact) -> None:
    with pytest.raises(InputError, match="did you mean 'coverage'"):
        onekcal.predict("CCO", shipped, covrage=0.9)  # type: ignore[call-overload]
    with pytest.raises(InputError, match="kcal/mol, kJ/mol, eV"):
        onekcal.predict("CCO", shipped, unit="hartree")  # type: ignore[call-overload]


def test_a_refusal_hints_at_force_only_where_that_answers(shipped: Artefact) -> None:
    """The kernel has no place for P, and no conformers are made of an ion; what is merely strange
    can be forced.
    """
    given = ["CP", "[NH4+]", "FN=NF"]
    unknown, ion, strange = onekcal.predict(given, shipped, rung="learned")
    assert "cannot describe P at all" in unknown.refused
    assert "--force" not in unknown.refused + ion.refused
    assert "--force answers all the same" in strange.refused
    (forced,) = onekcal.predict(given[2], shipped, rung="learned", force=True, conformers=1)
    assert not forced.refused


class _Counting(Stack):
    """A stack that notes how many threads it may use."""

    threads: list[int]

    def energies(self, *given: Any, **named: Any) -> torch.Tensor:
        self.threads.append(torch.get_num_threads())
        return super().energies(*given, **named)


def test_python_uses_one_thread_as_the_command_does(shipped: Artefact, water: Molecules) -> None:
    from dataclasses import replace

    model = _Counting(shipped.model.stages)
    model.threads = []
    with threadpool_limits(2):
        onekcal.predict(water, replace(shipped, model=model))
        assert torch.get_num_threads() == 2  # what the user set stays
    assert set(model.threads) == {1}


def test_options_have_the_same_names_on_the_command_line_and_in_python() -> None:
    names = {one.name for one in fields(Options)}
    assert names == set(get_type_hints(OptionKeywords))
    typed = set(inspect.signature(command).parameters)
    assert names - typed == {"boltzmann"}  # --conformers boltzmann
    beside = typed - names - set(inspect.signature(prediction.predict).parameters)
    assert beside == {"as_csv", "as_json", "scope", "geometries"}  # what to do with the answers


# --- command line -----------------------------------------------------------------------------


def test_columns_come_through_to_csv_and_json(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "more.smi").write_text("C methane\n")
    done = run("predict", "t.csv", "more.smi", "--csv", cwd=tmp_path)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["name"] for row in rows] == ["17", "18", "19", "methane"]
    assert [row["id"] for row in rows] == ["17", "18", "19", ""]
    assert [row["given_source"] for row in rows] == ["us", "them", "us", ""]
    assert [bool(row["problem"]) for row in rows] == [False, True, False, False]
    told = json.loads(run("predict", "t.csv", "--json", cwd=tmp_path).stdout)
    assert told[1]["columns"] == {"id": "18", "source": "them"}
    other_way = run("predict", "more.smi", "t.csv", "--csv", cwd=tmp_path)
    assert [row["id"] for row in csv.DictReader(io.StringIO(other_way.stdout))][1] == "17"


def test_standard_input_says_what_it_was_taken_for(tmp_path: Path) -> None:
    done = run("predict", "-", "--csv", cwd=tmp_path, stdin=TABLE)
    assert "standard input: taken for a table with a heading" in done.stderr
    assert done.stdout.splitlines()[1].startswith('"standard input, line 2",17,')
    done = run("predict", "-", cwd=tmp_path, stdin="C 0 0 0\n")
    assert done.returncode == 2
    assert "put the number of atoms and a comment before them" in done.stderr


def test_the_screen_is_in_the_unit_that_is_asked_for(tmp_path: Path) -> None:
    one = run("predict", "O", "--unit", "kJ/mol", cwd=tmp_path).stdout
    two = run("predict", "O", "C", "--unit", "eV", "--coverage", "0.95", cwd=tmp_path).stdout
    assert "atomization energy (0 K), of G4(MP2) against experiment" in one
    assert "ΔfH(298.15 K), against experiment" in one
    assert one.index("kJ/mol") < one.index("kcal/mol")
    assert "95 % interval" in two
    assert "eV; 95 % interval of the energy against experiment" in two
    mixed = run("predict", "O", "CCCCN", cwd=tmp_path).stdout
    assert "of the energy against G4(MP2) (0 K), of computed ones against experiment" in mixed


def _stop_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ctrl-C come while a question is answered."""
    ask, count = prediction.answer, itertools.count(1)

    def stopping(question: Question, *given: Any, **named: Any) -> Answer:
        if next(count) == number:
            raise KeyboardInterrupt
        return ask(question, *given, **named)

    monkeypatch.setattr(prediction, "answer", stopping)


def test_after_ctrl_c_what_is_done_stays_and_the_rest_can_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    whole = run("predict", "t.csv", "--csv", cwd=tmp_path).stdout
    with monkeypatch.context() as patch:
        _stop_at(3, patch)
        first = run("predict", "t.csv", "--csv", cwd=tmp_path)
    assert first.returncode == 130
    assert "--skip 2 answers the others" in first.stderr
    second = run("predict", "t.csv", "--csv", "--skip", "2", cwd=tmp_path)
    assert first.stdout + second.stdout == whole
    _stop_at(2, monkeypatch)
    assert len(json.loads(run("predict", "t.csv", "--json", cwd=tmp_path).stdout)) == 1


def test_two_processes_give_the_same_in_the_same_order(tmp_path: Path) -> None:
    """It starts two processes that import torch."""
    (tmp_path / "t.csv").write_text(TABLE)
    alone = run("predict", "t.csv", "--csv", cwd=tmp_path)
    both = run("predict", "t.csv", "--csv", "--workers", "2", cwd=tmp_path)
    assert both.returncode == 0, both.stderr
    assert both.stdout == alone.stdout


def test_a_process_that_is_killed_costs_its_question_alone(
    shipped: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It starts two processes that import torch."""
    from onekcal.prediction import crew

    started: list[int] = []
    start = crew._Member._started

    def noting(member: Any) -> Any:
        process = start(member)
        started.append(process.pid)
        if len(started) == 1:
            threading.Timer(0.1, os.kill, (process.pid, signal.SIGKILL)).start()
        return process

    monkeypatch.setattr(crew._Member, "_started", noting)
    questions = [Question(smiles, smiles=smiles) for smiles in ("O", "C")]
    first, second = crew.by_a_crew(questions, shipped, Options(), 1)
    assert "the process that answered it was ended" in first.problem
    assert second.formula == "CH4"
    assert len(started) == 2
