"""Kill a verb at random moments, again and again: python scripts/robustness/kills.py --kills 20.

A verb runs in a fork, in a process group of its own, which is killed with SIGKILL. Then the verb is
called again, and goes on, until it ends; what it made must be what an undisturbed run makes, with
nothing beside it. When a round is finished and kills are left, the next begins in an empty folder.
The counts go to results/reliability.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.path.append(str(Path(__file__).parents[2] / "tests"))

from robustness import record
from robustness.verbs import VERBS, Verb

PATIENCE = 600.0
"""Seconds after which a verb that was called again has failed to end."""


@dataclass
class Killed:
    """What the kills of a verb did.

    Parameters
    ----------
    name
        The verb.
    kills
        How often it was killed while it worked.
    rounds
        How often it was brought to its end.
    findings
        What was wrong → how often.
    """

    name: str
    kills: int = 0
    rounds: int = 0
    seconds: float = 0.0
    findings: dict[str, int] = field(default_factory=dict)

    def found(self, what: str) -> None:
        """Count a finding."""
        self.findings[what] = self.findings.get(what, 0) + 1


def begun(verb: Verb, folder: Path, where: Callable[[Path], None] = lambda _: None) -> int:
    """Start the verb in a fork, in a process group of its own.

    Parameters
    ----------
    verb
        The verb.
    folder
        Where it works. What it prints is added to the file `said` beside it.
    where
        Changes the surroundings of the fork.

    Returns
    -------
    int
        The process.
    """
    child = os.fork()
    if child:
        with contextlib.suppress(OSError):  # whoever is first
            os.setpgid(child, child)
        return child
    status = 70
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        out = os.open(folder.parent / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        os.chdir(folder)
        os.environ["ONEKCAL_HOME"] = str(folder / "home")
        where(folder)
        status = verb.run(folder)
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        with contextlib.suppress(OSError):
            traceback.print_exc()
    finally:  # a fork must never return to what forked it
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


def ended(process: int, seconds: float) -> int | None:
    """Wait for a process; None where it still works."""
    until = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            return None
        time.sleep(0.002)


def kill(process: int) -> None:
    """Kill a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)


def fresh(verb: Verb, place: Path, name: str) -> Path:
    """Make a folder in which the verb can begin."""
    folder = place / name / "work"
    folder.mkdir(parents=True)
    verb.prepare(folder)
    return folder


def killed(verb: Verb, kills: int, seed: int, place: Path) -> Killed:
    """Kill a verb so many times.

    Parameters
    ----------
    verb
        The verb.
    kills
        How often.
    seed
        Of the moments.
    place
        An empty folder.
    """
    out, moments, start = Killed(verb.name), Random(f"{verb.name}:{seed}"), time.monotonic()
    calm = fresh(verb, place, "calm")
    clock = time.monotonic()
    if (status := ended(begun(verb, calm), PATIENCE)) != 0:
        raise RuntimeError(f"{verb.name} undisturbed: {status}: {said(calm)}")
    length, expected = time.monotonic() - clock, verb.made(calm)
    while out.kills < kills:
        folder = fresh(verb, place, f"round{out.rounds}")
        try:
            _round(verb, folder, kills, moments, length, out)
            if (made := verb.made(folder)) != expected:
                out.found(f"another result: {_difference(expected, made)}")
            if beside := verb.beside(folder):
                out.found(f"left behind: {beside[0]}")
        except Broken as problem:
            out.found(str(problem))
        out.rounds += 1
        if out.rounds > 3 * kills:
            raise RuntimeError(f"{verb.name} ends before it can be killed ({length:.2f} s)")
    out.seconds = time.monotonic() - start
    return out


class Broken(Exception):
    """A round that cannot be brought to its end."""


def _round(
    verb: Verb, folder: Path, kills: int, moments: Random, length: float, out: Killed
) -> None:
    """Kill and call again until the verb ends."""
    while out.kills < kills:
        process = begun(verb, folder)
        status = ended(process, moments.uniform(0.0, length))
        if status is None:
            kill(process)
            out.kills += 1
            if wrong := verb.wrong(folder):
                raise Broken(f"after a kill: {wrong}")
        elif status == 0:
            return
        else:
            raise Broken(f"called again, it ends with {status}: {said(folder)}")
    process = begun(verb, folder)
    status = ended(process, PATIENCE)
    if status is None:
        kill(process)
        raise Broken("called again, it does not end: a stale lock?")
    if status:
        raise Broken(f"called again, it ends with {status}: {said(folder)}")


def said(folder: Path) -> str:
    """Return the last line that the verb printed."""
    lines = (folder.parent / "said").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _difference(one: Any, other: Any) -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            if one.get(key) != other.get(key):
                return f"{key}: {str(one.get(key))[:60]} or {str(other.get(key))[:60]}"
    return f"{str(one)[:80]} or {str(other)[:80]}"


def campaign(names: list[str], kills: int, seed: int, say: Callable[[str], None]) -> list[Killed]:
    """Kill several verbs, and say what was found."""
    out = []
    for verb in (one for one in VERBS if not names or one.name in names):
        with tempfile.TemporaryDirectory() as place, verb.surroundings(Path(place)):
            out.append(killed(verb, kills, seed, Path(place)))
        say(json.dumps(told(out[-1]), ensure_ascii=False))
    return out


def told(done: Killed) -> dict[str, Any]:
    """Return the row of a verb in the results."""
    return {
        "name": done.name,
        "kills": done.kills,
        "rounds": done.rounds,
        "findings": done.findings,
        "seconds": round(done.seconds, 1),
    }


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verbs", nargs="*", help=f"of {', '.join(one.name for one in VERBS)}")
    parser.add_argument("--kills", type=int, default=20, help="of each verb")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="add it to results/reliability.json")
    asked = parser.parse_args()
    done = campaign(asked.verbs, asked.kills, asked.seed, lambda line: print(line, flush=True))
    for one in done if asked.keep else ():
        record.add("kills", told(one))
    sys.exit(any(one.findings for one in done))


if __name__ == "__main__":
    main()
