"""Quantum methods: what computes the energy of a molecule as it stands."""
