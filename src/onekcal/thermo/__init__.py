"""From an atomization energy to a heat of formation."""
