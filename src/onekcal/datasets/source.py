"""Where the files of a data set are, and how they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from onekcal.datasets.card import Card, Stored
from onekcal.system.files import damage_refused


@dataclass(frozen=True)
class Remote:
    """A file to download.

    Parameters
    ----------
    file
        Its name in the mirror and in the cache.
    url
        Its official address. "" where only mirrors have it.
    sha256
        Its checksum. None where nobody has verified one; then the first download records it.
    optional
        Whether the data set can do without it.
    """

    file: str
    url: str = ""
    sha256: str | None = None
    optional: bool = False


Reader = Callable[[Path], Stored]


def read_files(reader: Reader, folder: Path, name: str) -> Stored:
    """Read the files of a data set; what is damaged in them ends in one line.

    Parameters
    ----------
    reader
        Reads them.
    folder
        Where they are.
    name
        The data set.

    Raises
    ------
    DataError
        A file is absent or damaged.
    """
    with damage_refused(folder, f"a folder with the whole files of {name}", "fetch them again"):
        return reader(folder)


@dataclass(frozen=True)
class Source:
    """The files of a data set, in a mirror and at the official source, and their readers.

    Parameters
    ----------
    card
        What the data set is.
    mirror, official
        The files in a mirror, and those at the official source.
    read_mirror, read_official
        Functions that read these files from a folder. None where there is no such source.
    relaxation_failed
        Names of the molecules that `strict` leaves out.
    """

    card: Card
    mirror: tuple[Remote, ...] = ()
    read_mirror: Reader | None = None
    official: tuple[Remote, ...] = ()
    read_official: Reader | None = None
    relaxation_failed: frozenset[str] = frozenset()

    def strict(self, stored: Stored) -> Stored:
        """Return the data without the molecules whose relaxation failed.

        Parameters
        ----------
        stored
            The whole data set.
        """
        keep = [name not in self.relaxation_failed for name in stored.dataset.molecules.names]
        return stored.kept(torch.tensor(keep))
