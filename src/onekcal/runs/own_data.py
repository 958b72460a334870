"""From a file of one's own to an experiment, in one step.

SMILES get a geometry first: one conformer each, relaxed with GFN2-xTB. A file with geometries is
used as it is. The experiment is written beside it, so that it can be changed and run again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import yaml

from onekcal import datasets as store
from onekcal.data.dataset import Dataset
from onekcal.errors import DataError, InputError
from onekcal.io.options import ReadKeywords
from onekcal.io.reading import FORMATS, read_all
from onekcal.labels.labelling import label
from onekcal.models.shipped import load_model
from onekcal.runs.data_choice import DataChoice
from onekcal.runs.data_choice import load as load_data
from onekcal.runs.experiment import load_yaml
from onekcal.runs.first_stages import kernel_stage
from onekcal.runs.unit_check import check_units

SMILES = (".csv", ".smi", ".smiles")
"""Endings of files without geometries."""
MOST = 10
"""Molecules that are left out are named up to this many."""


def is_data(path: Path) -> bool:
    """Say whether a path names data, and no experiment.

    Parameters
    ----------
    path
        What the user gave.
    """
    ending = path.suffix.lower()
    return (
        ending in FORMATS or ending == ".h5" or (not path.exists() and str(path) in store.names())
    )


@dataclass(frozen=True)
class OwnData:
    """A file of energies, and what its owner says about it.

    Parameters
    ----------
    source
        A table of SMILES, a file with geometries, or the name of a data set.
    target
        The column, or the key of the file, that holds the energies.
    said
        Unit, kind and so on of the energies, by the keys of `data`.
    correct
        A fitted model whose energies are corrected, in place of those of GFN2-xTB.
    smiles_column
        Of a table: the heading of its SMILES.
    """

    source: Path
    target: str = "energy"
    said: Mapping[str, str] = field(default_factory=dict)
    correct: str | None = None
    smiles_column: str | None = None

    def choice(self, source: Path) -> DataChoice:
        """The key `data` of an experiment on a file with what is said about it."""
        return DataChoice.model_validate({"set": str(source), "target": self.target, **self.said})


def written(own: OwnData, overwrite: bool = False, command: str = "", quiet: bool = False) -> Path:
    """Write the experiment that learns a file.

    Parameters
    ----------
    own
        The file.
    overwrite
        Replace an experiment, and geometries, of the same name.
    command
        What the user typed.
    quiet
        Show no progress.

    Returns
    -------
    Path
        The experiment (YAML), beside the source.

    Raises
    ------
    InputError
        Another experiment of this name exists.
    DataError
        The energies look like another unit or kind.
    """
    source = own.source
    if source.suffix.lower() in SMILES:
        made = OwnData(_with_geometries(own, overwrite, quiet), own.target)
    else:
        made = own
    choice = made.choice(made.source)
    dataset = load_data(choice).dataset.aimed(own.target)
    check_units(dataset, choice)  # before anything is written
    if own.correct:
        load_model(own.correct)
    baseline = f"model:{own.correct}" if own.correct else "gfn2"
    content = {
        "name": source.stem,
        "data": {"set": str(made.source), "target": own.target, **made.said},
        "stages": [{"baseline": baseline}, "dressed_atoms", kernel_stage(len(dataset))],
    }
    path = Path(f"{source}.yaml") if source.suffix == "" else source.with_suffix(".yaml")
    if path.exists() and not overwrite and load_yaml(path.read_text(encoding="utf-8")) != content:
        raise InputError(
            f"{path} exists and says something else: run it with onekcal train {path}, or pass "
            "--overwrite"
        )
    about = f"# Written by: {command}\n# Run it again with: onekcal train {path}\n"
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None)
    path.write_text(about + text, encoding="utf-8")
    return path


def _with_geometries(own: OwnData, overwrite: bool, quiet: bool) -> Path:
    """Relax a conformer of each SMILES; a file that was made before is used again."""
    source, target = own.source, own.target
    options: ReadKeywords = {"energy_key": target, "smiles_column": own.smiles_column}
    options.update(own.said)  # type: ignore[typeddict-item]
    dataset, problems = read_all(source, **options)
    _tell(problems)
    if dataset is None:
        raise InputError(f"{source} holds no molecule that can be read")
    if "energy" not in dataset.columns:
        raise DataError(
            f"{source} has no column {target!r}; name the one of the energies (--target)"
        )
    dataset = Dataset(dataset.molecules, {target: dataset.columns["energy"]}, target)
    check_units(dataset, own.choice(source))
    out = source.with_suffix(".h5")
    if not overwrite and _was_made_of(dataset, out):
        return out
    print(f"{source}: geometries of {len(dataset):,} molecules go to {out}", file=sys.stderr)
    done = label(dataset, out, "gfn2", relax=True, keep=[target], overwrite=overwrite, quiet=quiet)
    _tell([f"{one.name}: {one.reason}" for one in done.failed])
    return out


def _was_made_of(dataset: Dataset, out: Path) -> bool:
    """Say whether a file holds the molecules of a table, with the same energies."""
    if not out.is_file():
        return False
    there = store.load(str(out)).dataset
    target = str(dataset.target)
    if target not in there.columns or "gfn2" not in there.columns:
        return False
    failed = out.with_name(out.name + ".failed")  # they would fall apart again
    lost = (
        {json.loads(line)["row"] for line in failed.open(encoding="utf-8")}
        if failed.exists()
        else set()
    )
    wanted = dataset[[row for row in range(len(dataset)) if row not in lost]]
    old, new = there.columns[target], wanted.columns[target]
    return (
        list(there.molecules.names) == list(wanted.molecules.names)
        and old.meaning == new.meaning
        and torch.equal(old.values, new.values)
    )


def _tell(problems: Sequence[object]) -> None:
    for problem in problems[:MOST]:
        print(f"onekcal: {problem}", file=sys.stderr)
    if len(problems) > MOST:
        print(f"onekcal: and {len(problems) - MOST:,} more; all are left out", file=sys.stderr)
