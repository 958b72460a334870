"""Molecular dynamics with any model or method that has forces."""
