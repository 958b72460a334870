"""Verbs that are killed, that meet each other, a full disk, a clock that jumps, a strange home.

`scripts/robustness/kills.py` kills each of them twenty times.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from robustness.verbs import VERBS, Verb

from robustness import hostile, kills

QUICK = ("get", "import", "label", "field")
"""Verbs that take less than two seconds."""


@pytest.fixture(params=QUICK)
def verb(request: pytest.FixtureRequest) -> Verb:
    return next(one for one in VERBS if one.name == request.param)


def finished(verb: Verb, folder: Path, where: Callable[[Path], None] = lambda _: None) -> int:
    """The exit status of a verb that nobody kills."""
    status = kills.ended(kills.begun(verb, folder, where), 60.0)
    assert status is not None
    return status


def said(folder: Path) -> list[str]:
    """What it printed, but for progress bars."""
    lines = (folder.parent / "said").read_text(errors="replace").splitlines()
    return [line for line in lines if line.strip() and "━" not in line]


def test_a_verb_that_is_killed_goes_on_and_makes_the_same(verb: Verb, tmp_path: Path) -> None:
    with verb.surroundings(tmp_path):
        done = kills.killed(verb, 2, 0, tmp_path)
    assert done.kills == 2
    assert not done.findings


def test_on_a_full_disk_it_ends_in_a_line_and_afterwards_goes_on(
    verb: Verb, tmp_path: Path
) -> None:
    with verb.surroundings(tmp_path):
        folder = kills.fresh(verb, tmp_path, "full")
        assert finished(verb, folder, hostile.full_disk) not in (0, 70)
        assert not any("Traceback" in line for line in said(folder))
        assert said(folder)[-1].startswith("onekcal: ")
        assert not verb.wrong(folder)
        assert finished(verb, folder) == 0
        calm = kills.fresh(verb, tmp_path, "calm")
        assert finished(verb, calm) == 0
        assert verb.made(folder) == verb.made(calm)
        assert not verb.beside(folder)


@pytest.mark.parametrize(
    "where",
    [hostile.jumping_clock, hostile.strange_home, hostile.plain_terminal],
    ids=["clock", "home", "terminal"],
)
def test_strange_surroundings_change_nothing(
    verb: Verb, tmp_path: Path, where: Callable[[Path], None]
) -> None:
    with verb.surroundings(tmp_path):
        folder, calm = (kills.fresh(verb, tmp_path, name) for name in ("strange", "calm"))
        assert finished(verb, folder, where) == 0, said(folder)[-3:]
        assert finished(verb, calm) == 0
        assert verb.made(folder) == verb.made(calm)


def test_without_a_network_what_is_here_works_and_the_rest_is_one_line(
    verb: Verb, tmp_path: Path
) -> None:
    with verb.surroundings(tmp_path):
        folder = kills.fresh(verb, tmp_path, "alone")
        status = finished(verb, folder, hostile.no_network)
    assert (status == 0) == (verb.name != "get")
    assert not any("Traceback" in line for line in said(folder))


def test_in_a_home_that_cannot_be_written_what_needs_none_works_and_the_rest_is_one_line(
    verb: Verb, tmp_path: Path
) -> None:
    with verb.surroundings(tmp_path):
        folder = kills.fresh(verb, tmp_path, "unwritable")
        status = finished(verb, folder, hostile.unwritable_home)
    assert (status == 0) == (verb.name not in ("get", "import")), said(folder)[-3:]
    assert not any("Traceback" in line for line in said(folder))
    if status:
        assert said(folder)[-1].startswith("onekcal: ")
        assert "ONEKCAL_HOME" in said(folder)[-1]


def test_two_processes_at_once_make_one_whole_thing(verb: Verb, tmp_path: Path) -> None:
    with verb.surroundings(tmp_path):
        folder, calm = (kills.fresh(verb, tmp_path, name) for name in ("twice", "calm"))
        both = [kills.begun(verb, folder) for _ in range(2)]
        status = [kills.ended(one, 60.0) for one in both]
        assert 0 in status
        assert not any("Traceback" in line for line in said(folder)), said(folder)[-3:]
        assert finished(verb, calm) == 0
        assert verb.made(folder) == verb.made(calm)


@pytest.mark.slow  # two seconds a kill
@pytest.mark.parametrize("name", [one.name for one in VERBS if one.name not in QUICK])
def test_the_others_survive_a_kill_too(name: str, tmp_path: Path) -> None:
    one = next(verb for verb in VERBS if verb.name == name)
    done = kills.killed(one, 3, 1, tmp_path)
    assert not done.findings


def test_a_verb_that_loses_something_is_noticed(tmp_path: Path) -> None:
    """It writes a row each time, and forgets that it has done so."""

    def run(folder: Path) -> int:
        import time

        with (folder / "rows").open("a") as file:
            for k in range(3):
                file.write(f"{k}\n")
                file.flush()
                time.sleep(0.1)
        return 0

    def made(folder: Path) -> object:
        return {"rows": (folder / "rows").read_text()}

    done = kills.killed(Verb("forgetful", run, made), 2, 0, tmp_path)
    assert any("another result" in what for what in done.findings)
