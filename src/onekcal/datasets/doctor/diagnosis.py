"""What the data doctor says: a list of findings, each with a remedy."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Literal

import torch
from torch import Tensor

from onekcal.molecules import Molecules

Severity = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis.

    Parameters
    ----------
    level
        How bad it is. An error means that training on the data would be a mistake.
    what
        The part of the data set: a column, a split, or "geometry".
    detail
        What was seen, with numbers.
    remedy
        What to do about it.
    """

    level: Severity
    what: str
    detail: str
    remedy: str = ""


@dataclass
class Diagnosis:
    """All findings about one data set.

    Parameters
    ----------
    findings
        The findings, in the order of the checks.
    """

    findings: list[Finding] = field(default_factory=list)

    def add(self, level: Severity, what: str, detail: str, remedy: str = "") -> None:
        """Add a finding.

        Parameters
        ----------
        level, what, detail, remedy
            As in `Finding`.
        """
        self.findings.append(Finding(level, what, detail, remedy))

    @property
    def failed(self) -> bool:
        """Whether something is so wrong that training on it would be a mistake."""
        return any(finding.level == "error" for finding in self.findings)

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values, for JSON."""
        return {"failed": self.failed, "findings": [asdict(finding) for finding in self.findings]}

    def lines(self) -> list[str]:
        """Return plain text, one finding a line."""
        return [
            f"{f.level:8s} {f.what}: {f.detail}" + (f" → {f.remedy}" if f.remedy else "")
            for f in self.findings
        ]


def first_names(molecules: Molecules, which: Tensor, most: int = 5) -> str:
    """Return the names of the first few of some molecules.

    Parameters
    ----------
    molecules
        The M molecules.
    which
        A mask (M,) or row numbers.
    most
        How many names are given at most.
    """
    rows = (which.nonzero().flatten() if which.dtype == torch.bool else which).tolist()
    names = ", ".join(str(molecules.names[m]) for m in rows[:most])
    return names + (" …" if len(rows) > most else "")
