"""How bodies look and move: priors learned from a motion store, each a differentiable energy of a pose sequence."""
