"""Ask `onekcal serve` with fifty clients at once, and compare its throughput with the command's.

    python scripts/serve_load.py

It starts a server of two workers on this machine, in a home of its own. Three rounds: questions
that were answered before, the same new question of all, and a batch. The batch is also given to
`onekcal predict`, one process a core, for comparison. It prints the times and leaves nothing
behind.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

CLIENTS, QUESTIONS = 50, 1000
FAMILIAR = ("C", "CC", "CCO", "O", "CO", "CN", "C=O", "CC=O", "COC", "C1CC1")
OPENER = build_opener(ProxyHandler({}))
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def batch() -> list[str]:
    """240 molecules of up to 6 heavy atoms, in an order that mixes small and large."""
    ends = ["", "O", "N", "F", "C#N", "C=O"]
    return [f"{'C' * (k % 4 + 1)}{ends[k % 6]}" for k in range(240)]


def ask(address: str, body: bytes | None = None) -> tuple[float, dict]:
    """Seconds until the reply, and the reply."""
    begun = time.perf_counter()
    request = Request(address, body, {"Content-Type": "application/octet-stream"})
    with OPENER.open(request, timeout=600) as reply:
        content = json.load(reply)
    return time.perf_counter() - begun, content


def told(name: str, seconds: list[float], whole: float) -> None:
    """Print the times of one round."""
    ordered = sorted(seconds)
    median, p95 = ordered[len(ordered) // 2], ordered[int(0.95 * len(ordered))]
    rate = len(ordered) / whole
    print(f"{name:26s} {len(ordered):5d} replies, median {median:.3f} s, p95 {p95:.3f} s, "
          f"{rate:.0f} a second")  # fmt: skip


def rounds(address: str) -> None:
    """Questions that were answered before, and one new question of all clients."""
    for smiles in FAMILIAR:
        ask(f"{address}api/predict?smiles={smiles}")
    for name, asked in (
        ("answered before", [FAMILIAR[k % len(FAMILIAR)] for k in range(QUESTIONS)]),
        ("one new question of all", ["CC(C)CO"] * CLIENTS),
    ):
        begun = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as many:
            found = list(many.map(lambda one: ask(f"{address}api/predict?smiles={one}"), asked))
        lost = sum(content["formation_298"] is None for _, content in found)
        assert not lost, f"{lost} replies without an energy"
        told(name, [seconds for seconds, _ in found], time.perf_counter() - begun)


def served(address: str, text: str) -> float:
    """Molecules a second of a batch."""
    begun = time.perf_counter()
    _, job = ask(f"{address}api/batch?file=load.smi", text.encode())
    while (job := ask(f"{address}api/jobs/{job['id']}")[1])["state"] in ("waiting", "running"):
        time.sleep(0.1)
    assert (job["state"], job["done"]) == ("done", job["total"]), job
    return job["total"] / (time.perf_counter() - begun)


def commanded(folder: Path, lines: list[str]) -> float:
    """Molecules a second of `onekcal predict`, one process a core."""
    cores = min(2, os.cpu_count() or 1)
    parts = [folder / f"part{k}.smi" for k in range(cores)]
    for k, part in enumerate(parts):
        part.write_text("\n".join(lines[k::cores]))
    begun = time.perf_counter()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "onekcal", "predict", str(part), "--csv"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
        )
        for part in parts
    ]
    for one in running:
        one.wait()
    return len(lines) / (time.perf_counter() - begun)


def main() -> None:
    """Run the three rounds."""
    with tempfile.TemporaryDirectory() as home:
        ENVIRONMENT["ONEKCAL_HOME"] = home
        words = [sys.executable, "-m", "onekcal", "serve", "--port", "0", "--workers", "2"]
        server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found
        try:
            while not ask(f"{found[0]}api/about")[1]["ready"]:
                time.sleep(0.2)
            rounds(found[0])
            lines = batch()
            rate = served(found[0], "\n".join(lines))
        finally:
            server.terminate()
            server.wait()
        command = commanded(Path(home), lines)
        print(f"batch: {rate:.1f} molecules a second; the command: {command:.1f}")
        print(f"ratio {rate / command:.2f}")


if __name__ == "__main__":
    main()
