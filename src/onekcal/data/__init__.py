"""Molecules with named columns, and which of them belong to which part."""
