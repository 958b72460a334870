"""The verbs that are killed: how each begins, what it makes, and what it may leave behind."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import json
import os
import sqlite3
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import numpy as np

from robustness.corpus import CHARGES, METHANE, add, small

Folder = Callable[[Path], Any]
SMILES = ("C", "N", "O", "F", "CC", "CO", "CN", "C=C", "C#C", "C=O", "C#N", "CF", "NN", "OO", "NO")
ROWS = 60
"""Molecules of the batch that the server is given."""


def wrong(folder: Path) -> str:
    """Return the first file that is half written; "" where all are whole."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or ".part" in path.name:
            continue
        try:
            _opened(path)
        except Exception as problem:
            return f"{path.name} is damaged ({type(problem).__name__})"
    return ""


def _opened(path: Path) -> None:
    from safetensors import safe_open

    if path.suffix == ".json":
        json.loads(path.read_text(encoding="utf-8"))
    elif path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            file.metadata()
    elif path.suffix == ".h5":
        with h5py.File(path, "r", locking=False) as file:
            list(file)
    elif path.suffix == ".npz":
        with np.load(path) as file:
            [file[key] for key in file.files]
    elif path.suffix == ".sqlite":
        with contextlib.closing(sqlite3.connect(path)) as file:
            if file.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise ValueError("integrity_check")


def beside(folder: Path) -> list[str]:
    """Return what only a verb that was interrupted needs."""
    marks = (".part", ".partial", ".tmp", ".steps", ".lock")
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if any(mark in path.name for mark in marks)
    )


@dataclass(frozen=True)
class Verb:
    """One verb.

    Parameters
    ----------
    name
        What the report calls it.
    run
        Begins it, or goes on with it, in the working folder; returns its exit status.
    made
        What it made, to be compared with what an undisturbed run made.
    prepare
        Makes what it needs in its folder.
    beside
        What it left behind.
    wrong
        What is damaged after a kill; "" where nothing is.
    surroundings
        What must be there while it runs.
    """

    name: str
    run: Callable[[Path], int]
    made: Folder
    prepare: Callable[[Path], None] = lambda folder: None
    beside: Callable[[Path], list[str]] = beside
    wrong: Callable[[Path], str] = wrong
    surroundings: Callable[[Path], AbstractContextManager[Any]] = lambda place: nullcontext()


def onekcal(*words: str) -> int:
    """Run the command line here."""
    from onekcal.cli.main import main

    sys.argv = ["onekcal", *words]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


# --- data sets --------------------------------------------------------------------------------


def _archive(path: Path, frames: int = 400) -> None:
    """A trajectory of rMD17 with so many frames."""
    places = METHANE + np.random.default_rng(0).normal(0, 0.05, (frames, 5, 3))
    inside = io.BytesIO()
    np.savez(inside, nuclear_charges=CHARGES, coords=places, energies=-25400.0 + np.arange(frames),
             forces=0 * places)  # fmt: skip
    with tarfile.open(path, "w:bz2") as tar:
        add(tar, "rmd17/npz_data/rmd17_ethanol.npz", inside.getvalue())
        for k in range(1, 6):
            add(tar, f"rmd17/splits/index_train_0{k}.csv", b"0\n1\n")
            add(tar, f"rmd17/splits/index_test_0{k}.csv", b"2\n3\n")


class _Slow(http.server.BaseHTTPRequestHandler):
    """A server that sends one file in small pieces, and the rest of it when asked (Range)."""

    content = b""

    def do_GET(self) -> None:
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        rest = self.content[first:]
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        with contextlib.suppress(OSError):  # who asked was killed
            for k in range(0, len(rest), 2000):
                self.wfile.write(rest[k : k + 2000])
                self.wfile.flush()
                time.sleep(0.01)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def _download(place: Path) -> Iterator[None]:
    """Let the official address of rMD17 be a server here."""
    from onekcal.datasets import access
    from onekcal.datasets.source import Remote

    _archive(place / "rmd17.tar.bz2")
    handler = type("Handler", (_Slow,), {"content": (place / "rmd17.tar.bz2").read_bytes()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    remote = Remote("rmd17.tar.bz2", f"http://127.0.0.1:{server.server_address[1]}/a")
    here = replace(access.source("rmd17-ethanol"), official=(remote,))
    with (
        mock.patch.object(access, "source", return_value=here),
        mock.patch.dict(os.environ, {"NO_PROXY": "127.0.0.1", "ONEKCAL_MIRROR": ""}),
    ):
        yield
    server.shutdown()
    server.server_close()


def _digest(name: str) -> Folder:
    def made(folder: Path) -> object:
        from onekcal.datasets import store

        return store.read(folder / name).digest

    return made


def _get(folder: Path) -> int:
    return onekcal("data", "get", "rmd17-ethanol")


def _imported(folder: Path) -> int:
    there = ["--force"] if (folder / "home" / "mine.h5").is_file() else []
    return onekcal("data", "import", "many.extxyz", "--name", "mine", *there)


def _many(folder: Path) -> None:
    from onekcal.data.dataset import Dataset
    from onekcal.io import write

    data = small()
    rows = [0, 1] * 1000
    columns = {"energy": data.columns["energy"].__class__(data.energies[rows], level="g4mp2")}
    write(folder / "many.extxyz", Dataset(data.molecules[rows], columns, "energy"))


# --- computations -----------------------------------------------------------------------------


def _smiles(folder: Path) -> None:
    (folder / "molecules.smi").write_text("\n".join(SMILES) + "\n")


def _labels(folder: Path) -> object:
    from onekcal.datasets import store

    data = store.read(folder / "labels.h5").dataset
    energies = data.columns["gfn2"].values.numpy()
    names = [str(name) for name in data.molecules.names]
    # a self-consistent energy of another process differs in its last digits
    return {name: round(float(e), 6) for name, e in zip(names, energies)} | {"rows": len(names)}


def _label(folder: Path) -> int:
    return onekcal("label", "molecules.smi", "labels.h5", "--relax", "--workers", "1")


def _composite(folder: Path) -> int:
    from onekcal.labels.computed import Store
    from onekcal.labels.g4mp2 import g4mp2
    from onekcal.molecules import Molecules

    hydrogen = Molecules.one(["H", "H"], [[0, 0, 0], [0, 0, 0.743]])
    Store().once("key", lambda steps: g4mp2(hydrogen, kept=steps))
    return 0


def _record(folder: Path) -> object:
    kept = json.loads((folder / "home" / "computed" / "key.json").read_text())
    energies = {name: round(value, 6) for name, value in kept["terms"].items()}
    return energies | {"files": len(list((folder / "home").rglob("*.json")))}


def _field(folder: Path) -> int:
    words = ["--kind", "lol", "--grid", "8", "--out", "fields.h5", "--workers", "1"]
    return onekcal("field", "molecules.smi", *words)


def _fields(folder: Path) -> object:
    from onekcal.fields.voxel_file import open_file

    file = open_file(folder / "fields.h5", whole=True)
    return {"rows": len(file.keys), "sum": round(float(np.abs(file.fields).sum()), 3)}


EXPERIMENT = """name: net
data: {set: mini, target: b3lyp, train: 60, valid: 20, test: 20}
stages: [dressed_atoms, {hipnn: {features: 5}}]
fit: {recipe: fast, epochs: 20, checkpoint: 0}
"""


def _experiment(folder: Path) -> None:
    (folder / "net.yaml").write_text(EXPERIMENT)


def _train(folder: Path) -> int:
    if (folder / "runs" / "net").is_dir():  # it was killed when all was done
        return 0
    there = ["--resume"] if (folder / "runs" / "net.part").is_dir() else []
    return onekcal("train", "net.yaml", *there)


def _run(folder: Path) -> object:
    run = folder / "runs" / "net"
    return {
        name: hashlib.sha256((run / name).read_bytes()).hexdigest()
        for name in ("predictions.csv", "epochs.csv", "experiment.yaml")
        if (run / name).is_file()
    } | {"files": sorted(path.name for path in run.iterdir())}


SUITE = """name: own
title: Small
rows:
  - name: ridge
    experiment:
      data: {set: mini, target: b3lyp, train: 50, valid: 0, test: 20}
      stages: [dressed_atoms, {regression: {features: sorted_eigenvalues, size: 24, estimator: ridge}}]
  - name: atoms
    experiment: {data: {set: mini, target: b3lyp, train: 50, test: 20}, stages: [dressed_atoms]}
"""  # noqa: E501


def _suite(folder: Path) -> None:
    (folder / "own.yaml").write_text(SUITE)


def _queue(folder: Path) -> int:
    run = ("bench", "queue", "run", "--nice", "0")
    return onekcal("bench", "queue", "add", "own.yaml") or onekcal(*run)


def _rows(folder: Path) -> object:
    rows = json.loads((folder / "results" / "own.json").read_text())["rows"]
    return {row["name"]: row["ours"]["mae"] for row in rows} | {"rows": len(rows)}


def _trained(folder: Path) -> None:
    """A run whose model doubts the molecules it knows least."""
    from onekcal.runs.experiment import parse
    from onekcal.runs.run import run

    kernel = {"sparse_kernel": {"landmarks": 40, "dims": 10, "force_weight": 0.0}}
    data = {"set": "mini", "target": "b3lyp", "train": 60, "valid": 0, "test": 20}
    run(parse({"data": data, "stages": ["dressed_atoms", kernel]}), folder / "kernel")


def _select(folder: Path) -> int:
    if (folder / "chosen.h5").is_file():  # it was killed when all was done
        return 0
    return onekcal("select", "mini", "--k", "20", "--model", "kernel", "--out", "chosen.h5")


# --- the server -------------------------------------------------------------------------------


def _serve(folder: Path) -> int:
    """A server, and a client that hands it one batch and waits for the answers."""
    from support.serving import pretending

    text = "".join(f"{SMILES[k % len(SMILES)]} {k}\n" for k in range(ROWS))
    with pretending() as client:
        jobs = client.ask("/api/jobs")
        key = jobs[0]["id"] if jobs else client.upload("batch.smi", text)["id"]
        client.until(key, "done")
    return 0


def _answers(folder: Path) -> object:
    (path,) = (folder / "home" / "serve" / "jobs").glob("*/answers.jsonl")
    rows = [json.loads(line)["row"] for line in path.read_text().splitlines()]
    return {"rows": sorted(rows), "jobs": len(list(path.parents[1].glob("*/job.json")))}


VERBS = (
    Verb("get", _get, _digest("home/rmd17-ethanol.h5"), surroundings=_download),
    Verb("import", _imported, _digest("home/mine.h5"), _many),
    Verb("label", _label, _labels, _smiles),
    Verb("label with G4(MP2)", _composite, _record),
    Verb("field", _field, _fields, _smiles),
    Verb("train", _train, _run, _experiment),
    Verb("bench queue", _queue, _rows, _suite),
    Verb("select", _select, _digest("chosen.h5"), _trained),
    Verb("serve", _serve, _answers),
)
