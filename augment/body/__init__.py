"""SMPL-family bodies, and points and balls that approximate them."""
