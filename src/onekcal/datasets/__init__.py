"""Data sets: load, get, import. Everything is kept in one store, converted and verified once."""

from onekcal.datasets.access import card, get, import_file, imported, is_here, load
from onekcal.datasets.catalogue import names, source

__all__ = ["card", "get", "import_file", "imported", "is_here", "load", "names", "source"]
