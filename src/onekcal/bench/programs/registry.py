"""The programs that are measured beside onekcal, in the order of a table."""

from __future__ import annotations

from onekcal.bench.programs import aimnet2, pm7
from onekcal.bench.programs.program import Program

PROGRAMS: tuple[Program, ...] = (aimnet2.PROGRAM, pm7.PROGRAM)
"""All of them, installed or not; `lacking` says which cannot be asked here."""
