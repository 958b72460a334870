"""Give every reader damaged files: python scripts/robustness/fuzz.py --count 1000 --seed 0.

Each reader runs in a process of its own (see `watched`), which takes thousands of inputs. A file
must be read, or be refused in one clear line. All else is a finding. Where the process ends or
stalls, it belongs to the input under way, and another process goes on behind it. The counts go to
results/reliability.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from robustness import record
from robustness.readers import READERS

SCRIPTS = Path(__file__).parents[1]
STALLED = 90.0
"""Seconds after which a process that does not go on is killed."""
IN_MEMORY = next((place for place in ("/dev/shm",) if os.access(place, os.W_OK)), None)
"""Where the inputs are written: a disk takes longer to write one than a reader to read it."""
CRASHES = 20
"""Native crashes of a reader after which it is given up."""


@dataclass
class Outcome:
    """What became of the inputs of a reader.

    Parameters
    ----------
    name
        The reader.
    counts
        How many were read, refused, and found.
    findings
        What was found → the numbers of the inputs.
    seconds
        Processor seconds that it took.
    """

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    findings: dict[str, list[int]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def inputs(self) -> int:
        """How many inputs were tried."""
        return sum(self.counts.values())

    def add(self, what: str, index: int) -> None:
        """Count a finding."""
        self.findings.setdefault(what, []).append(index)


def fuzz(name: str, seed: int, first: int, last: int, seconds: float = math.inf) -> Outcome:
    """Try some inputs of a reader; go on behind those that end the process.

    Parameters
    ----------
    name
        The reader.
    seed, first, last
        Which inputs.
    seconds
        Processor seconds after which it ends.
    """
    done = Outcome(name)
    while first < last and len(done.findings) < CRASHES and done.seconds < seconds:
        known = done.inputs
        left = seconds - done.seconds
        _, ended, at = attempt([name], seed, first, last, {name: done}, left)
        if ended != 0:
            done.counts["unknown"] += at - first - (done.inputs - known)
            done.counts["found"] += 1
            done.add("stalled" if ended is None else f"native crash: signal {-ended}", at)
        first = at + 1
    return done


def attempt(
    names: Sequence[str],
    seed: int,
    first: int,
    last: int,
    into: dict[str, Outcome],
    seconds: float = math.inf,
) -> tuple[str, int | None, int]:
    """Run one process to its end.

    Parameters
    ----------
    names
        The readers.
    seed, first, last
        Which inputs of each.
    into
        What becomes of the inputs of each reader; filled.
    seconds
        Processor seconds after which the process begins no other input.

    Returns
    -------
    tuple
        The reader and the input that were last under way, and between them how the process ended;
        None where it stalled.
    """
    surroundings = os.environ | {"PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"}
    with (
        tempfile.TemporaryDirectory(dir=IN_MEMORY) as scratch,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        mark, begun = Path(scratch) / "mark", _processor_seconds()
        mark.write_text(f"{first:12d} {names[0]}")
        words = [*names, str(seed), str(first), str(last), str(seconds), str(mark)]
        process = subprocess.Popen(
            [sys.executable, "-m", "robustness.watched", *words],
            stdout=out, stderr=err, env=surroundings | {"TMPDIR": scratch}, cwd=scratch,
        )  # fmt: skip
        ended = _awaited(process, mark)
        out.seek(0)
        for line in out:
            if line.startswith('{"reader"'):
                told = json.loads(line)
                one = into[told["reader"]]
                one.counts.update(told.get("counts", {}))
                if "what" in told:
                    one.add(told["what"], told["index"])
        if ended is not None and ended > 0:
            err.seek(0)
            raise RuntimeError(f"{names}: the campaign itself failed: {err.read()[-2000:]}")
        at, _, name = mark.read_text().strip().partition(" ")
        if len(names) == 1:
            into[names[0]].seconds += _processor_seconds() - begun
        return name.strip(), ended, int(at)


def _processor_seconds() -> float:
    """What the processes that ended so far took together."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _awaited(process: subprocess.Popen[bytes], mark: Path) -> int | None:
    while True:
        at = mark.read_text()
        try:
            return process.wait(STALLED)
        except subprocess.TimeoutExpired:
            if mark.read_text() == at:
                process.kill()
                process.wait()
                return None


def told(done: Outcome) -> dict[str, Any]:
    """Return the row of a reader in the results."""
    return {
        "name": done.name,
        "inputs": done.inputs,
        "read": done.counts["read"],
        "refused": done.counts["refused"],
        "findings": {what: len(which) for what, which in done.findings.items()},
        "seconds": round(done.seconds, 1),
    }


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = ", ".join(one.name for one in READERS)
    parser.add_argument("readers", nargs="*", help=f"of {names}; all where none is named")
    parser.add_argument("--count", type=int, default=300, help="inputs a reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="processor seconds a reader, at most"
    )
    parser.add_argument("--keep", action="store_true", help="add it to results/reliability.json")
    asked = parser.parse_args()
    found = 0
    for one in READERS:
        if asked.readers and one.name not in asked.readers:
            continue
        last = asked.first + asked.count
        done = fuzz(one.name, asked.seed, asked.first, last, asked.seconds)
        found += len(done.findings)
        print(json.dumps(told(done)), flush=True)
        for what, which in done.findings.items():
            print(f"    {what}: input {which[0]}, {len(which)} in all", flush=True)
        if asked.keep:
            record.add("fuzz", told(done))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
