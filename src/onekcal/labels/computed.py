"""The store of computed molecules: nothing is computed twice.

    HOME/computed/KEY.json     a finished molecule
    HOME/computed/KEY.steps/   one file a finished step of a molecule under way
    HOME/computed/b3lyp/       the same for minima of B3LYP (`labels.b3lyp`); both share their steps

A key is a hash of the method, the charge, the unpaired electrons, and the molecule: its canonical
SMILES where it was asked for by SMILES, its nuclei and positions where it was asked for by a
geometry. Some small species ship with the package and are read the same way.

Several processes may use a store. The one that computes a molecule holds its lock; others wait and
then read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from onekcal.errors import DataError, in_short
from onekcal.labels.g4mp2 import Computed, Value
from onekcal.molecules import Molecules
from onekcal.system.files import read_json, write_json
from onekcal.system.home import home
from onekcal.system.locks import try_lock

FORMAT = 1
SHIPPED = "species.json"
WAIT = 0.5
"""Seconds between two looks at a lock that another process holds."""


def key_of_smiles(smiles: str, charge: int, spin: int, method: str) -> str:
    """Return the key of a molecule that was asked for by its SMILES.

    Parameters
    ----------
    smiles
        Canonical, from `geometry.species`.
    charge, spin
        Total charge (e) and unpaired electrons.
    method
        "g4mp2" or "g4mp2//gfn2", with " exact" behind it where integrals are exact.
    """
    return _hash(f"{method} {charge} {spin} {smiles}".encode())


def key_of_geometry(molecule: Molecules, method: str) -> str:
    """Return the key of a molecule that was asked for by its geometry.

    Parameters
    ----------
    molecule
        One molecule. Positions count to 1e-4 Å.
    method
        As in `key_of_smiles`.
    """
    places = (molecule.positions.numpy() * 1e4).round().astype("<i8") + 0
    said = f"{method} {int(molecule.charges[0])} {int(molecule.spins[0])} "
    return _hash(
        said.encode() + molecule.numbers.numpy().astype("<i8").tobytes() + places.tobytes()
    )


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


class Record(Protocol):
    """What a shelf keeps: it becomes plain values and comes back from them."""

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values, for JSON."""

    @classmethod
    def from_dict(cls, record: dict) -> Self:
        """Read what `to_dict` wrote."""


Kind = TypeVar("Kind", bound=Record)


class Shelf(Generic[Kind]):
    """Finished molecules of one kind in a folder, and the steps of those under way.

    Parameters
    ----------
    folder
        Where they lie.
    kind
        The class of the records.
    under_way
        Where the steps of molecules under way lie, and their locks; None: in `folder`. Where it is
        the folder of another shelf, both go on from each other's steps.
    """

    def __init__(self, folder: Path, kind: type[Kind], under_way: Path | None = None) -> None:
        self.folder, self.kind = folder, kind
        self.under_way = folder if under_way is None else under_way

    def ships(self) -> dict[str, dict]:
        """Return the records that come with the package, by key."""
        return {}

    def find(self, key: str) -> Kind | None:
        """Return a finished molecule, from the folder or from those that ship.

        Parameters
        ----------
        key
            From `key_of_smiles` or `key_of_geometry`.

        Raises
        ------
        DataError
            The file is damaged or was written by a newer version.
        """
        record = read_json(self._file(key))
        record = self.ships().get(key) if record is None else record
        return None if record is None else self._checked(record, self._file(key))

    def __iter__(self) -> Iterator[Kind]:
        """Every finished molecule of the folder, in the order of their keys."""
        for path in sorted(self.folder.glob("*.json")):
            yield self._checked(read_json(path), path)

    def items(self) -> Iterator[tuple[str, Kind, bool]]:
        """Give everything that `find` finds.

        Yields
        ------
        tuple
            The key, the molecule, and whether it came with the package.
        """
        for path in sorted(self.folder.glob("*.json")):
            yield path.stem, self._checked(read_json(path), path), False
        for key, record in self.ships().items():
            if not self._file(key).exists():
                yield key, self.kind.from_dict(record), True

    def once(
        self,
        key: str,
        compute: Callable[[Steps], Kind],
        waits: Callable[[], None] = lambda: None,
    ) -> Kind:
        """Return a molecule, computed if nobody has done so.

        Parameters
        ----------
        key
            Of the molecule.
        compute
            Computes it; what it puts into the steps it is given survives a kill.
        waits
            Called once if another process is computing it already.
        """
        done = self.find(key)
        if done is not None:
            return done
        lock_path = self.under_way / f"{key}.lock"
        with _writing(self.folder):
            for folder in (self.folder, self.under_way):
                folder.mkdir(parents=True, exist_ok=True)
            lock = _waited(lock_path, waits)
        try:
            done = self.find(key)  # another process may have finished it
            if done is not None:
                return done
            steps = self.steps(key)
            done = compute(steps)
            with _writing(self.folder):
                write_json(self._file(key), {"format": FORMAT} | done.to_dict())
            if (self.under_way / f"{key}.json").exists():  # nobody goes on from these steps
                shutil.rmtree(steps.folder, ignore_errors=True)
            lock_path.unlink(missing_ok=True)
            return self.find(key) or done
        finally:
            os.close(lock)

    def steps(self, key: str) -> Steps:
        """Return the finished steps of a molecule under way.

        Parameters
        ----------
        key
            Of the molecule.
        """
        return Steps(self.under_way / f"{key}.steps")

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _checked(self, record: dict, path: Path) -> Kind:
        try:
            _refuse_newer(record, path)
            return self.kind.from_dict(record)
        except (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as problem:
            why = in_short(repr(problem))
            raise DataError(
                f"{path} should hold a computed molecule but is damaged ({why}); remove it, and it "
                "is computed again"
            ) from None


class Store(Shelf[Computed]):
    """Molecules computed with G4(MP2), and the species that ship.

    Parameters
    ----------
    folder
        Where they lie; None: `computed` in the data folder (ONEKCAL_HOME).
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(home() / "computed" if folder is None else folder, Computed)

    def ships(self) -> dict[str, dict]:
        """Return the species that ship, by key."""
        return shipped()

    def names(self) -> dict[str, set[str]]:
        """Return what the names of finished molecules stand for.

        Returns
        -------
        dict
            Name in lower case → canonical SMILES; an empty one stands for a molecule that was
            computed from a geometry.
        """
        found: dict[str, set[str]] = {}
        kept = ((one.name, one.smiles) for one in self)
        for name, smiles in (*((r["name"], r["smiles"]) for r in self.ships().values()), *kept):
            if name:
                found.setdefault(name.lower(), set()).add(smiles)
        return found


class Steps(MutableMapping[str, "dict[str, Value]"]):
    """Finished steps of one molecule, one file each.

    Parameters
    ----------
    folder
        Where the files lie; it is made with the first step.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, step: str) -> dict[str, Value]:
        values = read_json(self._file(step))
        if values is None:
            raise KeyError(step)
        _refuse_newer(values, self._file(step))
        return {key: value for key, value in values.items() if key != "format"}

    def __setitem__(self, step: str, values: dict[str, Value]) -> None:
        with _writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self._file(step), {"format": FORMAT} | values)

    def __delitem__(self, step: str) -> None:
        self._file(step).unlink()

    def __iter__(self) -> Iterator[str]:
        return (path.stem.replace("_", " ") for path in self.folder.glob("*.json"))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _file(self, step: str) -> Path:
        return self.folder / f"{step.replace(' ', '_')}.json"


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say which folder cannot be written, and what to do."""
    try:
        yield
    except OSError as problem:
        raise DataError(
            f"{folder} keeps what is computed and cannot be written ({problem.strerror}); free "
            "space, or set ONEKCAL_HOME to a folder of your own"
        ) from None


def _refuse_newer(record: object, path: Path) -> None:
    """Refuse what a newer version wrote: it may mean something else by the same words."""
    if isinstance(record, dict) and record.get("format", FORMAT) > FORMAT:
        raise DataError(
            f"{path} was written by a newer version of onekcal (format {record['format']}, "
            f"this one reads {FORMAT}); update onekcal or remove the file"
        )


def _waited(path: Path, waits: Callable[[], None]) -> int:
    """The lock at `path`, once nobody else holds it."""
    lock = try_lock(path)
    if lock is None:
        waits()
    while lock is None:
        time.sleep(WAIT)
        lock = try_lock(path)
    return lock


@cache
def shipped() -> dict[str, dict]:
    """The species that ship with the package, by key; empty where the file is absent."""
    path = resources.files("onekcal") / "shipped" / SHIPPED
    if not path.is_file():
        return {}
    records = json.loads(path.read_text(encoding="utf-8"))
    return {key_of_smiles(r["smiles"], r["charge"], r["spin"], r["method"]): r for r in records}
