"""Every reader of onekcal, with the files that it begins from and how they are damaged."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from robustness.corpus import newest
from robustness.hdf5 import in_hdf5
from robustness.mutate import (
    Damage,
    changed_json,
    damaged,
    in_bzip2,
    in_gzip,
    in_header,
    in_tar,
    in_zip,
)
from robustness.web import send

Read = Callable[[Path], object]


@dataclass(frozen=True)
class Reader:
    """One reader.

    Parameters
    ----------
    name
        What the report calls it.
    file
        The name under which it finds its file.
    starts
        Names of files that it begins from.
    read
        Reads the file.
    ways
        How a file is damaged; each is as likely.
    beside
        Other files that must lie in the same folder.
    evil
        Whole files that try to run something or to leave the folder.
    """

    name: str
    file: str
    starts: tuple[str, ...]
    read: Read
    ways: tuple[Damage, ...] = (damaged,)
    beside: tuple[str, ...] = ()
    evil: tuple[bytes, ...] = field(default=(), repr=False)


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("true",)


def _pickled(**arrays: np.ndarray) -> bytes:
    """An npz file with one array that runs a command when it is unpickled."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, values in arrays.items():
            part = io.BytesIO()
            np.save(part, values, allow_pickle=True)
            archive.writestr(f"{name}.npy", part.getvalue())
    return out.getvalue()


def _bomb(**shapes: tuple[int, ...]) -> bytes:
    """An npz file whose arrays say that they are huge."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, shape in shapes.items():
            head = {"descr": "<f8", "fortran_order": False, "shape": shape}
            part = io.BytesIO()
            np.lib.format.write_array_header_1_0(part, head)
            archive.writestr(f"{name}.npy", part.getvalue() + bytes(800))
    return out.getvalue()


OBJECT = np.array([Evil()], dtype=object)
NPZ = (
    _pickled(Z=OBJECT, R=np.zeros((1, 1, 3))),
    _pickled(numbers=OBJECT, positions=OBJECT, offsets=OBJECT, train=OBJECT, test=OBJECT),
    _bomb(Z=(10**6, 10**6), R=(10**6, 10**6, 3), E=(10**12,), F=(10**12,), z=(10**12,)),
    _bomb(numbers=(10**12,), positions=(10**12, 3), offsets=(2,), train=(10**12,), test=(2,)),
    pickle.dumps(Evil()),
)
YAML = (
    b"!!python/object/apply:os.system ['true']\n",
    b"data: !!python/object/apply:subprocess.check_output [['true']]\nstages: [dressed_atoms]\n",
    b"data: {set: mini, target: gfn2}\nstages:\n  - !!python/name:os.system {}\n",
    b"a: &a [x, x, x, x, x, x, x, x, x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + k, 98 + k, b", ".join([b"*%c" % (97 + k)] * 9))
               for k in range(9)),
    b"[" * 5000 + b"]" * 5000,
)  # fmt: skip


STRANGE = b"data: {set: mini, target: gfn2}\nstages: [{'evil_stage:Evil': {}}]\n"
"""A run folder from elsewhere that asks for code. An experiment that a user runs may ask for it."""


def _header(**changes: object) -> bytes:
    """The model of the corpus with changes to its header."""
    content = (newest() / "model.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    own = json.loads(header["__metadata__"]["onekcal"]) | changes
    header["__metadata__"]["onekcal"] = json.dumps(own)
    new = json.dumps(header).encode()
    return len(new).to_bytes(8, "little") + new + content[8 + length :]


def _molecules(path: Path) -> object:
    from onekcal.io.reading import read_all

    _, problems = read_all(path)
    return _in_one_line(map(str, problems))


def _text(path: Path) -> object:
    """As the text of a file is read, as a word of a command, and as standard input."""
    from onekcal.errors import OnekcalError
    from onekcal.io.reading import read_all
    from onekcal.prediction.questions import questions

    text = path.read_bytes().decode("utf-8", errors="replace")
    _in_one_line(question.problem for question in questions([text]))
    with suppress(OnekcalError):
        read_all(text + "\n")
    sys.stdin = io.TextIOWrapper(
        io.BufferedReader(io.BytesIO(path.read_bytes())), "utf-8", "replace"
    )
    return _in_one_line(question.problem for question in questions(["-"]))


def _upload(path: Path) -> object:
    """As a file that the web page was given."""
    from onekcal.serve.reader import rows

    return list(rows(str(path)))


def _in_one_line(problems: Iterable[str]) -> None:
    """Refuse what a reader says of a molecule, where it is no line."""
    for problem in problems:
        if len(problem.splitlines()) > 1 or len(problem) > 2000:
            raise ValueError(f"a problem is no short line: {problem[:100]!r} … {problem[-200:]!r}")


def _store(path: Path) -> object:
    from onekcal.datasets import store

    store.read(path)
    return store.card(path)


def _fields(path: Path) -> object:
    from onekcal.fields.voxel_file import open_file
    from onekcal.show.stored_fields import portraits_in

    opened = open_file(path)
    opened.sound(0, 0)
    return portraits_in(path, 0)


def _cube(path: Path) -> object:
    from onekcal.show.stored_fields import read_cube

    return read_cube(path)


def _wavefunction(path: Path) -> object:
    from onekcal.quantum.orbitals.files import read_wavefunction

    return read_wavefunction(path)


def _experiment(path: Path) -> object:
    from onekcal.runs.experiment import read

    return read(path)


def _suite(path: Path) -> object:
    from onekcal.bench.suite import chosen

    return [row.experiments() for suite in chosen(str(path)) for row in suite.rows]


def _artefact(path: Path) -> object:
    from onekcal.models.artefact import Artefact

    return Artefact.load(path)


def _checkpoint(path: Path) -> object:
    from onekcal.networks.training.checkpoint import load

    return load(path, {"epochs": 3})


def _run(path: Path) -> object:
    """The folder of a run: what `rerun`, `show` and the list of runs read of it."""
    from onekcal.runs.folder import compare, load

    load(path.parent)
    return compare(path.parent, path.parent)


def _split(path: Path) -> object:
    from onekcal.runs.split_file import labels_of_file

    return labels_of_file(path, 10)


def _computed(path: Path) -> object:
    from onekcal.labels.computed import Store

    return list(Store(path.parent))  # without the species that ship


def _job(path: Path) -> object:
    from onekcal.system.queue import jobs

    found = jobs(path.parents[2])
    return [(job.result, job.failure, job.code, job.progress, job.attempts) for job in found]


def _reactions(path: Path) -> object:
    from onekcal.prediction.equation import parse_equation, reaction_lines

    return [parse_equation(line) for line in reaction_lines(path)]


def _official(name: str) -> Read:
    """Read a folder as that of a data set's authors."""

    def read(path: Path) -> object:
        from onekcal.datasets.catalogue import source
        from onekcal.datasets.source import read_files

        reader = source(name).read_official
        assert reader is not None
        return read_files(reader, path.parent, name)

    return read


def _trajectory(path: Path) -> object:
    from onekcal.datasets.card import Card
    from onekcal.datasets.sets.md17 import read_trajectory
    from onekcal.datasets.source import read_files

    return read_files(lambda _: read_trajectory(path, Card("md17")), path.parent, "md17")


TEXTS = ("molecules.xyz", "molecules.sdf", "molecules.smi", "table.csv")
READERS = (
    Reader("xyz", "a.xyz", ("molecules.xyz",), _molecules),
    Reader("extxyz", "a.extxyz", ("labels.extxyz",), _molecules),
    Reader("sdf", "a.sdf", ("molecules.sdf",), _molecules),
    Reader("smi", "a.smi", ("molecules.smi",), _molecules),
    Reader("csv", "a.csv", ("table.csv",), _molecules),
    Reader("text", "a.txt", TEXTS, _text),
    Reader("upload of a table", "a.csv", ("table.csv",), _upload),
    Reader("upload of blocks", "a.sdf", ("molecules.sdf",), _upload),
    Reader("npz", "a.npz", ("own.npz", "theirs.npz"), _molecules, (damaged, in_zip), evil=NPZ),
    Reader("h5 of data", "a.h5", ("store.h5",), _store, (damaged, in_hdf5)),
    Reader("h5 of fields", "a.h5", ("fields.h5",), _fields, (damaged, in_hdf5)),
    Reader("cube", "a.cube", ("field.cube",), _cube),
    Reader("fchk", "a.fchk", ("lih.fchk",), _wavefunction),
    Reader("molden", "a.molden", ("h2.molden",), _wavefunction),
    Reader("wfx", "a.wfx", ("hydroxyl.wfx",), _wavefunction),
    Reader("experiment", "a.yaml", ("experiment.yaml",), _experiment, evil=YAML),
    Reader("suite", "a.yaml", ("suite.yaml",), _suite, evil=YAML),
    Reader(
        "model", "model.safetensors", ("model.safetensors",), _artefact, (damaged, in_header),
        evil=(_header(stages=[["evil_stage:Evil", {}]]), _header(stages=[["os:system", {}]]),
              pickle.dumps(Evil())),
    ),
    Reader(
        "checkpoint", "a.safetensors", ("checkpoint.safetensors",), _checkpoint,
        (damaged, in_header),
    ),
    Reader(
        "run: experiment", "experiment.yaml", ("experiment.yaml",), _run,
        beside=("metrics.json", "predictions.csv"), evil=(*YAML, STRANGE),
    ),
    Reader(
        "run: metrics", "metrics.json", ("metrics.json",), _run, (damaged, changed_json),
        beside=("experiment.yaml", "predictions.csv"),
    ),
    Reader(
        "run: predictions", "predictions.csv", ("predictions.csv",), _run,
        beside=("experiment.yaml", "metrics.json"),
    ),
    Reader("split", "split.npz", ("split.npz",), _split, (damaged, in_zip), evil=NPZ),
    Reader("computed", "a.json", ("computed.json",), _computed, (damaged, changed_json)),
    Reader("job", "jobs/a/job.json", ("job.json",), _job, (damaged, changed_json)),
    *(
        Reader(f"API: {name}", f"{name}.json", (f"{name}.json",), send, (damaged, changed_json))
        for name in ("predict", "react", "bonds", "jobs")
    ),
    Reader("reactions", "a.txt", ("reactions.txt",), _reactions),
    Reader(
        "tar of QM9", "dsgdb9nsd.xyz.tar.bz2", ("dsgdb9nsd.xyz.tar.bz2",), _official("qm9"),
        (damaged, in_bzip2, in_tar), beside=("uncharacterized.txt",),
    ),
    Reader(
        "tar of rMD17", "rmd17.tar.bz2", ("rmd17.tar.bz2",), _official("rmd17-ethanol"),
        (damaged, in_bzip2, in_tar, in_tar),
    ),
    Reader(
        "tar of ISO17", "iso17.tar.gz", ("iso17.tar.gz",), _official("iso17"),
        (damaged, in_gzip, in_tar, in_tar),
    ),
    Reader("npz of MD17", "a.npz", ("md17.npz",), _trajectory, (damaged, in_zip), evil=NPZ),
    Reader("mat of QM7", "qm7.mat", ("qm7.mat",), _official("qm7")),
    Reader(
        "json.gz of QM9-G4MP2", "g4mp2_data.json.gz", ("g4mp2_data.json.gz",),
        _official("qm9-g4mp2"), (damaged, in_gzip, in_gzip),
    ),
)  # fmt: skip


def reader(name: str) -> Reader:
    """Return the reader of this name."""
    return next(one for one in READERS if one.name == name)


def place(one: Reader, folder: Path, edition: Path | None = None) -> Path:
    """Put what lies beside a reader's file into a folder, and return where the file goes."""
    path = folder / one.file
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in one.beside:
        shutil.copy((edition or newest()) / name, folder / name)
    return path
