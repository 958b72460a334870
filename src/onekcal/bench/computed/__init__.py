"""Computed G4(MP2) beside published energies and experiment."""
