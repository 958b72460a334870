"""From a file of one's own to an experiment, in one step.

SMILES get a geometry first: one conformer each, relaxed with GFN2-xTB. A file with geometries is
used as it is. The experiment is written beside it, so that it can be changed and run again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import yaml

from onekcal import datasets as store
from onekcal.data.dataset import Dataset
from onekcal.errors import DataError, InputError
from onekcal.io.reading import FORMATS, read_all
from onekcal.labels.labelling import label
from onekcal.models.shipped import load_model
from onekcal.runs.data_choice import MEANING, DataChoice
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


def written(
    source: Path,
    target: str,
    said: Mapping[str, str],
    correct: str | None = None,
    overwrite: bool = False,
    command: str = "",
    quiet: bool = False,
) -> Path:
    """Write the experiment that learns a file.

    Parameters
    ----------
    source
        A table of SMILES, a file with geometries, or the name of a data set.
    target
        The column, or the key of the file, that holds the energies.
    said
        What the user says about the energies: unit, kind and so on, by the keys of `data`.
    correct
        A fitted model whose energies are corrected, in place of those of GFN2-xTB.
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
    data = {"set": str(source), "target": target, **said}
    if source.suffix.lower() in SMILES:
        data = {
            "set": str(_with_geometries(source, target, said, overwrite, quiet)),
            "target": target,
        }
    choice = DataChoice.model_validate(data)
    dataset = load_data(choice).dataset.aimed(target)
    check_units(dataset, choice)  # before anything is written
    if correct:
        load_model(correct)
    baseline = f"model:{correct}" if correct else "gfn2"
    content = {
        "name": source.stem,
        "data": data,
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


def _with_geometries(
    source: Path, target: str, said: Mapping[str, str], overwrite: bool, quiet: bool
) -> Path:
    """Relax a conformer of each SMILES; a file that was made before is used again."""
    options = {key: said[key] for key in MEANING if key in said}
    dataset, problems = read_all(source, energy_key=target, **options)  # type: ignore[arg-type]
    _tell(problems)
    if dataset is None:
        raise InputError(f"{source} holds no molecule that can be read")
    if "energy" not in dataset.columns:
        raise DataError(
            f"{source} has no column {target!r}; name the one of the energies (--target)"
        )
    dataset = Dataset(dataset.molecules, {target: dataset.columns["energy"]}, target)
    choice = {"set": str(source), "target": target, **said}
    check_units(dataset, DataChoice.model_validate(choice))
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
    rows = {str(name): row for row, name in enumerate(dataset.molecules.names)}
    if not set(map(str, there.molecules.names)) <= set(rows):
        return False
    old, new = there.columns[target], dataset.columns[target]
    same = [rows[str(name)] for name in there.molecules.names]
    # those that fell apart are not there, and would fall apart again
    failed = out.with_name(out.name + ".failed")
    lost = len(failed.read_text().splitlines()) if failed.exists() else 0
    return (
        len(same) + lost == len(dataset)
        and old.meaning == new.meaning
        and torch.equal(old.values, new.values[same])
    )


def _tell(problems: Sequence[object]) -> None:
    for problem in problems[:MOST]:
        print(f"onekcal: {problem}", file=sys.stderr)
    if len(problems) > MOST:
        print(f"onekcal: and {len(problems) - MOST:,} more; all are left out", file=sys.stderr)
