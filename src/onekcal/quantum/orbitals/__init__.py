"""Occupied orbitals, where they come from, and the density they make."""
