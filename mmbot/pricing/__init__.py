"""Mathematics: what things are worth. Floats and numpy, no decisions."""
