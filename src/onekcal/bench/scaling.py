"""How predict, label, field and train gain from a second process, and how much memory a list takes.

Each job runs as a user starts it, in processes of its own, with one process and with two. Times are
those of the clock, with everything that starting costs; of training, the time of the epochs. The
memory is the largest that `onekcal predict` ever held. A million molecules are estimated from the
seconds of the processor.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice, product
from pathlib import Path
from typing import Any, NamedTuple

from onekcal.bench.results import Measured, Results
from onekcal.bench.results_file import write
from onekcal.errors import OnekcalError
from onekcal.system.processes import ONE_THREAD
from onekcal.system.provenance import provenance

SUITE = "scaling"
SIZES = (200, 1000)
"""SMILES of the lists whose memory is measured."""
ASKED, LABELLED, SAMPLED = 240, 600, 240
"""Molecules of the jobs."""
EPOCHS = 12
MILLION = 1_000_000
EXPERIMENT = """name: scaling
data: {{set: mini, target: b3lyp, split: random, seed: 0}}
stages: [dressed_atoms, {{schnet: {{features: 64, interactions: 3}}}}]
fit: {{epochs: {epochs}, batch: 128, stop: {epochs}}}
"""
Watch = Callable[[Measured], None]


class Ended(NamedTuple):
    """A process that has ended."""

    seconds: float
    processor: float
    """Seconds of the processor, of its own processes, too."""
    peak_mib: int


def smiles(count: int) -> list[str]:
    """List different SMILES of up to nine heavy atoms.

    Parameters
    ----------
    count
        How many; at most 1,152.
    """
    heads = ["", "O", "N", "C=C", "C#C", "OC", "NC", "CC"]
    ends = ["", "O", "N", "C=C", "C#N", "C=O", "OC", "CC", "NC"]
    sides = ["C", "CC", "O", "N", "C=O", "C#C", "OC", "C#N"]
    chains = ["C", "CC"]
    made = (
        f"{head}C({side}){chain}{tail}"
        for chain, head, side, tail in product(chains, heads, sides, ends)
    )
    return list(islice(dict.fromkeys(made), count))


def run(
    results: Path,
    watch: Watch = lambda row: None,
    share: float = 1.0,
    sizes: Sequence[int] = SIZES,
) -> Results:
    """Measure every job and write `results`/scaling.json.

    Parameters
    ----------
    results
        The folder of results.
    watch
        Called with each row when it is measured.
    share
        The share of the molecules that the jobs have.
    sizes
        SMILES of the lists whose memory is measured.

    Returns
    -------
    dict
        Rows with seconds for one and for two processes, then rows with MiB for lists of SMILES.
    """
    rows: list[Measured] = []
    shared = {key: provenance()[key] for key in ("commit", "hardware", "packages", "time")}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, columns in chain(_jobs(folder, share), _memory(folder, sizes)):
            rows.append({"name": name, "columns": columns, **shared})  # type: ignore[typeddict-item]
            watch(rows[-1])
    content: Results = {
        "suite": SUITE,
        "title": "one process and two, and the memory of lists",
        "cite": "",
        "unit": "s",
        "rows": rows,
    }
    write(results / f"{SUITE}.json", content)
    return content


def _jobs(folder: Path, share: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each job with one process and with two."""
    asked = _list(folder / "asked.smi", round(ASKED * share))
    made = _list(folder / "made.smi", round(LABELLED * share))
    shown = _list(folder / "shown.smi", round(SAMPLED * share))
    jobs: dict[str, Callable[[int], Ended]] = {
        f"predict, {asked:,} SMILES": lambda n: _onekcal(
            folder, "predict", "asked.smi", "--csv", "--workers", str(n)
        ),
        f"label, {made:,} SMILES, relaxed with GFN2-xTB": lambda n: _onekcal(
            folder, "label", "made.smi", f"labels{n}.h5", "--relax", "--workers", str(n)
        ),
        f"field, {shown:,} SMILES, LOL on 20³ voxels": lambda n: _onekcal(
            folder,
            *("field", "shown.smi", "--kind", "lol", "--grid", "20", "--fit"),
            *("--out", f"fields{n}.h5", "--workers", str(n)),
        ),
        f"train, SchNet, {EPOCHS} epochs of 834 molecules": lambda n: _trained(folder, n),
    }
    for name, job in jobs.items():
        one, two = job(1), job(2)
        columns = {
            "1 process (s)": round(one.seconds, 1),
            "2 processes (s)": round(two.seconds, 1),
            "times as fast": round(one.seconds / two.seconds, 2),
            "processor, 1 (s)": round(one.processor, 1),
            "processor, 2 (s)": round(two.processor, 1),
        }
        yield f"job: {name}", columns
        if name.startswith("predict"):
            hours = one.processor / asked * MILLION / 3600
            told = {"core-hours": round(hours), "hours on 100 cores": round(hours / 100, 1)}
            yield f"a million SMILES, at {1000 * one.processor / asked:.0f} ms each", told


def _memory(folder: Path, sizes: Sequence[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The memory of lists of several lengths, answer by answer."""
    for size in sizes:
        count = _list(folder / "list.smi", size)
        words = ("predict", "list.smi", "--csv", "--rung", "learned", "--conformers", "1")
        ended = _onekcal(folder, *words)
        yield f"memory: predict, {count:,} SMILES", {"peak MiB": ended.peak_mib}


def _list(path: Path, count: int) -> int:
    lines = smiles(count)
    path.write_text("\n".join(lines), encoding="utf-8")
    return len(lines)


def _onekcal(folder: Path, *words: str) -> Ended:
    return _ended(folder, [sys.executable, "-m", "onekcal", *words])


def _ended(folder: Path, words: Sequence[str]) -> Ended:
    """Run a process to its end; its time and the most memory that it held."""
    environment = os.environ | ONE_THREAD | {"ONEKCAL_HOME": str(folder / "home")}
    begun = time.perf_counter()
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = (folder / "err").read_text(encoding="utf-8", errors="replace").strip()
        raise OnekcalError(f"{' '.join(words[2:5])} ended with {said[-300:]}")
    seconds = time.perf_counter() - begun
    return Ended(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024)


def _trained(folder: Path, processes: int) -> Ended:
    """A training; its seconds are those of the epochs."""
    name = f"scaling{processes}"
    text = EXPERIMENT.format(epochs=EPOCHS).replace("name: scaling", f"name: {name}")
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    ended = _ended(
        folder,
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", str(processes), "-m", "onekcal", "train", f"{name}.yaml"),
        ],
    )
    metrics = json.loads((folder / "runs" / name / "metrics.json").read_text(encoding="utf-8"))
    return ended._replace(seconds=float(metrics["training_seconds"]))
