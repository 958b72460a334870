"""Whether a file of labels may be replaced: nothing that was computed is deleted unasked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from onekcal.datasets import store
from onekcal.datasets.card import Stored
from onekcal.errors import InputError
from onekcal.labels.compute import LabelRequest
from onekcal.molecules import Molecules


def refuse_loss(out: Path, stored: Stored, request: LabelRequest, keep: Sequence[str]) -> None:
    """Refuse to replace a file that holds labels or molecules which the new one will not hold.

    Parameters
    ----------
    out
        The file that is to be written. It may not exist.
    stored
        The molecules that are to be labelled, with their columns.
    request
        What is to be computed.
    keep
        With `relax`: columns of `stored` that stay.

    Raises
    ------
    InputError
        Names what would be lost, and the ways out.
    """
    if not out.is_file():
        return
    there = store.read(out).dataset
    kept = set(keep) if request.relax else set(stored.dataset.columns)
    lost = [name for name in there.columns if name not in kept | set(names_of(request))]
    gone = (_counted(there.molecules) - _counted(stored.dataset.molecules)).total()
    if not lost and not gone:
        return
    what = [f"column {name}" for name in lost]
    if gone:
        what.append(f"{gone:,} of its {len(there):,} molecules")
    raise InputError(
        f"{out} exists, and {', '.join(what)} would be deleted: name another file; or label the "
        f"molecules of {out} itself (onekcal label {out} NEW.h5), which keeps its columns; or pass "
        "--overwrite"
    )


def names_of(request: LabelRequest) -> list[str]:
    """Return the names of the columns that a request makes.

    Parameters
    ----------
    request
        What is to be computed.
    """
    name = request.method.column
    return [
        name,
        *([f"{name}_forces"] if request.forces else []),
        *([f"{name}_charges"] if request.charges else []),
        *([f"{name}_{one}" for one in ("zpe", "heat", "imaginary")] if request.frequencies else []),
    ]


def _counted(molecules: Molecules) -> Counter[tuple[str, str]]:
    """How often each name and formula occurs; a relaxation changes neither."""
    return Counter(zip(map(str, molecules.names), molecules.formulas))
