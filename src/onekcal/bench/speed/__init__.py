"""Ours beside its peers, taking turns."""
