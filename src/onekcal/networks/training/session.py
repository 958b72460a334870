"""Where a training writes, whether it goes on from a checkpoint, and who watches it.

The methods of the model protocol have no arguments for these:

    with session(folder, resume=True, watch=show):
        model.fit(train, valid)

All trainings inside the block, members of an ensemble and refits, are numbered:
`training-0.safetensors`, `training-1.safetensors`. Outside a session nothing is written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from onekcal.networks.training.distributed import first


@dataclass(frozen=True)
class Progress:
    """Where a training stands."""

    training: int  # its number in the session
    epoch: float  # epochs done, with a fraction within one
    epochs: int  # at most
    seconds_left: float  # to the last epoch, at the speed so far
    last: dict[str, float] = field(default_factory=dict)  # the last row of epochs.csv
    best: float = float("inf")  # score
    unit: str = "kcal/mol"  # of what is learned


def _to_stderr(message: str) -> None:
    if first():
        print(f"onekcal: {message}", file=sys.stderr)


@dataclass
class Session:
    """Where trainings write and who watches them; `session` makes it.

    Parameters
    ----------
    folder
        Where they write; None writes nothing.
    resume
        Whether trainings go on from checkpoints in `folder`.
    about
        What a checkpoint to go on from must have been made with.
    watch
        Is called with the progress of each training.
    say
        Is called with messages.
    begun
        Trainings so far.
    """

    folder: Path | None = None
    resume: bool = False
    about: Mapping[str, object] = field(default_factory=dict)
    """What a checkpoint to go on from must have been made with."""
    watch: Callable[[Progress], None] = lambda progress: None
    say: Callable[[str], None] = _to_stderr
    begun: int = 0
    """Trainings so far."""

    def file(self, number: int) -> Path | None:
        """Return the checkpoint of a training; None where nothing is written.

        Parameters
        ----------
        number
            Number of the training in the session, from 0.
        """
        return None if self.folder is None else self.folder / f"training-{number}.safetensors"

    def csv(self, number: int) -> Path | None:
        """Return the file of a training's metrics, an epoch a line: epochs.csv, then epochs-1.csv …

        Parameters
        ----------
        number
            Number of the training in the session, from 0.
        """
        return (
            None
            if self.folder is None
            else self.folder / (f"epochs-{number}.csv" if number else "epochs.csv")
        )


_CURRENT: ContextVar[Session | None] = ContextVar("session", default=None)


def current() -> Session:
    """Return the session around this call, or one that writes nothing."""
    return _CURRENT.get() or Session()


@contextmanager
def session(
    folder: Path | None = None,
    resume: bool = False,
    about: Mapping[str, object] | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> Iterator[Session]:
    """Make trainings inside the block write to a folder.

    Parameters
    ----------
    folder
        Where they write; None writes nothing.
    resume
        Whether trainings go on from checkpoints in `folder`.
    about
        What a checkpoint to go on from must have been made with.
    watch
        Is called with the progress of each training.
    """
    inside = Session(folder, resume, about or {}, watch or (lambda progress: None))
    token = _CURRENT.set(inside)
    try:
        yield inside
    finally:
        _CURRENT.reset(token)
