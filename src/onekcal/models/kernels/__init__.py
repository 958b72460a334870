"""Kernel ridge regression, exact and low-rank."""
