"""Molecules in and out of files."""

from onekcal.io.reading import read, read_all
from onekcal.io.records import Problem
from onekcal.io.writing import write

__all__ = ["Problem", "read", "read_all", "write"]
