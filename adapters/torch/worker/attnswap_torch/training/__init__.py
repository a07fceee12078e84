"""Training the testbed: a small transformer whose attention, positions and norms are given by a description."""
