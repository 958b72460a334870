"""What another program must offer to be measured beside onekcal."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

from onekcal.errors import MissingExtra
from onekcal.molecules import Molecules


class Program(NamedTuple):
    """A program, or a published model, that gives heats of formation."""

    name: str
    elements: str
    """The elements that it knows, as a table says them."""
    package: str
    """Its distribution on PyPI."""
    module: str
    """What the distribution installs."""
    formation: Callable[[Molecules], float]
    """ΔfH(298.15 K), kcal/mol, of one molecule at a GFN2-xTB minimum, with its charge and spin.

    Raises `MissingExtra` where the program is not installed, and `InputError`, in one line, where
    it gives no answer for the molecule.
    """

    def version(self) -> str:
        """Return the distribution and its version, such as "mopac-py 0.1.4"."""
        return f"{self.package} {version(self.package)}"

    def lacking(self) -> str:
        """Return why the program cannot be asked here, in one line; empty if it can."""
        if importlib.util.find_spec(self.module) is not None:
            return ""
        return str(missing(self.name, self.package))


def missing(name: str, package: str) -> MissingExtra:
    """Return the error of a program that is not installed.

    Parameters
    ----------
    name
        The program.
    package
        Its distribution on PyPI.
    """
    return MissingExtra(package, "peers", f"asking {name}")
