"""Where nuclei stand: bonds, relaxation, minima, conformers."""
