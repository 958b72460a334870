"""Features: pure functions of `Molecules`."""
