"""`label`: one method over many molecules – resumable, in many processes or on a cluster.

Every finished molecule is one line of OUT.partial, keyed by a hash of its nuclei, the method and
what was asked; run again after a kill, what is there is not computed again. At the end the columns
are written to OUT whole and the partial file goes. Failed molecules are left out of OUT and listed,
one line each, in OUT.failed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onekcal.data.dataset import Dataset
from onekcal.datasets.card import Stored
from onekcal.errors import DataError, DiskFull, InputError, unknown
from onekcal.labels.compute import LABELS_FORMAT, LabelRequest, compute, key_of, package
from onekcal.labels.replacing import refuse_loss
from onekcal.labels.result import labelled
from onekcal.molecules import Molecules
from onekcal.quantum.method import LabelError, Method
from onekcal.quantum.named import method
from onekcal.system.files import disk_is_full, write_text
from onekcal.system.locks import alone
from onekcal.system.parallel import in_parallel


@dataclass(frozen=True)
class Failed:
    """A molecule without a label, and why."""

    row: int
    name: str
    reason: str


@dataclass(frozen=True)
class Labelling:
    """What `label` did."""

    out: Path
    done: int  # molecules with a label in `out`
    computed: int  # of those, computed now; the rest were there from before
    failed: list[Failed] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Molecules a second of those computed now."""
        return (self.computed + len(self.failed)) / self.seconds if self.seconds > 0 else 0.0


def label(
    source: Dataset | Molecules | Path | str,
    out: Path | str,
    how: Method | str = "gfn2",
    relax: bool = False,
    forces: bool = False,
    frequencies: bool = False,
    scheduler: str | None = None,
    workers: int | None = None,
    quiet: bool = False,
    keep: Sequence[str] = (),
    sample: int | None = None,
    seed: int = 0,
    small: int = 0,
    charges: bool = False,
    overwrite: bool = False,
) -> Labelling:
    """Label every molecule of a data set with a quantum method.

    The result holds the energy relative to free atoms (kcal/mol, electronic) under the method's
    name. On request it holds `<method>_forces` (kcal/mol/Å), `<method>_charges` (Mulliken's, e),
    `<method>_zpe` and `<method>_heat` (H(298 K) − H(0), kcal/mol). Splits are kept.

    Parameters
    ----------
    source
        A data set, molecules, a file, or the name of a data set.
    out
        The file that is written (.h5, onekcal's store).
    how
        The quantum method or its name.
    relax
        Relax each geometry first; `out` then holds the relaxed ones.
    forces, frequencies, charges
        Compute these too.
    scheduler
        Address of a Dask scheduler; None: local processes.
    workers
        Local processes of one thread each; None: as many as there are processors.
    quiet
        Show no progress.
    keep
        With `relax`: columns that stay valid wherever the atoms are put. The others are dropped.
    sample
        Label only this many molecules, drawn by `seed`. A larger sample begins with a smaller one.
    seed
        Seed of the draw.
    small
        With `sample`: label every molecule of up to so many heavy atoms too. They are few, and
        their environments occur in no other molecule.
    overwrite
        Replace `out` even if it holds other labels or other molecules.

    Returns
    -------
    Labelling
        What was done, and which molecules failed.

    Raises
    ------
    InputError
        `out` does not end in .h5, it holds something that would be lost, or a setting has no
        meaning.
    LabelError
        No molecule could be labelled.
    """
    out = Path(out)
    if out.suffix != ".h5":
        raise InputError(
            "labels are written to an HDF5 file of the store: OUT must end in .h5, got "
            f"{str(out)!r}"
        )
    stored = _sampled(_stored(source), sample, seed, small)
    data = stored.dataset
    for name in keep:
        if name not in data.columns:
            unknown("column to keep", name, data.columns, DataError)
    request = LabelRequest(
        method(how) if isinstance(how, str) else how, relax, forces, frequencies, charges
    )
    request.method.program.version()  # a missing package is no fault of the molecules
    start = time.monotonic()
    out.parent.mkdir(parents=True, exist_ok=True)
    waiting = f"waiting for another process that labels {out.name}"
    with alone(out, lambda: None if quiet else print(f"onekcal: {waiting}", file=sys.stderr)):
        if not overwrite:
            refuse_loss(out, stored, request, keep)
        return _labelled(stored, request, out, keep, start, (scheduler, workers, quiet))


def _labelled(
    stored: Stored,
    request: LabelRequest,
    out: Path,
    keep: Sequence[str],
    start: float,
    how: tuple[str | None, int | None, bool],
) -> Labelling:
    """Compute what is missing and write the file; no other process works on it."""
    data = stored.dataset
    partial = out.with_name(out.name + ".partial")
    records, computed = _finish(data.molecules, request, partial, *how)
    failed = [
        Failed(m, _name(data.molecules, m), r["error"])
        for m, r in enumerate(records)
        if "error" in r
    ]
    _report(out.with_name(out.name + ".failed"), failed)
    good = [m for m, record in enumerate(records) if "error" not in record]
    if not good:
        raise LabelError(
            f"none of {len(records)} molecules could be labelled; first: {failed[0].name}: "
            f"{failed[0].reason}"
        )
    labelled(stored, request, records, good, out, keep)
    partial.unlink(missing_ok=True)
    fresh = max(computed - len(failed), 0)
    return Labelling(out, len(good), fresh, failed, time.monotonic() - start)


def _stored(source: Dataset | Molecules | Path | str) -> Stored:
    if isinstance(source, (Dataset, Molecules)):
        return Stored(source if isinstance(source, Dataset) else Dataset(source))
    from onekcal.datasets import load

    return load(str(source))


def _sampled(stored: Stored, sample: int | None, seed: int, small: int) -> Stored:
    count = len(stored.dataset)
    if sample is None:
        return stored
    if not 0 < sample <= count:
        raise InputError(
            f"`sample` must lie between 1 and the {count} molecules there are, got {sample}"
        )
    molecules = stored.dataset.molecules
    heavy = molecules.sum_atoms((molecules.numbers > 1).to(torch.int64)).numpy()
    drawn = np.random.default_rng(seed).permutation(count)
    rest = drawn[sample:] if small else drawn[:0]  # H2 has no heavy atom
    return stored.kept(np.concatenate([drawn[:sample], rest[heavy[rest] <= small]]))


def _name(molecules: Molecules, row: int) -> str:
    return str(molecules.names[row]) or f"#{row + 1} {molecules[row].formulas[0]}"


def _finish(
    molecules: Molecules,
    request: LabelRequest,
    partial: Path,
    scheduler: str | None,
    workers: int | None,
    quiet: bool,
) -> tuple[list[dict[str, Any]], int]:
    """A record for every molecule, and how many were computed now. Failures are tried again in
    every run.
    """
    keys = [key_of(molecule, request) for molecule in molecules]
    known = {key: record for key, record in _read(partial).items() if "error" not in record}
    missing = {
        key: m for m, key in enumerate(keys) if key not in known
    }  # equal molecules are computed once
    jobs = (
        package(molecules[m], request, key) for key, m in missing.items()
    )  # made as they are needed
    todo = len(missing)
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            partial.open("a", encoding="utf-8") as file,
            progress(todo, len(keys) - todo, quiet) as advance,
        ):
            for record in in_parallel(compute, jobs, todo, scheduler, workers):
                file.write(json.dumps(record) + "\n")
                file.flush()
                known[record["key"]] = record
                advance(record)
    except OSError as problem:
        if disk_is_full(problem):
            raise DiskFull(
                f"the disk is full: what is labelled stands in {partial}; free space in "
                f"{partial.parent} and run the same command again"
            ) from problem
        raise
    return [known[key] for key in keys], todo


def _read(partial: Path) -> dict[str, dict[str, Any]]:
    """The finished records of an earlier run; a last line cut off by a kill is mended by
    forgetting it.
    """
    if not partial.exists():
        return {}
    records, whole = {}, []
    for line in partial.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
            if record["format"] != LABELS_FORMAT:
                raise DataError(
                    f"{partial} was begun by another version of onekcal; remove it to start anew"
                )
        except (ValueError, KeyError, TypeError):
            continue
        records[record["key"]] = record
        whole.append(line)
    write_text(partial, "".join(line + "\n" for line in whole))
    return records


def _report(path: Path, failed: list[Failed]) -> None:
    path.unlink(missing_ok=True)
    if failed:
        path.write_text(
            "".join(json.dumps(asdict(f), ensure_ascii=False) + "\n" for f in failed),
            encoding="utf-8",
        )


class progress:
    """A bar on standard error with throughput and time left; silent with `quiet` or with nothing
    to do.
    """

    def __init__(self, jobs: int, kept: int, quiet: bool, what: str = "labels") -> None:
        self.jobs, self.kept, self.what, self.failed = jobs, kept, what, 0
        self.bar: Any = None
        if not quiet and jobs:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
            )
            self.bar = Progress(*columns, console=Console(stderr=True))

    def __enter__(self) -> Callable[[dict[str, Any]], None]:
        if self.bar is None:
            return lambda record: None
        self.bar.start()
        kept = f"{self.what} ({self.kept} from before)" if self.kept else self.what
        self.task = self.bar.add_task(kept, total=self.jobs, rate="")
        self.start, self.done = time.monotonic(), 0
        return self._advance

    def _advance(self, record: dict[str, Any]) -> None:
        self.done += 1
        self.failed += "error" in record
        rate = f"{self.done / max(time.monotonic() - self.start, 1e-9):.1f}/s"
        rate += f", {self.failed} failed" if self.failed else ""
        self.bar.update(self.task, advance=1, rate=rate)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()
