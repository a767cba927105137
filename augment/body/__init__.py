"""SMPL-family bodies, and the points and balls that stand for them."""
