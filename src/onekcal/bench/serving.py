"""Ask `onekcal serve` with fifty clients at once, and compare its throughput with the command's.

A server of two workers starts on this machine, in a home of its own. Three rounds: questions that
were answered before, one new question of all clients, and a batch. `onekcal predict` answers the
same batch in as many processes, right before and right after the server does. A machine that does
other things too gives both unequal shares of the clock, so their rates are compared by seconds of
the processor.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import ProxyHandler, Request, build_opener

from onekcal.bench.results import Measured, Results
from onekcal.bench.results_file import write
from onekcal.errors import OnekcalError
from onekcal.system.provenance import provenance

SUITE = "serve"
CLIENTS, QUESTIONS, MOLECULES = 50, 1000, 120
"""Clients at once, questions of the first round, molecules of the batch."""
WORKERS = 2
RATIO = "rate / the command's"
"""Molecules for a second of the processor, by the page over by the command."""
FAMILIAR = ("C", "CC", "CCO", "O", "CO", "CN", "C=O", "CC=O", "COC", "C1CC1")
NEW = "CC(C)CO"
OPENER = build_opener(ProxyHandler({}))
PATIENCE = 600.0
"""Seconds until a reply that does not come is lost."""
Watch = Callable[[Measured], None]


class Cost(NamedTuple):
    """What a batch took."""

    seconds: float
    processor: float
    """Seconds of the processor, by all its processes."""


class Reply(NamedTuple):
    """What one client got."""

    seconds: float
    lost: bool


def batch(count: int = MOLECULES) -> list[str]:
    """List SMILES of up to 6 heavy atoms, small and large ones mixed.

    Parameters
    ----------
    count
        How many.
    """
    ends = ["", "O", "N", "OC", "C#N", "C=O"]
    return [f"{'C' * (k % 4 + 1)}{ends[k % 6]}" for k in range(count)]


def run(
    results: Path,
    watch: Watch = lambda row: None,
    questions: int = QUESTIONS,
    molecules: int = MOLECULES,
) -> Results:
    """Run the three rounds and write `results`/serve.json.

    Parameters
    ----------
    results
        The folder of results.
    watch
        Called with each row when it is measured.
    questions, molecules
        Of the first round and of the batch.

    Returns
    -------
    dict
        A row for each round. Times are seconds, rates are replies or molecules a second.
    """
    rows: list[Measured] = []
    shared = {key: provenance()[key] for key in ("commit", "hardware", "packages", "time")}

    def add(name: str, columns: dict[str, Any]) -> None:
        rows.append({"name": name, "columns": columns, **shared})  # type: ignore[typeddict-item]
        watch(rows[-1])

    with tempfile.TemporaryDirectory() as home:
        free = {key: value for key, value in os.environ.items() if "NUM_THREADS" not in key}
        environment = free | {"ONEKCAL_HOME": home}
        lines = batch(molecules)
        before = commanded(Path(home), lines, environment)
        with served(environment) as (address, server):
            for smiles in FAMILIAR:
                ask(f"{address}api/predict?smiles={smiles}")
            known = [FAMILIAR[k % len(FAMILIAR)] for k in range(questions)]
            add(f"{questions:,} questions answered before", _round(address, known))
            add("one new question of all clients", _round(address, [NEW] * CLIENTS))
            page = batched(address, lines, server)
        after = commanded(Path(home), lines, environment)
        ours = (before.processor + after.processor) / 2
        by_processor = ours / page.processor if page.processor else None
        columns = _columns(molecules, 0, None, None, molecules / page.seconds)
        columns[RATIO] = round(by_processor, 2) if by_processor else None
        add(f"a batch of {molecules:,} molecules", columns)
    content: Results = {
        "suite": SUITE,
        "title": f"onekcal serve: {CLIENTS} clients at once, one process with {WORKERS} workers",
        "cite": "",
        "unit": "s",
        "rows": rows,
    }
    write(results / f"{SUITE}.json", content)
    return content


def _columns(
    replies: int,
    lost: int,
    median: float | None,
    p95: float | None,
    rate: float,
) -> dict[str, float | str | None]:
    shown = {"median (s)": median, "p95 (s)": p95}
    return {
        "replies": replies,
        "lost": lost,
        **{head: None if value is None else round(value, 3) for head, value in shown.items()},
        "a second": round(rate, 1),
        RATIO: None,
    }


def ask(address: str, body: bytes | None = None) -> dict[str, Any]:
    """Return the JSON of a reply.

    Parameters
    ----------
    address
        What is asked.
    body
        A file; None: nothing is sent.
    """
    request = Request(address, body, {"Content-Type": "application/octet-stream"})
    with OPENER.open(request, timeout=PATIENCE) as reply:
        return json.load(reply)


def _round(address: str, asked: Sequence[str]) -> dict[str, float | str | None]:
    """Ask by as many clients as there are, and summarise the replies."""

    def one(smiles: str) -> Reply:
        begun = time.perf_counter()
        try:
            lost = ask(f"{address}api/predict?smiles={smiles}")["formation_298"] is None
        except OSError:
            lost = True
        return Reply(time.perf_counter() - begun, lost)

    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as many:
        replies = list(many.map(one, asked))
    rate = len(replies) / (time.perf_counter() - begun)
    ordered = sorted(reply.seconds for reply in replies)
    median, p95 = ordered[len(ordered) // 2], ordered[int(0.95 * len(ordered))]
    return _columns(len(replies), sum(reply.lost for reply in replies), median, p95, rate)


@contextmanager
def served(environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Run a server for a while.

    Parameters
    ----------
    environment
        Of its process.

    Yields
    ------
    tuple
        Its address, and the id of its process.
    """
    words = [sys.executable, "-m", "onekcal", "serve", "--port", "0", "--workers", str(WORKERS)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    assert server.stdout is not None
    try:
        found = re.search(r"http://\S+", server.stdout.readline())
        if found is None:
            raise OnekcalError("onekcal serve did not start; try it by itself to see why")
        while not ask(f"{found[0]}api/about")["ready"]:
            time.sleep(0.2)
        yield found[0], server.pid
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def batched(address: str, lines: Sequence[str], server: int) -> Cost:
    """Answer a batch on the page.

    Parameters
    ----------
    address
        Of the server.
    lines
        SMILES.
    server
        The id of its process.
    """
    begun, before = time.perf_counter(), _processor(server)
    job = ask(f"{address}api/batch?file=load.smi", "\n".join(lines).encode())
    while (job := ask(f"{address}api/jobs/{job['id']}"))["state"] in ("waiting", "running"):
        time.sleep(0.1)
    if (job["state"], job["done"], job["failed"]) != ("done", len(lines), 0):
        raise OnekcalError(f"the batch ended as {job}")
    return Cost(time.perf_counter() - begun, _processor(server) - before)


def _processor(process: int) -> float:
    """Seconds of the processor that a process and its children have taken (Linux; else 0)."""
    base = Path("/proc") / str(process)
    try:
        own = base.joinpath("stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
        children = base.joinpath("task", str(process), "children").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    ticks = sum(map(int, own[11:15]))  # user and system, of its own and of ended children
    return ticks / os.sysconf("SC_CLK_TCK") + sum(_processor(int(one)) for one in children.split())


def commanded(folder: Path, lines: Sequence[str], environment: dict[str, str]) -> Cost:
    """Answer a batch by `onekcal predict` with as many processes.

    Parameters
    ----------
    folder
        For the file of SMILES.
    lines
        SMILES.
    environment
        Of its process.
    """
    (folder / "load.smi").write_text("\n".join(lines), encoding="utf-8")
    words = [sys.executable, "-m", "onekcal", "predict", str(folder / "load.smi"), "--csv"]
    begun = time.perf_counter()
    before = os.times()
    told = subprocess.run(
        [*words, "--workers", str(WORKERS)], env=environment, capture_output=True, text=True
    )
    after = os.times()
    if told.returncode:
        raise OnekcalError(f"onekcal predict ended with {told.stderr.strip()[-200:]}")
    processor = sum(after[2:4]) - sum(before[2:4])  # of children that have ended
    return Cost(time.perf_counter() - begun, processor)
