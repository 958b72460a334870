"""The key `data` of an experiment: which molecules, which label, which split; and reading them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field

from onekcal import datasets as store
from onekcal.data.dataset import Columns, Dataset
from onekcal.data.splits import TEST, UNUSED
from onekcal.datasets.card import Stored
from onekcal.errors import ConfigError, unknown
from onekcal.io.reading import FORMATS
from onekcal.molecules import Molecules

MEANING = ("energy", "length", "kind", "at", "level")
"""Keys that say what a file holds; the names are those of `read`."""
LATER = (*MEANING, "check", "more")
"""Keys that early experiments did not have."""


class DataChoice(BaseModel):
    """Which molecules, which label, which split: the key `data` of an experiment."""

    model_config = ConfigDict(extra="forbid")

    set: str = Field(description="a data set's name (`onekcal data list`) or a file")
    target: str = Field(
        description="the energy column to learn; of an xyz, sdf or csv file: where it keeps them"
    )
    split: str = Field(
        "random", description="a split the data set defines, a run's split.npz, or random"
    )
    train: int | None = Field(
        None, ge=1, description="training molecules; all of the training part when absent"
    )
    valid: int | float = Field(
        0.1,
        ge=0,
        description="molecules to choose and calibrate on. If the split has no validation part: "
        "a share (below 1) or a number of the training part. If it has one (a tenth of a random "
        "split): all of it, or at most this number. 0: none; the data set's own validation part "
        "is then trained on",
    )
    test: int | None = Field(
        None,
        ge=0,
        description="test molecules; the whole test part when absent. If a random split is asked "
        "for more than its tenth, the rest comes from molecules that train and valid do not use. "
        "0: none; a random split then trains on all molecules, and the errors are those of the "
        "validation molecules",
    )
    seed: int = Field(0, description="seed that draws train, valid and test from their parts")
    strict: bool = Field(
        False, description="drop molecules whose relaxation failed (qm9, qm9-g4mp2)"
    )
    energy: str | None = Field(
        None,
        description="of a file: unit of the energies (hartree, eV, kJ/mol, kcal/mol); when absent, "
        "the one in the file, or kcal/mol",
    )
    length: str | None = Field(
        None,
        description="of a file: unit of the coordinates (angstrom, bohr); when absent, the one in "
        "the file, or angstrom",
    )
    kind: str | None = Field(
        None,
        description="of a file: total, atomization or formation; when absent, the one in the file, "
        "or total",
    )
    at: str | None = Field(
        None,
        description="of a file: electronic, 0 K or 298 K; when absent, the one in the file, or "
        "electronic",
    )
    level: str | None = Field(None, description="of a file: level of theory of the energies")
    more: dict[str, str] = Field(
        default_factory=dict,
        description="further data sets to learn from, such as another kind of molecule: name or "
        ".h5 file → its split. Their training and validation parts join those of `set`; their test "
        "parts stay out. They hold the target at the same level",
    )
    check: bool = Field(True, description="stop where the energies look like another unit or kind")

    def as_first_written(self) -> dict[str, Any]:
        """Return the content without the keys that came later and say nothing.

        Digests of experiments stay the same when a key is added.
        """
        content = self.model_dump(mode="json")
        return {
            key: value
            for key, value in content.items()
            if key not in LATER
            or value != type(self).model_fields[key].get_default(call_default_factory=True)
        }


def is_plain(name: str) -> bool:
    """Say whether a data set is a file that is read as it is, and none of the store.

    Parameters
    ----------
    name
        The value of `data.set`.
    """
    known = name in store.names() or name in store.imported()
    return not known and Path(name).suffix.lower() in FORMATS


def load(choice: DataChoice) -> Stored:
    """Load the molecules and their columns; what the experiment says about a file is applied.

    Parameters
    ----------
    choice
        The key `data`.

    Returns
    -------
    Stored
        The data set. The energies of a file stand under `choice.target`.

    Raises
    ------
    ConfigError
        The experiment says what a stored set means, which has its own meaning; or a set of `more`
        does not fit.
    """
    stored = _first(choice)
    for name, split in choice.more.items():
        stored = _joined(stored, store.load(name), choice, name, split)
    return stored


def _first(choice: DataChoice) -> Stored:
    """The set that the experiment names, without `more`."""
    said = {key: getattr(choice, key) for key in MEANING if getattr(choice, key) is not None}
    if not is_plain(choice.set):
        if said:
            raise ConfigError(
                f"data.{next(iter(said))} says what a file means, but {choice.set} is stored with "
                "its units and meaning: leave it out, or import the file again"
            )
        return store.load(choice.set, strict=choice.strict)
    if Path(choice.set).suffix.lower() == ".npz":  # its arrays have names of their own
        return store.load(choice.set, **said)
    stored = store.load(choice.set, energy_key=choice.target, **said)
    names = {"energy": choice.target, "energy_forces": f"{choice.target}_forces"}
    columns = {names[name]: column for name, column in stored.dataset.columns.items()}
    return replace(stored, dataset=replace(stored.dataset, columns=columns))


def _certain(data: Dataset, target: str, both: tuple[Stored, Stored]) -> Columns:
    """The columns; where only the other set tells its uncertainties, those of this one are 0."""
    name = f"{target}_uncertainty"
    told = next((one.dataset.columns[name] for one in both if name in one.dataset.columns), None)
    if told is None or name in data.columns:
        return data.columns
    none = torch.zeros(len(data), dtype=torch.float64)
    return {**data.columns, name: replace(told, values=none)}


def _joined(stored: Stored, other: Stored, choice: DataChoice, name: str, split: str) -> Stored:
    """Both sets in one; the split of the first goes on with that of the other."""
    for whose, what, there in (
        (choice.set, choice.split, stored.splits),
        (name, split, other.splits),
    ):
        if what not in there:
            unknown(f"split of {whose} for data.more:", what, there, ConfigError)
    if choice.target not in other.dataset.columns:
        unknown(f"target of {name}:", choice.target, other.dataset.columns, ConfigError)
    parts = [_certain(one.dataset, choice.target, (stored, other)) for one in (stored, other)]
    columns = {
        key: replace(column, values=torch.cat([column.values, parts[1][key].values]))
        for key, column in parts[0].items()
        if key in parts[1]
    }
    ours, theirs = (one.dataset.columns[choice.target].meaning for one in (stored, other))
    if ours != theirs:
        raise ConfigError(
            f"{choice.target} of {choice.set} is {ours}, but that of {name} is {theirs}; data.more "
            "takes the same quantity"
        )
    labels = other.splits[split]
    labels = torch.where(labels == TEST, torch.full_like(labels, UNUSED), labels)
    molecules = Molecules.concatenate([stored.dataset.molecules, other.dataset.molecules])
    return Stored(
        Dataset(molecules, columns),
        {choice.split: torch.cat([stored.splits[choice.split], labels])},
        stored.card,
        hashlib.sha256(f"{stored.digest} {other.digest} {split}".encode()).hexdigest(),
    )
