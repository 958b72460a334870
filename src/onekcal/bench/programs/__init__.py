"""Other programs that give heats of formation, asked in this process."""
