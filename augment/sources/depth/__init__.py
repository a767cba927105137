"""Depth maps and depth cameras."""
